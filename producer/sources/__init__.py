"""The sources, one module each, and the choice between them."""

from __future__ import annotations

import time
from threading import Event

from producer.position import Position
from producer.source import Source
from producer.sources.replay import ReplaySource
from producer.sources.synthetic import SyntheticSource
from producer.sources.twitter_v1 import TwitterSource
from twitter_topics.settings import Settings


def open_source(settings: Settings, saved: Position | None, stop: Event) -> Source:
    """The source that PRODUCER_SOURCE names, at its saved position.

    Raises:
        ConfigurationError: what the source needs is missing or wrong.
        IntegrityError: the saved position lies beyond what the source has.
    """
    match settings.producer.source:
        case "synthetic":
            return SyntheticSource.open(settings.producer, saved, now_ms(), stop)
        case "replay":
            return ReplaySource.open(settings.producer, saved, now_ms(), stop)
        case "twitter_v1":
            return TwitterSource.open(settings.twitter, saved, stop)


def now_ms() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000
