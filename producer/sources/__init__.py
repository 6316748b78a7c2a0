"""The sources, and the choice between them. A source's dependencies are imported only when it is chosen."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from producer.position import SourcePosition
from producer.source import Context, Source
from twitter_topics.settings import Settings

_CLASSES = {
    "synthetic": "producer.sources.synthetic:SyntheticSource",
    "replay": "producer.sources.replay:ReplaySource",
    "twitter_v1": "producer.sources.twitter_v1:TwitterSource",
    "x_v2": "producer.sources.x_v2:XSource",
    "bluesky": "producer.sources.bluesky:BlueskySource",
    "mastodon": "producer.sources.mastodon:MastodonSource",
}


class SourceClass(Protocol):
    """The interface of a source's class."""

    live: bool

    def open(self, settings: Settings, saved: SourcePosition | None, context: Context) -> Source: ...


def source_class(name: str) -> SourceClass:
    """Return the class of the source that PRODUCER_SOURCE calls `name`."""
    module, _, found = _CLASSES[name].partition(":")
    return cast(SourceClass, getattr(import_module(module), found))


def open_source(settings: Settings, name: str, saved: SourcePosition | None, context: Context) -> Source:
    """Open the source `name` at its saved position.

    Raises:
        ConfigurationError: a setting of the source is missing or wrong.
        IntegrityError: the saved position is beyond what the source has.
    """
    return source_class(name).open(settings, saved, context)
