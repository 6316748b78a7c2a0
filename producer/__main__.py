"""`python -m producer [NAME]`: follows the source in PRODUCER_SOURCE; NAME picks one when several are set."""

from __future__ import annotations

import logging
import signal
import sys
from collections import Counter
from contextlib import closing

from producer.feed import Feed
from producer.position import PositionFile
from producer.reporting.gap_ledger import GapLedger
from producer.reporting.progress import Progress
from producer.sending.kafka_client import connect
from producer.sending.publisher import KafkaPublisher
from producer.service import ProducerService
from producer.source import Context
from twitter_topics.backends.garbage import collect_seldom
from twitter_topics.errors import EXIT_CONFIGURATION, EXIT_FAILED, ConfigurationError, TwitterTopicsError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import ProducerSettings, Settings

_log = logging.getLogger("producer")


def main(arguments: list[str]) -> int:
    """Run until the source ends or SIGTERM arrives; return the exit code."""
    configure_logging()
    context = prepared()
    try:
        settings = Settings()
        run(settings, chosen(settings.producer, arguments), context)
    except ConfigurationError as error:
        _log.error("%s", error)
        return EXIT_CONFIGURATION
    except TwitterTopicsError as error:
        _log.error("%s", error)
        return EXIT_FAILED
    return 0


def prepared() -> Context:
    """Prepare this process for a producer; return a context that SIGTERM and SIGINT stop."""
    # the sender logs one sentence where the client logs twenty lines for each broker it cannot reach
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    context = Context()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: context.stop.set())
    collect_seldom()
    return context


def chosen(settings: ProducerSettings, arguments: list[str]) -> str:
    """Return the source to follow.

    Raises:
        ConfigurationError: several are set and none is named, or the name is not one of them.
    """
    names = arguments or list(settings.sources)
    if len(names) != 1 or names[0] not in settings.sources:
        known = ", ".join(settings.sources)
        raise ConfigurationError(f"name the source to follow, one of those in PRODUCER_SOURCE: {known}")
    return names[0]


def run(settings: Settings, name: str, context: Context, part: str = "") -> Counter[str]:
    """Follow the source `name` to its end, or until `context.stop` is set; return the records sent by kind.

    Args:
        part: name in health and InfluxDB; by default the one in the settings.

    Raises:
        TwitterTopicsError: see `ProducerService.run`; also whatever opening the source, the spool and the ports raises.
    """
    position_file = PositionFile(settings.producer.state_dir, name)
    with (
        Feed.open(settings, name, position_file.load(), context) as feed,
        closing(GapLedger.open(settings, name)) as ledger,
        closing(
            Progress.open(settings, name, feed.source.start, context.status, feed.buffer.backlog, part)
        ) as progress,
    ):
        ProducerService(
            feed,
            lambda: KafkaPublisher(connect(settings.kafka), settings.kafka, feed.source.name),
            position_file,
            progress,
            context,
            on_gap=ledger.add,
            limit=settings.producer.limit,
        ).run()
        return progress.kinds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
