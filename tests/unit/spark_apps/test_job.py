"""How the outcome of a job becomes an exit code."""

from __future__ import annotations

from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException, PythonException

from spark_apps import job
from twitter_topics.errors import (
    EXIT_CONFIGURATION,
    EXIT_CONFLICT,
    EXIT_PROOF,
    EXIT_TOO_FEW_TWEETS,
    ConfigurationError,
    ConflictError,
    IntegrityError,
    ProofError,
    RetryableError,
    TooFewTweetsError,
)


class Session:
    """Stands for a Spark session."""

    stopped = False

    def stop(self) -> None:
        self.stopped = True


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (ConflictError("another champion serves"), EXIT_CONFLICT),
        (ConfigurationError("X_Y: no"), EXIT_CONFIGURATION),
        (TooFewTweetsError("3"), EXIT_TOO_FEW_TWEETS),
        (IntegrityError("a hash differs"), 1),
        (ProofError("rows were lost"), EXIT_PROOF),
        (RetryableError("S3 does not answer"), 1),
    ],
)
def test_exit_codes(
    error: Exception | None, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session()
    monkeypatch.setattr(job, "build_session", lambda *_: session)

    def work(spark: Any) -> None:
        assert spark is session
        if error:
            raise error

    assert job.run_job("a_job", lambda *_: work, []) == code
    assert session.stopped
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == (
        [str(error)] if error else []
    )
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("error", [KeyError("a bug"), ValueError("a bug"), OSError("down")])
def test_any_other_error_of_the_work_is_raised(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python then ends with 1 and a traceback, and Airflow tries again."""
    session = Session()
    monkeypatch.setattr(job, "build_session", lambda *_: session)

    def work(_spark: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        job.run_job("a_job", lambda *_: work, [])
    assert session.stopped


IN_A_WORKER = """
An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "worker.py", line 1, in main
twitter_topics.errors.{}
"""


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (PySparkException("[PATH_NOT_FOUND] Path does not exist: file:/none"), 1, "[PATH_NOT_FOUND] Path does not"),
        (PythonException(IN_A_WORKER.format("RetryableError: S3 is unreachable")), 1, "S3 is unreachable"),
        (PythonException(IN_A_WORKER.format("DeniedError: S3: AccessDenied")), EXIT_CONFIGURATION, "S3: AccessDenied"),
        (
            Py4JError(
                "An error occurred while calling o1.collectToPython.\n"
                ": java.nio.file.AccessDeniedException: s3a://tweets/a: InvalidAccessKeyId\n\tat org.apache.Reader"
            ),
            EXIT_CONFIGURATION,
            "Check S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY",
        ),
    ],
)
def test_an_error_of_spark_ends_with_a_sentence_after_its_stack(
    error: Exception, code: int, sentence: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = Session()
    monkeypatch.setattr(job, "build_session", lambda *_: session)

    def work(_spark: Any) -> None:
        raise error

    assert job.run_job("a_job", lambda *_: work, []) == code
    assert session.stopped
    last = caplog.records[-1]
    assert sentence in last.message
    assert "\n" not in last.message
    assert [record.levelname for record in caplog.records if record.exc_info] == ["WARNING"]
