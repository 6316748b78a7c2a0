"""Who speaks what in a made-up stream, and what people of each language are called and write.

Without a choice it is the mix of the theme files: mostly English, and some texts in three other languages. With a
choice, each person writes only one language, about every theme. English is that of the theme files; every other
language is a JSON file in this folder. To add a language, add its file and its code to the setting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from producer.sources.synthetic.themes import Theme, load_themes

Phrases = Mapping[str, Sequence[str]]
"""Phrases by mood: `+`, `=` or `-`."""

ENGLISH: Final = "en"
_MIX: Final = {"en": 0.78, "es": 0.10, "pt": 0.07, "fr": 0.05}

_COUNTRIES = {"en": ("GB", "United Kingdom"), "es": ("ES", "España"), "pt": ("BR", "Brasil"), "fr": ("FR", "France")}
_OPENERS: Mapping[str, Phrases] = {
    "en": {
        "+": ("omg", "yes!", "wow,", "ok wow,", "honestly", "love this:", "best news:", "happy to say:"),
        "=": ("so", "ok", "fyi:", "btw", "reminder:", "just in:", "hmm,", "update:"),
        "-": ("ugh", "smh,", "seriously?", "sigh.", "not again.", "I can't.", "wtf,", "honestly"),
    },
    "es": {"+": ("¡por fin!", "madre mía,", "jajaja"), "-": ("uf,", "en serio,", "otra vez:")},
    "pt": {"+": ("nossa,", "gente,", "kkkk"), "-": ("aff,", "sério,", "de novo:")},
    "fr": {"+": ("oh là là,", "enfin !", "mdr"), "-": ("pff,", "sérieux,", "encore :")},
}
_AN = {r"\b([Aa])(?= [aeiou])": r"\1n"}
_CLOSERS: Phrases = {
    "+": ("!!", "so happy right now", "love it", "what a day", "made my day", "can't stop smiling"),
    "=": ("any thoughts?", "what do you think?", "thread below", "more soon", ""),
    "-": ("so annoying", "not ok", "this is awful", "hate this", "just sad", "worst day"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """Names of people and cities. `latin` spells those that a screen name cannot contain."""

    first: Sequence[str]
    last: Sequence[str]
    cities: Sequence[str]
    interests: Sequence[str]
    latin: Mapping[str, str]
    full: str = "{first} {last}"
    description: str = "{} & {}"


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """How people of a language write. Without closers they write one sentence and add nothing.

    `country` is code and name; `period` and `space` are between sentences; `themes` replaces themes, by name;
    `contractions` are patterns of what the gaps of a template can put side by side, and what is written instead.
    """

    code: str
    country: tuple[str, str]
    names: Names
    openers: Phrases
    closers: Phrases
    themes: Mapping[str, Theme]
    period: str = "."
    space: str = " "
    contractions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Languages:
    """The languages of a stream, and the share of people who speak each. `key` is empty for the mix."""

    key: str
    spoken: Sequence[Language]
    shares: Sequence[float]


@cache
def load_languages(codes: str = "") -> Languages:
    """Return the chosen languages (comma-separated codes) in equal shares; the mix, when none is chosen."""
    if not codes:
        return Languages("", tuple(map(_of_theme_files, _MIX)), tuple(_MIX.values()))
    spoken = tuple(_of_theme_files(code) if code == ENGLISH else _of_file(code) for code in codes.split(","))
    return Languages(codes, spoken, (1.0,) * len(spoken))


def _of_theme_files(code: str) -> Language:
    closers = _CLOSERS if code == ENGLISH else {}
    return Language(code, _COUNTRIES[code], Names(**_names(code)), _OPENERS[code], closers, {}, contractions=_AN)


def _of_file(code: str) -> Language:
    fields: dict[str, Any] = json.loads((files(__package__) / f"{code}.json").read_text(encoding="utf-8"))
    texts, names = fields.pop("themes"), _names(code) | fields.pop("names")
    themes = {theme.name: theme.translated(code, **texts[theme.name]) for theme in load_themes()}
    return Language(code, tuple(fields.pop("country")), Names(**names), themes=themes, **fields)


def _names(code: str) -> dict[str, Any]:
    """Return what names.json has of a language."""
    words = json.loads((files("producer.sources.synthetic") / "names.json").read_text(encoding="utf-8"))
    by_kind = {kind: words[kind].get(code, ()) for kind in ("first", "last", "cities")}
    return {**by_kind, "interests": words["interests"], "latin": {}}
