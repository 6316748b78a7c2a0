"""How the outcome of a job becomes an exit code."""

from __future__ import annotations

from typing import Any

import pytest

from spark_apps import job
from twitter_topics.errors import (
    EXIT_CONFIGURATION,
    EXIT_CONFLICT,
    EXIT_TOO_FEW_TWEETS,
    ConfigurationError,
    ConflictError,
    IntegrityError,
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
