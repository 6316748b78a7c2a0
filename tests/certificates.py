"""Certificates for the servers and clients of a test: PEM files of a CA that exists only for it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM. `both` has the two in one file."""

    certificate: Path
    key: Path
    both: Path

    def write_pkcs12(self, path: Path, password: str) -> None:
        """Write a key store of Java."""
        key = load_pem_private_key(self.key.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        encryption = BestAvailableEncryption(password.encode())
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"server", key, certificate, None, encryption))


class Authority:
    """A CA in a folder."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _common_name(name)
        certificate = self._sign(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(self, name: str) -> Pair:
        """Issue a certificate for 127.0.0.1, and no other host."""
        key = ec.generate_private_key(ec.SECP256R1())
        loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = self._sign(_common_name(name), key, loopback).public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pair = Pair(*(self._folder / f"{name}{suffix}.pem" for suffix in ("", "-key", "-both")))
        for path, content in ((pair.certificate, certificate), (pair.key, secret), (pair.both, secret + certificate)):
            path.write_bytes(content)
            path.chmod(0o600)
        return pair

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            subject_name=subject,
            issuer_name=self._name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=1),
        )
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        for one, critical in ((extension, True), (own, False), (by, False)):
            builder = builder.add_extension(one, critical)
        return builder.sign(self._key, hashes.SHA256())


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
