"""Made-up accounts: the same number is always the same person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from producer.sources.synthetic.chance import dice
from producer.sources.synthetic.languages import Language, Languages, Names
from producer.tweets import created_at

PEOPLE = 8_000
FIRST_ACCOUNT_MS = 1_230_768_000_000
"""2009-01-01: no account is older."""
ACCOUNT_YEARS_MS = 10 * 365 * 86_400_000

_APPS = ("Web App", "for iPhone", "for Android")
_APP_SHARES = (0.2, 0.45, 0.35)


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its owner's writing habits."""

    number: int
    language: Language
    city: str
    app: str
    lowercase: bool
    likes_emoji: bool
    profile: dict[str, Any]

    @property
    def screen_name(self) -> str:
        return str(self.profile["screen_name"])


class People:
    """The accounts of a stream."""

    def __init__(self, seed: int, languages: Languages) -> None:
        self._seed = seed
        self._languages = languages
        self._person = lru_cache(maxsize=PEOPLE)(self._made)

    def author(self, chance: Random) -> Person:
        """Return the author of a tweet."""
        return self._person(_pick(chance))

    def retweeter(self, chance: Random, language: str) -> Person:
        """Return who retweets a tweet: in a stream of chosen languages, only people who speak its language."""
        number = _pick(chance)
        while self._languages.key and self._person(number).language.code != language:
            number = (number + 1) % PEOPLE
        return self._person(number)

    def _made(self, number: int) -> Person:
        chance = dice(self._seed, "person", number)
        language = chance.choices(self._languages.spoken, self._languages.shares)[0]
        names = language.names
        first, last = chance.choice(names.first), chance.choice(names.last)
        city = chance.choice(names.cities)
        app = chance.choices(_APPS, _APP_SHARES)[0]
        return Person(
            number=number,
            language=language,
            city=city,
            app=f'<a href="https://example.com/apps" rel="nofollow">Twitter {app}</a>',
            lowercase=chance.random() < 0.2,
            likes_emoji=chance.random() < 0.4,
            profile=_profile(chance, number, names, first, last, city),
        )


def _pick(chance: Random) -> int:
    """Return the number of a person: few write a lot, most write little."""
    return int(PEOPLE * chance.random() ** 2.5)


def _profile(chance: Random, number: int, names: Names, first: str, last: str, city: str) -> dict[str, Any]:
    user_id = 100_000 + number * 7_919
    followers = min(5_000_000, int(20 * chance.paretovariate(0.75)))
    interests = chance.sample(names.interests, 2)
    latin = names.latin
    return {
        "id": user_id,
        "id_str": str(user_id),
        "name": names.full.format(first=first, last=last),
        "screen_name": _screen_name(chance, latin.get(first, first), latin.get(last, last), number),
        "location": city if chance.random() < 0.6 else None,
        "url": None,
        "description": names.description.format(*interests) if chance.random() < 0.7 else None,
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
