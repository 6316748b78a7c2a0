"""Logging of the long-running processes: one format, to stderr, which the supervisor collects."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

_TALKATIVE = ("kafka", "elastic_transport", "elasticsearch", "botocore", "urllib3", "py4j", "websockets")
"""Clients that log every request and connection at INFO."""


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`, which a progress line in a terminal replaces while it is shown."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logging() -> None:
    """Log INFO of this project and warnings of its clients."""
    line_format = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, handlers=[_Stderr()], format=line_format)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # warns whenever another process held the processor for a tenth of a second
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
