"""What a failed query reports: the line of its error that names the cause, and the setting that may be wrong.

Spark carries a Python error to the driver as text only, and Java's errors name no setting.
"""

from __future__ import annotations

from typing import NamedTuple

from twitter_topics.errors import ConfigurationError, DeniedError

_LONGEST = 500
_OURS = tuple(f"{one.__module__}.{one.__name__}" for one in (ConfigurationError, DeniedError))
_PY4J = "An error occurred while calling"
_CAUSED = "Caused by: "
_S3 = "S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"
_CATALOG = "ARCHIVE_CATALOG_URI, ARCHIVE_CATALOG_USERNAME and ARCHIVE_CATALOG_PASSWORD"
_KAFKA = "KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
_SETTINGS = {
    # Hadoop's S3A, org.apache.hadoop.fs.s3a.S3AUtils.translateException
    "java.nio.file.AccessDeniedException": _S3,
    "s3a.auth.NoAuthWithAWSException": _S3,
    "s3a.UnknownStoreException": _S3,
    "InvalidAccessKeyId": _S3,
    "SignatureDoesNotMatch": _S3,
    # the catalog's database: PostgreSQL 28P01, 28000, 3D000; SQLite
    "password authentication failed": _CATALOG,
    "no password was provided": _CATALOG,
    'FATAL: database "': _CATALOG,
    "SQLException: path to": _CATALOG,
    "SQLITE_CANTOPEN": _CATALOG,
    "SQLITE_READONLY": _CATALOG,
    "SQLITE_NOTADB": _CATALOG,
    "SaslAuthenticationException": _KAFKA,
    "SslAuthenticationException": _KAFKA,
    "TopicAuthorizationException": _KAFKA,
    # its advice names Elasticsearch's settings, see search.faults
    "security_exception": "",
}
"""Texts of errors for which a setting is the likely cause, and the settings to check."""


class ErrorText(NamedTuple):
    """`line` names the cause; `is_configuration`: a setting is wrong, which `line` names too."""

    line: str
    is_configuration: bool

    @classmethod
    def of(cls, error: BaseException) -> ErrorText:
        """Return what is to be reported of an error."""
        text, line = str(error), _cause(error)
        if isinstance(error, ConfigurationError) or any(f"{name}: " in text for name in _OURS):
            return cls(line, True)
        found = next((name for name in _SETTINGS if name in text), None)
        if found is None:
            return cls(line, False)
        named = f"{found}: {line}" if found not in line else line
        advice = f"{named[: _LONGEST - 100]}. Check {_SETTINGS[found]}" if _SETTINGS[found] else line
        return cls(advice, True)


def _cause(error: BaseException) -> str:
    """Return the line of an error that names the cause. Spark wraps a Python error in two long stack traces, and each
    wrapper in a line of its own that names only a class; py4j names only the call, and Java's causes follow."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith("twitter_topics.") and not line.endswith(":"):
            return (line.partition(": ")[2] or line)[:_LONGEST]
        if _PY4J in line and line.startswith((_PY4J, "py4j.protocol.")):
            return _java_cause(lines[number + 1 :], line)[:_LONGEST]
    found = [line for line in lines if line.startswith(("py4j.protocol.", "pyspark.errors.")) and line[-1] != ":"]
    return ([*found, *lines][0] if lines else type(error).__name__)[:_LONGEST]


def _java_cause(lines: list[str], otherwise: str) -> str:
    causes = [line.removeprefix(": ") for line in lines[:1]]
    for line in lines:
        if line.startswith(f"{_CAUSED}py4j."):
            break  # the same once more, as Java sees it
        if line.startswith(_CAUSED):
            causes.append(line.removeprefix(_CAUSED))
    return causes[-1] if causes else otherwise
