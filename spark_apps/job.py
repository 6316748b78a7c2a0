"""How every job and streaming app runs: a wrong argument or setting ends it with one logged sentence, before Spark
starts, and its exit code is advice to the caller."""

from __future__ import annotations

import faulthandler
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twitter_topics.backends.spark_session import build_session
from twitter_topics.errors import (
    EXIT_CONFIGURATION,
    EXIT_CONFLICT,
    EXIT_TOO_FEW_TWEETS,
    ConfigurationError,
    ConflictError,
    SupersededError,
    TooFewTweetsError,
    TwitterTopicsError,
)
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

END_SECONDS = 28
"""How long a streaming app may take to end after SIGTERM."""

Work = Callable[["SparkSession"], None]
"""What a job does in its session."""

Prepare = Callable[[Settings, Sequence[str] | None], Work]
"""Reads the arguments (None: of the command line). Raises ConfigurationError or ValueError for what is wrong with them
or with a setting."""


_EXIT_CODES: dict[type[Exception], int] = {
    ConfigurationError: EXIT_CONFIGURATION,
    ConflictError: EXIT_CONFLICT,
    TooFewTweetsError: EXIT_TOO_FEW_TWEETS,
}


def run_job(name: str, prepare: Prepare, arguments: Sequence[str] | None = None) -> int:
    """Run a job in a session of its own. Returns the exit code:

    0 done; 73 another run was faster; 75 too few tweets; 78 a wrong argument or setting; 1 a store is unavailable or
    data are damaged, and the job may be tried again; each with one logged sentence. Any other error is a bug: it is
    raised, so that Python ends with a traceback and 1.
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
        return exit_code(error)
    return 0


def exit_code(error: TwitterTopicsError) -> int:
    """Return the exit code of a job that ends with this error."""
    return next((code for kind, code in _EXIT_CODES.items() if isinstance(error, kind)), 1)


def run_app(name: str, app: Callable[[Settings], None]) -> int:
    """Run a streaming app until it is asked to stop. Returns the exit code: 0, or 78 for a wrong setting and when
    another process has taken over, because a restart would take it back."""
    configure_logging()
    try:
        app(Settings())
    except (ConfigurationError, SupersededError) as error:
        logging.getLogger(name).error("%s", error)
        return EXIT_CONFIGURATION
    return 0


def end_soon() -> None:
    """End this process in END_SECONDS, with the stacks of its threads in the log, if it has not ended by itself: a
    store or a JVM that hangs holds up no shutdown."""
    faulthandler.dump_traceback_later(END_SECONDS, exit=True)


def _checked(prepare: Prepare, settings: Settings, arguments: Sequence[str] | None) -> Work:
    try:
        return prepare(settings, arguments)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
