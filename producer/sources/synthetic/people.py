"""Made-up accounts: the same number is always the same person."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from random import Random
from typing import Any

from producer.sources.synthetic.chance import dice
from producer.tweets import created_at

PEOPLE = 8_000
LANGUAGES = ("en", "es", "pt", "fr")
LANGUAGE_SHARES = (0.78, 0.10, 0.07, 0.05)
FIRST_ACCOUNT_MS = 1_230_768_000_000
"""2009-01-01: no account is older."""
ACCOUNT_YEARS_MS = 10 * 365 * 86_400_000

_APPS = ("Web App", "for iPhone", "for Android")
_APP_SHARES = (0.2, 0.45, 0.35)


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its owner's writing habits."""

    number: int
    language: str
    city: str
    app: str
    lowercase: bool
    likes_emoji: bool
    profile: dict[str, Any]

    @property
    def screen_name(self) -> str:
        return str(self.profile["screen_name"])


def pick(chance: Random) -> int:
    """Return the number of an author: few write a lot, most write little."""
    return int(PEOPLE * chance.random() ** 2.5)


@lru_cache(maxsize=PEOPLE)
def person(seed: int, number: int) -> Person:
    """Return account `number` of a stream."""
    chance = dice(seed, "person", number)
    language = chance.choices(LANGUAGES, LANGUAGE_SHARES)[0]
    words = _words()
    first, last = chance.choice(words["first"][language]), chance.choice(words["last"][language])
    city = chance.choice(words["cities"][language])
    app = chance.choices(_APPS, _APP_SHARES)[0]
    return Person(
        number=number,
        language=language,
        city=city,
        app=f'<a href="https://example.com/apps" rel="nofollow">Twitter {app}</a>',
        lowercase=chance.random() < 0.2,
        likes_emoji=chance.random() < 0.4,
        profile=_profile(chance, number, first, last, city),
    )


@cache
def _words() -> dict[str, Any]:
    """Return first names, last names and cities by language, and interests."""
    words: dict[str, Any] = json.loads((files(__package__) / "names.json").read_text(encoding="utf-8"))
    return words


def _profile(chance: Random, number: int, first: str, last: str, city: str) -> dict[str, Any]:
    user_id = 100_000 + number * 7_919
    followers = min(5_000_000, int(20 * chance.paretovariate(0.75)))
    interests = chance.sample(_words()["interests"], 2)
    return {
        "id": user_id,
        "id_str": str(user_id),
        "name": f"{first} {last}",
        "screen_name": _screen_name(chance, first, last, number),
        "location": city if chance.random() < 0.6 else None,
        "url": None,
        "description": f"{interests[0]} & {interests[1]}" if chance.random() < 0.7 else None,
        "protected": False,
        "verified": followers > 100_000,
        "followers_count": followers,
        "friends_count": int(40 * chance.paretovariate(1.1)),
        "listed_count": followers // 90,
        "favourites_count": int(200 * chance.paretovariate(1.0)),
        "statuses_count": int(150 * chance.paretovariate(0.9)),
        "created_at": created_at(FIRST_ACCOUNT_MS + int(chance.random() * ACCOUNT_YEARS_MS)),
        "geo_enabled": chance.random() < 0.2,
        "lang": None,
        "default_profile": chance.random() < 0.5,
        "profile_image_url_https": f"https://example.org/profile/{user_id}.png",
    }


_ASCII = str.maketrans("áàâãäçéèêëíìîïñóòôõöúùûü", "aaaaaceeeeiiiinooooouuuu")


def _screen_name(chance: Random, first: str, last: str, number: int) -> str:
    """Return a name that ends in the account's number, so it is unique, of at most 15 characters as on Twitter."""
    form = chance.choice((f"{first}{last}", f"{first}_{last[0]}", f"the{first}", f"{last}{first[0]}"))
    return f"{form.lower().translate(_ASCII)[:11]}{number}"
