"""The source that a stack follows: the one that the settings name, else the one that it was last started with.

Without this, a start that names no source would mix made-up tweets into an archive of real ones.
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
_FILES = "PRODUCER_REPLAY_"  # replay is no source without its files


def remember(layout: Layout, settings: Settings, variables: Mapping[str, str]) -> None:
    """Note what a stack is started with.

    Args:
        variables: all that the settings name, with absolute paths.
    """
    files = {name: value for name, value in variables.items() if name.startswith(_FILES)}
    noted = files if "replay" in settings.producer.sources else {}
    write_private(layout.followed, json.dumps({SOURCE: settings.producer.source, **noted}))


def kept(layout: Layout, settings: Settings) -> dict[str, str]:
    """Return the settings of the last start that still hold: none if the settings name a source."""
    producer = settings.producer
    if "source" in producer.model_fields_set:
        return {}
    named = {f"PRODUCER_{field}".upper() for field in producer.model_fields_set}
    return {name: value for name, value in _noted(layout).items() if name not in named}


def as_started(layout: Layout, settings: Settings) -> Settings:
    """Return the settings with the source of the last start, whatever they name now."""
    return settings.overridden(_noted(layout))


def _noted(layout: Layout) -> dict[str, str]:
    try:
        noted: dict[str, str] = json.loads(layout.followed.read_text())
    except FileNotFoundError:
        return {}
    return noted
