"""Logging of the long-running processes: one line per record, in UTC, to stderr, which the supervisor collects.

As text, `2026-11-25T21:08:21.123Z INFO producer: message`, or as JSON with the same fields. Only the standard library
is imported at the top: the runner of each service has nothing else.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError

FORMAT_VARIABLE = "TWITTER_TOPICS_LOG_FORMAT"
TEXT, JSON = "text", "json"
SPARK_LOGGING = Path(__file__).resolve().parents[1] / "spark_apps" / "log4j2.properties"
"""The same two formats for the JVM; it reads FORMAT_VARIABLE itself."""

_TALKATIVE = ("kafka", "elastic_transport", "elasticsearch", "botocore", "urllib3", "py4j", "websockets")
"""Clients that log every request and connection at INFO."""
_TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\S+Z [A-Z]+ (\S+): (.*)")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to the current `sys.stderr`, which a progress line in a terminal replaces while it is shown."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the base's name
        del datefmt
        return _utc(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _utc(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _utc(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def configure_logging() -> None:
    """Log INFO of this project and warnings of its clients, in the format of TWITTER_TOPICS_LOG_FORMAT.

    Raises:
        SystemExit: that setting is wrong; exit code 78, with the reason in the log.
    """
    from twitter_topics.settings import Settings

    try:
        start_logging(Settings().log.format)
    except ConfigurationError as error:
        start_logging(TEXT)
        logging.getLogger(__name__).error("%s", error)
        sys.exit(EXIT_CONFIGURATION)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # warns whenever another process held the processor for a tenth of a second
    logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)


def start_logging(line_format: str) -> None:
    """Log INFO and above as TEXT or JSON; as JSON, an exception that ends the process is a line too."""
    handler = _Stderr()
    handler.setFormatter(_Json() if line_format == JSON else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if line_format == JSON:
        sys.excepthook = _log_exception


def _log_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("twitter_topics").critical("unhandled exception", exc_info=(kind, error, trace))


def read_line(line: str) -> tuple[str, str]:
    """Return logger and message of a line in either format, with the last line of its exception; for any other line no
    logger and the line itself."""
    if match := _TEXT_LINE.fullmatch(line):
        return match[1], match[2]
    try:
        read = json.loads(line)
        exception = str(read.get("exception", "")).splitlines()[-1:]
        return read["logger"], ": ".join([read["message"], *exception])
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", line
