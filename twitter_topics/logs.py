"""Logging of the long-running processes: one form, to stderr, where the supervisor keeps it."""

from __future__ import annotations

import logging
import sys

_TALKATIVE = ("kafka", "elastic_transport", "elasticsearch", "botocore", "urllib3", "py4j")
"""Clients that tell every request and connection at INFO."""


def configure_logging() -> None:
    """INFO of this project and warnings of its clients."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # warns of every tenth of a second that another process took the processor away
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)
