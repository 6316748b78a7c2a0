"""How each streaming app runs and ends."""

from __future__ import annotations

import faulthandler
import logging
from collections.abc import Callable

from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError, SupersededError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

END_SECONDS = 28
"""How long a streaming app may take to end after SIGTERM."""


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
