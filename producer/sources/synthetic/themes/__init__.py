"""What the made-up people talk about: one JSON file per theme. To add a theme, add a file.

Texts are templates, per language and (in English) per phase of an event. The first character is the mood: `+`, `=` or
`-`. `[a|b]` picks one, `{pool}` a word of a pool (never the same word twice in one tweet), `{3..9}` a number. A pool
named in `daily` is narrowed to that many words each day, so that a day has its own teams, storm or show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Literal

Phase = Literal["before", "during", "after"]
PHASES: tuple[Phase, ...] = ("before", "during", "after")

Pools = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ThemeEvent:
    """How a theme bursts: on a share of the days, at one of several UTC hours, with a build-up and a fade-out."""

    probability: float
    start_hours: Sequence[int]
    build_up_minutes: int
    minutes: int
    fade_minutes: int
    strength: float


@dataclass(frozen=True, slots=True, eq=False)
class Theme:
    """A theme, equal only to itself. `weight` is its share of background talk; `templates` is by language and phase."""

    name: str
    weight: float
    event: ThemeEvent | None
    path: str
    daily: Mapping[str, int]
    hashtags: Sequence[str]
    mentions: Sequence[str]
    emoji: Mapping[str, Sequence[str]]
    pools: Pools
    templates: Mapping[str, Mapping[Phase, Sequence[str]]]

    def translated(
        self,
        language: str,
        *,
        hashtags: Sequence[str],
        pools: Pools,
        templates: dict[Phase, list[str]] | list[str],
        daily: Mapping[str, int] | None = None,
    ) -> Theme:
        """Return the theme with the texts of one language alone."""
        return replace(
            self, hashtags=hashtags, pools=pools, daily=daily or {}, templates={language: _by_phase(templates)}
        )


def load_themes() -> tuple[Theme, ...]:
    """Return all themes of this folder, ordered by file name so that a seed gives the same story everywhere."""
    names = sorted(entry.name for entry in files(__package__).iterdir() if entry.name.endswith(".json"))
    return tuple(_theme(json.loads((files(__package__) / name).read_text(encoding="utf-8"))) for name in names)


def _theme(fields: dict[str, Any]) -> Theme:
    event = ThemeEvent(**fields.pop("event")) if fields["event"] else fields.pop("event")
    templates = {language: _by_phase(texts) for language, texts in fields.pop("templates").items()}
    return Theme(event=event, templates=templates, **fields)


def _by_phase(texts: dict[Phase, list[str]] | list[str]) -> dict[Phase, list[str]]:
    """Return texts by phase; a plain list applies to every phase."""
    return texts if isinstance(texts, dict) else dict.fromkeys(PHASES, texts)
