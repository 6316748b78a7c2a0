"""The made-up stream: tweet i is a pure function of the stream's parameters and of i."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any
from zlib import crc32

from producer.sources.synthetic.chance import dice
from producer.sources.synthetic.languages import Languages, load_languages
from producer.sources.synthetic.people import People, Person
from producer.sources.synthetic.schedule import Moment, Schedule, Talk
from producer.sources.synthetic.themes import Theme
from producer.sources.synthetic.writing import Writer
from producer.tweets import created_at, snowflake

RETWEET_SHARE = 0.16
RETWEET_AGE_S = 1_500
"""Mean age of a retweeted tweet."""
CLASSIC_CHARACTERS = 140
"""A longer tweet is truncated in `text` and complete in `extended_tweet`, as in the v1.1 stream."""

_ENTITY = re.compile(
    r"((?P<url>https://[^\s…]++)|#(?P<hashtag>\w++)|@(?P<mention>\w++)|\$(?P<symbol>[A-Z]{4}+)\b)(?!…)"
)
"""An entity that is cut off does not count. The possessive `++` keeps a match from shrinking to before the cut."""


@dataclass(frozen=True, slots=True)
class Opening:
    """How tweet i begins: its dice (already rolled for these fields), its moment and whether it is a retweet."""

    chance: Random
    moment: Moment
    is_retweet: bool


class Stream:
    """A stream of v1.1 objects with `rate` tweets a second on average, beginning at `begin_ms` (Unix, UTC)."""

    def __init__(
        self, seed: int, rate: float, begin_ms: int, themes: Sequence[Theme], languages: Languages | None = None
    ) -> None:
        languages = languages or load_languages()
        self._key = "/".join(filter(None, (str(seed), str(rate), str(begin_ms), languages.key)))
        self._worker = crc32(self._key.encode()) & 0x3FF
        self._retweet_distance = max(1.0, rate * RETWEET_AGE_S)
        self._schedule = Schedule(seed, rate, begin_ms, themes)
        self._writer = Writer(seed)
        self._people = People(seed, languages)
        self._original = lru_cache(maxsize=1024)(self._original_at)

    def tweet(self, index: int) -> tuple[int, dict[str, Any]]:
        """Return event time in Unix milliseconds and object of tweet `index` (from 0)."""
        opening = self._open(index)
        if opening.is_retweet:
            source = self._retweeted(index, opening.chance)
            if source is not None:
                return opening.moment.time_ms, self._retweet(index, opening, source)
            opening = self._open(index)
        return self._written(index, opening)

    def talk(self, index: int) -> Talk:
        """Return what tweet `index` is about, a retweet like its original; for inspecting a stream."""
        return self._original_talk(self._open(self.original(index)))

    def original(self, index: int) -> int:
        """Return the number of the tweet that tweet `index` repeats, or its own."""
        opening = self._open(index)
        source = self._retweeted(index, opening.chance) if opening.is_retweet else None
        return index if source is None else source

    def _open(self, index: int) -> Opening:
        chance = dice(self._key, index)
        moment = self._schedule.moment(index, jitter=chance.random())
        return Opening(chance, moment, is_retweet=chance.random() < RETWEET_SHARE)

    def _original_talk(self, opening: Opening) -> Talk:
        weights = opening.moment.weights
        return opening.moment.talks[bisect_right(weights, opening.chance.random() * weights[-1], hi=len(weights) - 1)]

    def _original_at(self, index: int) -> tuple[int, dict[str, Any]]:
        return self._written(index, self._open(index))

    def _written(self, index: int, opening: Opening) -> tuple[int, dict[str, Any]]:
        talk = self._original_talk(opening)
        author = self._people.author(opening.chance)
        text = self._writer.write(opening.chance, talk, opening.moment.day, author)
        return opening.moment.time_ms, self._object(index, opening, author, text)

    def _retweeted(self, index: int, chance: Random) -> int | None:
        """Pick an earlier original. Whole neighbourhoods pick the same, so a few tweets spread and most never do."""
        age = 1 + int(-math.log(1 - chance.random()) * self._retweet_distance)
        neighbourhood = 300 if chance.random() < 0.3 else 12
        candidate = (index - age) // neighbourhood * neighbourhood
        while candidate >= 0 and self._open(candidate).is_retweet:
            candidate -= 1
        return candidate if candidate >= 0 else None

    def _retweet(self, index: int, opening: Opening, source: int) -> dict[str, Any]:
        """Return the v1.1 form: `RT @name: …` cut to 140 characters, and the original with its counts at that time."""
        original_ms, original = self._original(source)
        author = self._people.retweeter(opening.chance, original["lang"])
        age_s = (opening.moment.time_ms - original_ms) / 1000
        reach = math.log10(original["user"]["followers_count"] + 10)
        retweets = 1 + int(reach * age_s / 400 * opening.chance.paretovariate(1.5))
        counted = {**original, "retweet_count": retweets, "favorite_count": int(retweets * 2.3)}
        text = _cut(f"RT @{original['user']['screen_name']}: {_whole_text(original)}")
        tweet = self._object(index, opening, author, text)
        return {**tweet, "lang": original["lang"], "place": None, "retweeted_status": counted}

    def _object(self, index: int, opening: Opening, author: Person, text: str) -> dict[str, Any]:
        time_ms = opening.moment.time_ms
        tweet_id = snowflake(time_ms, self._worker, index)
        tweet: dict[str, Any] = {
            "created_at": created_at(time_ms),
            "id": tweet_id,
            "id_str": str(tweet_id),
            "text": _cut(text),
            "source": author.app,
            "truncated": len(text) > CLASSIC_CHARACTERS,
            "in_reply_to_status_id": None,
            "in_reply_to_status_id_str": None,
            "in_reply_to_user_id": None,
            "in_reply_to_user_id_str": None,
            "in_reply_to_screen_name": None,
            "user": author.profile,
            "geo": None,
            "coordinates": None,
            "place": _place(author) if opening.chance.random() < 0.02 else None,
            "is_quote_status": False,
            "quote_count": 0,
            "reply_count": 0,
            "retweet_count": 0,
            "favorite_count": 0,
            "entities": _entities(_cut(text)),
            "favorited": False,
            "retweeted": False,
            "filter_level": "low",
            "lang": author.language.code,
            "timestamp_ms": str(time_ms),
        }
        if tweet["truncated"]:
            tweet["extended_tweet"] = {
                "full_text": text,
                "display_text_range": [0, len(text)],
                "entities": _entities(text),
            }
        return tweet


def _cut(text: str) -> str:
    return text if len(text) <= CLASSIC_CHARACTERS else text[: CLASSIC_CHARACTERS - 1] + "…"


def _whole_text(tweet: dict[str, Any]) -> str:
    return str(tweet["extended_tweet"]["full_text"] if tweet["truncated"] else tweet["text"])


def _entities(text: str) -> dict[str, list[dict[str, Any]]]:
    """Return the entities as Twitter would find them. Indices count characters, sign included, end excluded."""
    entities: dict[str, list[dict[str, Any]]] = {"hashtags": [], "urls": [], "user_mentions": [], "symbols": []}
    for match in _ENTITY.finditer(text):
        indices = list(match.span())
        kind, word = next((kind, word) for kind, word in match.groupdict().items() if word)
        if kind == "url":
            entities["urls"].append(
                {"url": word, "expanded_url": word, "display_url": word.removeprefix("https://"), "indices": indices}
            )
        elif kind == "hashtag":
            entities["hashtags"].append({"text": word, "indices": indices})
        elif kind == "symbol":
            entities["symbols"].append({"text": word, "indices": indices})
        else:
            entities["user_mentions"].append(_mention(word, indices))
    return entities


def _mention(screen_name: str, indices: list[int]) -> dict[str, Any]:
    user_id = 10**9 + crc32(screen_name.encode())
    return {"screen_name": screen_name, "name": screen_name, "id": user_id, "id_str": str(user_id), "indices": indices}


def _place(author: Person) -> dict[str, Any]:
    code, country = author.language.country
    return {
        "id": f"{crc32(author.city.encode()):016x}",
        "place_type": "city",
        "name": author.city,
        "full_name": f"{author.city}, {country}",
        "country_code": code,
        "country": country,
        "bounding_box": None,
        "attributes": {},
    }
