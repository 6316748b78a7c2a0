"""Turns a theme into text that a person might have written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from producer.sources.synthetic.chance import dice
from producer.sources.synthetic.languages import Language
from producer.sources.synthetic.people import Person
from producer.sources.synthetic.schedule import Talk
from producer.sources.synthetic.themes import Phase, Pools, Theme

MAX_CHARACTERS = 280
QUIET_PHASES: tuple[Phase, ...] = ("before", "after")

GAP = re.compile(r"\[(?P<choice>[^\]]+)\]|\{(?P<low>\d+)\.\.(?P<high>\d+)\}|\{(?P<pool>\w+)\}")
_SENTENCE_ENDS = ("!", "?", "！", "？", "。")


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
        language = author.language
        theme = language.themes.get(talk.theme.name, talk.theme)
        written = self._sentence(chance, theme, talk.phase, day, language)
        body = written.text
        if language.closers and chance.random() < 0.2:
            second = self._sentence(chance, theme, talk.phase, day, language, but=written.template)
            period = "" if body.endswith(_SENTENCE_ENDS) else language.period
            body += f"{period}{language.space}{second.text}"
        if author.lowercase:
            body = body.lower()
        pieces = [_opener(chance, language, written.mood), body]
        if language.closers and chance.random() < 0.18:
            pieces.append(chance.choice(language.closers[written.mood]))
        text = _fitting("", pieces, language.space)
        return _fitting(text, _trimmings(chance, theme, written.mood, author), " ")

    def _sentence(
        self, chance: Random, theme: Theme, during: Phase | None, day: int, language: Language, but: str = ""
    ) -> FilledText:
        """Fill a template other than `but`."""
        phase: Phase = chance.choice(QUIET_PHASES) if during is None else during
        templates = theme.templates.get(language.code) or theme.templates["en"]
        template = chance.choice([text for text in templates[phase] if text != but] or templates[phase])
        pools = self._pools_of(theme, day)
        used: set[str] = set()

        def filled(match: re.Match[str]) -> str:
            if match["choice"]:
                return chance.choice(str(match["choice"]).split("|"))
            if match["low"]:
                return str(chance.randint(int(match["low"]), int(match["high"])))
            return _unused(chance, pools[match["pool"]], used)

        text = GAP.sub(filled, template[2:])
        for pattern, replacement in language.contractions.items():
            text = re.sub(pattern, replacement, text)
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


def _opener(chance: Random, language: Language, mood: str) -> str:
    openers = language.openers.get(mood, ())
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


def _fitting(text: str, pieces: list[str], space: str) -> str:
    """Append the pieces that fit and drop the others whole: no link or hashtag is ever cut."""
    for piece in filter(None, pieces):
        longer = f"{text}{space}{piece}" if text and piece != "!!" else text + piece
        if len(longer) <= MAX_CHARACTERS:
            text = longer
    return text
