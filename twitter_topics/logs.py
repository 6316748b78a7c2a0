"""Logging of the long-running processes: one form, to stderr, where the supervisor keeps it."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

_TALKATIVE = ("kafka", "elastic_transport", "elasticsearch", "botocore", "urllib3", "py4j", "websockets")
"""Clients that tell every request and connection at INFO."""


class _Stderr(logging.StreamHandler[TextIO]):
    """To what stderr is at that moment: a line that renews itself in a terminal puts itself in its place."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logging() -> None:
    """INFO of this project and warnings of its clients."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, handlers=[_Stderr()], format=form)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # warns of every tenth of a second that another process took the processor away
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
