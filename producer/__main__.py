"""`python -m producer`: wiring of the source that PRODUCER_SOURCE names with Kafka."""

from __future__ import annotations

import logging
import signal
import sys
from threading import Event

from producer.position import PositionFile
from producer.progress import Progress
from producer.publisher import Publisher, connect
from producer.service import Service
from producer.sources import now_ms, open_source
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError, TwitterTopicsError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

EXIT_FAILED = 1

_log = logging.getLogger("producer")


def main() -> int:
    """Run until the source ends or SIGTERM; returns the exit code."""
    configure_logging()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return _run(Settings(), stop)
    except ConfigurationError as error:
        _log.error("%s", error)
        return EXIT_CONFIGURATION
    except TwitterTopicsError as error:
        _log.error("%s", error)
        return EXIT_FAILED


def _run(settings: Settings, stop: Event) -> int:
    position_file = PositionFile(settings.producer.state_dir, settings.producer.source)
    source = open_source(settings, position_file.load(), stop)
    progress = Progress(settings.speed.health_dir, source.start)
    if settings.producer.metrics_port:
        progress.metrics.serve(settings.producer.metrics_port)
    publisher = Publisher(connect(settings.kafka), settings.kafka, source.name, now_ms)
    try:
        Service(source, publisher, position_file, progress, stop, settings.producer.limit).run()
    finally:
        publisher.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
