"""TLS options of every client, from the PEM files of its settings. Without a CA file a client trusts the system's CAs
(a JVM: its own); host names are always verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

if TYPE_CHECKING:
    from twitter_topics.settings.values import TlsFiles


def kafka_python(tls: TlsFiles) -> dict[str, Any]:
    """Return the options of kafka-python's clients."""
    return _given(ssl_cafile=tls.ca, ssl_certfile=tls.certificate, ssl_keyfile=tls.key)


def kafka_jvm(tls: TlsFiles) -> dict[str, str]:
    """Return the options of Kafka's Java clients. They hold the PEM texts, so that executors need no files."""
    options: dict[str, str] = {}
    if tls.ca:
        options |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": _text(tls.ca)}
    if tls.certificate:
        options |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": "".join(_pem(one) for one in _certificates(tls.certificate)),
            "ssl.keystore.key": _key(tls.key, Encoding.PEM).decode(),  # Java reads only PKCS #8
        }
    return options


def elasticsearch(tls: TlsFiles) -> dict[str, Any]:
    """Return the options of the Elasticsearch client."""
    return _given(ca_certs=tls.ca, client_cert=tls.certificate, client_key=tls.key)


def influxdb(tls: TlsFiles) -> dict[str, Any]:
    """Return the options of the InfluxDB client, which passes them to requests."""
    return {"verify_ssl": tls.ca or True, "cert": (tls.certificate, tls.key) if tls.certificate else None}


def boto3(tls: TlsFiles) -> dict[str, Any]:
    """Return the options of a boto3 client, and of Airflow's connection to AWS."""
    return _given(verify=tls.ca)


def arrow_s3(tls: TlsFiles) -> dict[str, Any]:
    """Return the options of Arrow's S3FileSystem."""
    return _given(tls_ca_file_path=tls.ca)


def postgresql(tls: TlsFiles) -> dict[str, str]:
    """Return the parameters of a PostgreSQL address. `jdbc_key` makes the key's file readable for JDBC."""
    mode = "verify-full" if tls.ca else "require" if tls.certificate else ""
    return _given(sslmode=mode, sslrootcert=tls.ca, sslcert=tls.certificate, sslkey=tls.key)


def jdbc_key(pem_file: str) -> bytes:
    """Return the key of a PEM file as PostgreSQL's JDBC driver reads it: PKCS #8, DER."""
    return _key(pem_file, Encoding.DER)


def java_trust_store(pem_file: str) -> bytes:
    """Return the certificates of a PEM file as a trust store of Java: PKCS #12 without a password."""
    certificates = [pkcs12.PKCS12Certificate(one, None) for one in _certificates(pem_file)]
    return pkcs12.serialize_java_truststore(certificates, NoEncryption())


def _given(**options: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


def _text(file: str) -> str:
    return Path(file).read_text(encoding="utf-8")


def _certificates(file: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(Path(file).read_bytes())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key(file: str, encoding: Encoding) -> bytes:
    key = load_pem_private_key(Path(file).read_bytes(), None)
    return key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
