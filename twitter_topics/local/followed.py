"""The source that a stack follows: the one that the settings name, else the one that it was last started with.

Without this, a start that names no source would mix made-up tweets into an archive of real ones, and one that names no
limit would read on where a limited run has ended, which on X costs money.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from twitter_topics.local.layout import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twitter_topics.local.layout import Layout
    from twitter_topics.settings import Settings

SOURCE = "PRODUCER_SOURCE"
LIMIT = "PRODUCER_LIMIT"
_PRODUCER = "PRODUCER_"
_OPTIONS = {"replay": "PRODUCER_REPLAY_", "synthetic": "PRODUCER_SYNTHETIC_"}
"""Prefixes of what belongs to a source: replay is none without its files."""


def remember(layout: Layout, settings: Settings, variables: Mapping[str, str]) -> None:
    """Note what a stack is started with.

    Args:
        variables: all that the settings name, with absolute paths.
    """
    prefixes = tuple(prefix for source, prefix in _OPTIONS.items() if source in settings.producer.sources)
    noted = {name: value for name, value in variables.items() if name == LIMIT or name.startswith(prefixes)}
    write_private(layout.followed, json.dumps({SOURCE: settings.producer.source, **noted}))


def kept(layout: Layout, settings: Settings) -> dict[str, str]:
    """Return the settings of the last start that still hold: none if the settings name a source."""
    producer = settings.producer
    if "source" in producer.model_fields_set:
        return {}
    named = {f"{_PRODUCER}{field}".upper() for field in producer.model_fields_set}
    return {name: value for name, value in _noted(layout).items() if name not in named}


def sentence(settings: Settings, kept: Mapping[str, str]) -> str:
    """Return which settings are kept, and how to get rid of them; empty if they change nothing."""
    before, after = settings.producer, settings.overridden(kept).producer
    fields = {name: name.removeprefix(_PRODUCER).lower() for name in kept}
    changed = [name for name, field in fields.items() if getattr(before, field) != getattr(after, field)]
    if not changed:
        return ""
    shown = " ".join(f"{name}={kept[name]}" for name in changed)
    no_limit = f", or {LIMIT}=0 for no limit" if LIMIT in changed else ""
    return f"{shown} as at the last start; set {SOURCE} to choose anew{no_limit}"


def as_started(layout: Layout, settings: Settings) -> Settings:
    """Return the settings with the source of the last start, whatever they name now."""
    return settings.overridden(_noted(layout))


def _noted(layout: Layout) -> dict[str, str]:
    try:
        noted: dict[str, str] = json.loads(layout.followed.read_text())
    except FileNotFoundError:
        return {}
    return noted
