"""What a failed query reports, and whether a setting is the cause."""

from __future__ import annotations

import pytest

from twitter_topics.backends.query_errors import ErrorText
from twitter_topics.errors import ConfigurationError, DeniedError, RetryableError

_STREAM = "[STREAM_FAILED] Query [id = 1, runId = 2] terminated with exception: "


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        (f"{_STREAM}raw: getFileStatus on s3a://b/x: java.nio.file.AccessDeniedException: 403", "S3_ACCESS_KEY_ID"),
        (
            "An error occurred while calling o1.sql\n: org.apache.hadoop.fs.s3a.UnknownStoreException: s3a://b",
            "S3_BUCKET",
        ),
        (
            'An error\n: org.postgresql.util.PSQLException: FATAL: password authentication failed for user "x"',
            "ARCHIVE_CATALOG_PASSWORD",
        ),
        (
            'An error occurred while calling o1.sql.\n: org.postgresql.PSQLException: FATAL: database "x" does not',
            "ARCHIVE_CATALOG_URI",
        ),
        ("org.sqlite.SQLiteException: [SQLITE_CANTOPEN] Unable to open the database file", "ARCHIVE_CATALOG_URI"),
        (f"{_STREAM}org.apache.kafka.common.errors.SaslAuthenticationException: failed", "KAFKA_SASL_PASSWORD"),
        (
            "An error\ntwitter_topics.classification.quarantine.HandedBackError: HTTP 403: security_exception: no. "
            "Check ELASTICSEARCH_API_KEY\n\tat java",
            "ELASTICSEARCH_API_KEY",
        ),
        (f"{_STREAM}\ntwitter_topics.errors.ConfigurationError: X_Y is wrong", "X_Y"),
        (f"{_STREAM}\ntwitter_topics.errors.DeniedError: Check S3_BUCKET", "S3_BUCKET"),
    ],
)
def test_the_setting_is_named(text: str, setting: str) -> None:
    found = ErrorText.of(RuntimeError(text))
    assert found.is_configuration
    assert setting in found.line
    assert len(found.line) <= 500


def test_of_javas_errors_the_innermost_is_named() -> None:
    text = f"""{_STREAM}
    Traceback (most recent call last):
      File "rows.py", line 70, in append_batch
    py4j.protocol.Py4JJavaError: An error occurred while calling o479.saveAsTable.
    : org.apache.iceberg.jdbc.UncheckedSQLException: Unknown failure
    \tat org.apache.iceberg.jdbc.JdbcTableOperations.doCommit(JdbcTableOperations.java:162)
    Caused by: org.sqlite.SQLiteException: [SQLITE_BUSY] The database file is locked (database is locked)
    \tat org.sqlite.core.DB.newSQLException(DB.java:1179)
    Caused by: py4j.Py4JException: An exception was raised by the Python Proxy. Return Message: Traceback
    """
    locked = "org.sqlite.SQLiteException: [SQLITE_BUSY] The database file is locked (database is locked)"
    assert ErrorText.of(RuntimeError(text)) == (locked, False)
    assert ErrorText.of(RuntimeError("An error occurred while calling o1.sql.")).line.endswith("o1.sql.")


@pytest.mark.parametrize("error", [ConfigurationError("X is wrong"), DeniedError("X is wrong")])
def test_our_own_error_is_its_sentence(error: Exception) -> None:
    assert ErrorText.of(error) == ("X is wrong", True)


@pytest.mark.parametrize(
    "text",
    [
        "S3 is down",
        f"{_STREAM}java.net.ConnectException: Connection refused",
        f"{_STREAM}org.apache.hadoop.fs.s3a.AWSServiceIOException: 503 Slow Down",
        "",
    ],
)
def test_what_time_mends_is_not_a_setting(text: str) -> None:
    assert not ErrorText.of(RetryableError(text)).is_configuration
