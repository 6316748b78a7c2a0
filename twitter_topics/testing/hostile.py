"""Tweets that somebody made to slow the stream down or to break it."""

from __future__ import annotations

import json
from typing import Any

from twitter_topics.records.tweet import is_utf8

LONG = 150_000
"""Characters. The texts fill up to 800 kB as JSON; a record has up to 900 kB."""

TEXTS = {
    "one emoji": "\U0001f600" * 20_000,
    "emoji with the longest names": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 20_000,
    "one letter": "a" * 5 * LONG,
    "one letter, spaced": "a " * 2 * LONG,
    "plain English": "the weather is good but not great and I love it " * 1_000,
    "but": "but " * LONG,
    "good but": "good but bad " * 50_000,
    "all capitals": "GREAT terrible " * 50_000,
    "exclamation marks": "good" + "!" * 5 * LONG,
    "quotes": "ab" + "'cd" * 60_000,
    "quotes and s": "ab" + "'s" * 100_000,
    "combining marks": "e" + "\u0301" * 2 * LONG,
    "combining marks out of order": "e" + "\u0301\u0323" * LONG,
    "Thai signs": ("\u0e01" + "\u0e31" * 50_000) * 3,
    "compatibility characters that grow": "\ufdfa" * LONG,
    "hashtags": " ".join(f"#tag{number}" for number in range(10_000)),
    "one long hashtag": "#" + "x" * 5 * LONG,
    "mentions": "@a" * 2 * LONG,
    "links": "http://" * 100_000,
    "links cut off": "http:/" * 100_000,
    "entities": "&aaaaaaaaa" * 80_000,
    "brackets": "(((((" * 100_000,
    "zero-width joiners": "\u200d" * LONG,
    "right to left": "\u202e\u05d0" * LONG,
    "Han": "\u4e2d" * LONG,
    "lone surrogates": "\ud83d" * 120_000,
    "control characters": "\x00\x1b[2J\x85" * 40_000,
    "spaces": " " * 5 * LONG,
    "line breaks": "\n" * 2 * LONG,
}
"""By name. Each has the form of its kind that is worst for a quadratic algorithm, or for one that recurses."""


def hostile_values(event_time_ms: int) -> list[bytes]:
    """Return values of the raw topic: every text, and tweets whose other fields are hostile."""
    values = [_value(f"text-{name}", event_time_ms, text=text) for name, text in TEXTS.items()]
    tags = {"hashtags": [{"text": f"t{number}"} for number in range(10_000)]}
    values.append(_value("entities", event_time_ms, text="tags", entities=tags))
    values.append(_value("user", event_time_ms, text="user", user={"name": "n" * 800_000, "id_str": "i" * 90_000}))
    values.append(_value("numbers", event_time_ms, text="n", retweet_count=10**400, favorite_count=-1))
    return values + [_nested(f"deep-{depth}", event_time_ms, depth) for depth in (500, 900, 20_000)]


def _value(tweet_id: str, event_time_ms: int, **fields: Any) -> bytes:
    body = {"id_str": tweet_id, "timestamp_ms": str(event_time_ms)} | fields
    # surrogates in pairs or alone are escapes in JSON
    return json.dumps(body, ensure_ascii=not is_utf8(str(fields.get("text")))).encode()


def _nested(tweet_id: str, event_time_ms: int, depth: int) -> bytes:
    head = f'{{"id_str":"{tweet_id}","timestamp_ms":"{event_time_ms}","text":"RT","retweeted_status":'
    return (head + '{"text":"RT","retweeted_status":' * depth + "null" + "}" * (depth + 1)).encode()
