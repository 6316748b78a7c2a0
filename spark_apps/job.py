"""How every job runs: a wrong argument or setting ends it with one logged sentence, before Spark starts, and its exit
code is advice to the caller."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from twitter_topics.backends.query_errors import ErrorText
from twitter_topics.backends.spark_session import build_session
from twitter_topics.errors import (
    EXIT_CONFIGURATION,
    EXIT_FAILED,
    ConfigurationError,
    TwitterTopicsError,
)
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Work = Callable[["SparkSession"], None]
"""What a job does in its session."""

Prepare = Callable[[Settings, Sequence[str] | None], Work]
"""Reads the arguments (None: of the command line). Raises ConfigurationError or ValueError for what is wrong with them
or with a setting."""


def run_job(name: str, prepare: Prepare, arguments: Sequence[str] | None = None) -> int:
    """Run a job in a session of its own. Returns the exit code:

    0 done; 70 what the job has written is wrong; 73 only a new run can succeed; 75 too few tweets; 78 a wrong argument
    or setting; 1 a store is unavailable or data are damaged, and the job may be tried again; each with one logged
    sentence, an error of Spark's with its stack before it. Any other error is a bug: it is raised, so that Python ends
    with a traceback and 1.
    """
    configure_logging()
    log = logging.getLogger(name)
    try:
        settings = Settings()
        work = _checked(prepare, settings, arguments)
        spark = build_session(settings, name)
        try:
            work(spark)
        finally:
            spark.stop()
    except TwitterTopicsError as error:
        log.error("%s", error)
        return error.job_exit_code
    except (PySparkException, Py4JError) as error:
        log.warning("the stack of Spark's error", exc_info=error)
        cause = ErrorText.of(error)
        log.error("Spark: %s", cause.line)
        return EXIT_CONFIGURATION if cause.is_configuration else EXIT_FAILED
    return 0


def _checked(prepare: Prepare, settings: Settings, arguments: Sequence[str] | None) -> Work:
    try:
        return prepare(settings, arguments)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
