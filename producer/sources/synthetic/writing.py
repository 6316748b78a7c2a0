"""Turns a theme into text that a person might have written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from producer.sources.synthetic.chance import dice
from producer.sources.synthetic.people import Person
from producer.sources.synthetic.schedule import Talk
from producer.sources.synthetic.themes import Phase, Pools, Theme

MAX_CHARACTERS = 280
QUIET_PHASES: tuple[Phase, ...] = ("before", "after")

_GAP = re.compile(r"\[(?P<choice>[^\]]+)\]|\{(?P<low>\d+)\.\.(?P<high>\d+)\}|\{(?P<pool>\w+)\}")
_ARTICLE = re.compile(r"\b([Aa])(?= [aeiou])")

_OPENERS = {
    ("en", "+"): ("omg", "yes!", "wow,", "ok wow,", "honestly", "love this:", "best news:", "happy to say:"),
    ("en", "="): ("so", "ok", "fyi:", "btw", "reminder:", "just in:", "hmm,", "update:"),
    ("en", "-"): ("ugh", "smh,", "seriously?", "sigh.", "not again.", "I can't.", "wtf,", "honestly"),
    ("es", "+"): ("¡por fin!", "madre mía,", "jajaja"),
    ("es", "-"): ("uf,", "en serio,", "otra vez:"),
    ("pt", "+"): ("nossa,", "gente,", "kkkk"),
    ("pt", "-"): ("aff,", "sério,", "de novo:"),
    ("fr", "+"): ("oh là là,", "enfin !", "mdr"),
    ("fr", "-"): ("pff,", "sérieux,", "encore :"),
}
_CLOSERS = {
    "+": ("!!", "so happy right now", "love it", "what a day", "made my day", "can't stop smiling"),
    "=": ("any thoughts?", "what do you think?", "thread below", "more soon", ""),
    "-": ("so annoying", "not ok", "this is awful", "hate this", "just sad", "worst day"),
}


class FilledText(NamedTuple):
    """A text, its author's mood (`+`, `=` or `-`) and the template it was made from."""

    text: str
    mood: str
    template: str


class Writer:
    """Writes about themes. The names in a day's event depend only on the seed and the day."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pools_of = lru_cache(maxsize=256)(self._narrowed)

    def write(self, chance: Random, talk: Talk, day: int, author: Person) -> str:
        """Return a tweet's full text, at most 280 characters."""
        theme = talk.theme
        written = self._sentence(chance, talk, day, author.language)
        body = written.text
        if author.language == "en" and chance.random() < 0.2:
            second = self._sentence(chance, talk, day, author.language, but=written.template)
            body += f" {second.text}" if body.endswith(("!", "?")) else f". {second.text}"
        if author.lowercase:
            body = body.lower()
        pieces = [_opener(chance, author.language, written.mood), body]
        if author.language == "en" and chance.random() < 0.18:
            pieces.append(chance.choice(_CLOSERS[written.mood]))
        pieces += _trimmings(chance, theme, written.mood, author)
        return _fitting(pieces)

    def _sentence(self, chance: Random, talk: Talk, day: int, language: str, but: str = "") -> FilledText:
        """Fill a template other than `but`."""
        theme = talk.theme
        phase: Phase = chance.choice(QUIET_PHASES) if talk.phase is None else talk.phase
        templates = theme.templates.get(language) or theme.templates["en"]
        template = chance.choice([text for text in templates[phase] if text != but] or templates[phase])
        pools = self._pools_of(theme, day)
        used: set[str] = set()

        def filled(match: re.Match[str]) -> str:
            if match["choice"]:
                return chance.choice(str(match["choice"]).split("|"))
            if match["low"]:
                return str(chance.randint(int(match["low"]), int(match["high"])))
            return _unused(chance, pools[match["pool"]], used)

        text = _ARTICLE.sub(r"\1n", _GAP.sub(filled, template[2:]))
        return FilledText(text[0].upper() + text[1:], template[0], template)

    def _narrowed(self, theme: Theme, day: int) -> Pools:
        chance = dice(self._seed, "words of the day", theme.name, day)
        narrowed = {name: chance.sample(theme.pools[name], count) for name, count in theme.daily.items()}
        return {**theme.pools, **narrowed}


def _unused(chance: Random, pool: Sequence[str], used: set[str]) -> str:
    """Return a word not yet used in this tweet, as long as there is one."""
    word = chance.choice([word for word in pool if word not in used] or pool)
    used.add(word)
    return word


def _opener(chance: Random, language: str, mood: str) -> str:
    openers = _OPENERS.get((language, mood), ())
    return chance.choice(openers) if openers and chance.random() < 0.15 else ""


def _trimmings(chance: Random, theme: Theme, mood: str, author: Person) -> list[str]:
    """Return what people append: a mention, hashtags, emoji, a link."""
    pieces = []
    if chance.random() < 0.08:
        pieces.append("@" + chance.choice(theme.mentions))
    if chance.random() < 0.4:
        pieces += ["#" + tag for tag in chance.sample(theme.hashtags, chance.choice((1, 1, 1, 2)))]
    if author.likes_emoji and chance.random() < 0.6:
        pieces.append(chance.choice(theme.emoji[mood]) * chance.choice((1, 1, 1, 2, 3)))
    if chance.random() < 0.12:
        pieces.append(f"https://example.com/{theme.path}/{chance.getrandbits(20):05x}")
    return pieces


def _fitting(pieces: list[str]) -> str:
    """Join the pieces that fit and drop the others whole: no link or hashtag is ever cut."""
    text = ""
    for piece in filter(None, pieces):
        longer = f"{text} {piece}" if text and piece != "!!" else text + piece
        if len(longer) <= MAX_CHARACTERS:
            text = longer
    return text
