"""Types of settings: addresses, names and PEM files, with the checks that they need."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, ValidationInfo

from twitter_topics.settings.paths import IsPath

LEAST_TOPICS = 3
"""Of a topic model; the promotion gate refuses one with fewer."""

_USER = re.compile(r"//\S*@")
_SECRET_PARAMETERS = re.compile(r"(?i)([?&](?:[a-z_-]*(?:password|secret|token)|api_?key)=)[^&\s'\"]+")


@dataclass(frozen=True)
class TlsFiles:
    """Paths of PEM files for one server; empty = none. Key and certificate may be the same file."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def of(cls, ca: str, certificate: str, key: str) -> Self:
        """Return the files that the settings name: without one for the key, it is in the certificate's file."""
        return cls(ca, certificate, key or certificate)


def masked(text: str) -> str:
    """Return a text in which URLs show no credentials, wherever the URL has them."""
    return _SECRET_PARAMETERS.sub(r"\1***", _USER.sub("//***@", text))


def topic_languages(value: str) -> str:
    """Return `auto`, `all` or codes of languages, comma-separated, in lower case and each once.

    Raises:
        ValueError: it is none of these.
    """
    names = [name.strip().lower() for name in value.split(",")]
    codes = all(re.fullmatch(r"(?!all|und)[a-z]{2,3}", name) for name in names)
    if names not in (["auto"], ["all"]) and not codes:
        raise ValueError(
            "use auto, all, or codes of two or three letters such as en, comma-separated (und cannot have topics)"
        )
    return ",".join(dict.fromkeys(names))


def check_url(value: str) -> str:
    """Return an http(s) or ws(s) URL unchanged.

    Raises:
        ValueError: it contains credentials, or its port is not a number.
    """
    parts = urlsplit(value)
    if "@" in parts.netloc or _SECRET_PARAMETERS.search(value):
        raise ValueError("a URL must not contain credentials; use the settings for user, password, key or token")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("the port must be a number up to 65535") from None
    return value


def _endpoint(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("give a URL such as https://s3.example.org, or leave it empty for AWS")
    return check_url(value).rstrip("/")


def _database(value: str) -> str:
    scheme = value.partition("://")[0]
    if value.startswith("sqlite:///"):
        if "://" in value.removeprefix("sqlite:///").partition("?")[0]:
            raise ValueError("SQLite needs a local file; elsewhere use postgresql://…")
    elif scheme != "postgresql":
        shown = f"{scheme}://" if scheme.replace("+", "").isalnum() else "this address"  # it may have a password
        raise ValueError(f"{shown} is not supported; use sqlite:///PATH or postgresql://…")
    return value


def _own_topic(value: str, info: ValidationInfo) -> str:
    """Reject the name of another topic. Kafka takes . and _ for the same, because its metrics do."""
    for name, other in info.data.items():
        if name.endswith("_topic") and other.replace(".", "_") == value.replace(".", "_"):
            raise ValueError(f"KAFKA_{name.upper()} is {other}; each topic needs a name of its own")
    return value


def _used(info: ValidationInfo) -> None:
    """Reject TLS files for a connection that would not use them."""
    given = info.data
    if "SSL" not in given.get("security_protocol", "SSL"):
        raise ValueError("used only with KAFKA_SECURITY_PROTOCOL=SSL or SASL_SSL")
    if any(given.get(name, "").startswith("http://") for name in ("url", "endpoint_url")):
        raise ValueError("used only with a URL that begins with https://")
    if any(given.get(name, "").startswith("sqlite:") for name in ("catalog_uri", "database_uri")):
        raise ValueError("used only with a postgresql:// address")


def _ca_file(value: str, info: ValidationInfo) -> str:
    if value:
        _used(info)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=value)
        except OSError as error:  # an SSLError is one
            raise ValueError(f"{value} is not a readable PEM file of certificates ({_reason(error)})") from None
    return value


def _key_file(value: str) -> str:
    if value and not Path(value).is_file():
        raise ValueError(f"{value} does not exist")
    return value


def _certificate_file(value: str, info: ValidationInfo) -> str:
    key = info.data.get((info.field_name or "").replace("certificate", "key"), "")
    if key and not value:
        raise ValueError("needed with the key file")
    if value:
        _used(info)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_cert_chain(value, key or value, password="")
        except (OSError, ValueError) as error:
            problem = f"{value} and {key or value} are not a PEM certificate and its unencrypted key"
            raise ValueError(f"{problem} ({_reason(error)})") from None
    return value


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/.*)?$"), AfterValidator(check_url)]
HostPorts = Annotated[str, StringConstraints(pattern=r"^[^\s,:@]+:\d+(,[^\s,:@]+:\d+)*$")]
TopicLanguages = Annotated[str, AfterValidator(topic_languages)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
TopicName = Annotated[Name, StringConstraints(max_length=249), AfterValidator(_own_topic)]
CatalogName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""A name that SQL needs no quotes for."""

IndexPrefix = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=200)]
PathOrUrl = Annotated[str, IsPath()]
DatabaseUri = Annotated[str, IsPath(), AfterValidator(_database)]
S3Endpoint = Annotated[str, AfterValidator(_endpoint)]

CaFile = Annotated[str, IsPath(), AfterValidator(_ca_file)]
"""PEM certificates. Must come after the address in its section."""

ClientKeyFile = Annotated[str, IsPath(), AfterValidator(_key_file)]
ClientCertificateFile = Annotated[str, IsPath(), AfterValidator(_certificate_file)]
"""A PEM certificate (chain), with its key unless there is a file for that. Must come after the key in its section."""
