"""The sources: one module each, which exports its class as `SOURCE`. A module is imported only when it is chosen.

They are registered in `twitter_topics.sources`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from producer.position import SourcePosition
from producer.source import Context, Source
from twitter_topics.settings import Settings


class SourceClass(Protocol):
    """The interface of a module's `SOURCE`."""

    live: bool

    def open(self, settings: Settings, saved: SourcePosition | None, context: Context) -> Source: ...


def source_class(name: str) -> SourceClass:
    """Return the class of the source that PRODUCER_SOURCE calls `name`."""
    return cast(SourceClass, import_module(f"{__name__}.{name}").SOURCE)


def open_source(settings: Settings, name: str, saved: SourcePosition | None, context: Context) -> Source:
    """Open the source `name` at its saved position.

    Raises:
        ConfigurationError: a setting of the source is missing or wrong.
        IntegrityError: the saved position is beyond what the source has.
    """
    return source_class(name).open(settings, saved, context)
