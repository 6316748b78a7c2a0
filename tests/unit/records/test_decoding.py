"""The fast decoder never changes what becomes of a record."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.records import tweet as records
from twitter_topics.records.content import Content
from twitter_topics.records.decoding import IdentityFields, TweetFields, decode
from twitter_topics.records.processed import processed_fields
from twitter_topics.records.tweet import Rejection, TimeBounds, read_tweet

NOW = 1_795_000_000_000
MUTATIONS = 4_000
LABELS = {1: "rain", 2: "song"}

TWEETS = [
    {
        "created_at": "Sun Nov 01 00:00:03 +0000 2026",
        "id": 1500000000000000001,
        "id_str": "1500000000000000001",
        "text": "RT @a: storm & rain… #Sturm 🌧️ https://t.co/x",
        "source": '<a href="https://example.org">app</a>',
        "truncated": False,
        "user": {"id": 8, "id_str": "8", "screen_name": "a", "name": "Åsa", "followers_count": 23, "verified": False},
        "entities": {
            "hashtags": [{"text": "Sturm", "indices": [12, 18]}],
            "urls": [{"url": "https://t.co/x", "expanded_url": "https://www.example.org/a?b=1", "indices": [20, 30]}],
            "user_mentions": [{"screen_name": "b", "id": 5, "indices": [3, 5]}],
            "media": [{"url": "https://t.co/y", "type": "photo", "sizes": {"small": {"w": 1}}, "indices": [30, 40]}],
        },
        "retweeted_status": {
            "id_str": "1",
            "text": "storm",
            "lang": "en",
            "extended_tweet": {
                "full_text": "storm &amp; rain " * 20,
                "entities": {"hashtags": [{"text": "Ü"}], "urls": [], "user_mentions": [{"indices": [0, 5]}]},
            },
        },
        "place": {"bounding_box": {"coordinates": [[[-1.5, 2e3], [0, -0.0]]]}},
        "retweet_count": 3,
        "favorite_count": 0,
        "lang": "de",
        "timestamp_ms": str(NOW - 1000),
    },
    {
        "id": 7,
        "full_text": 'a\u2028b \\ " \ud83d\ude00',
        "timestamp_ms": NOW,
        "source_network": "bluesky",
        "lang": None,
        "entities": {
            "hashtags": [{"text": "#a", "tag": "a"}],
            "urls": [{"url": "b", "indices": [0, 1]}],
            "emojis": [{"shortcode": "x"}],
            "user_mentions": [{"indices": [2, 3]}],
        },
    },
    {"id_str": "mastodon:x/1", "text": "x", "created_at": "Fri Nov 20 10:00:00 +0200 2026", "user": None},
    {"id": 9, "text": "x", "timestamp_ms": NOW, "user": {"id": 8}},
]
FRAGMENTS = [
    *(
        b"null",
        b"true",
        b"0",
        b"-1",
        b"5.0",
        b"1e3",
        b"1e999",
        b"-0.0",
        b"123456789012345678901234567890",
        b"01",
        b"1.",
    ),
    *(b'""', b'"x"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\x"', b'"\x01"', b'"\xff"', b'"\\u00e9\xc3\xa9"', b"NaN"),
    *(b"[]", b"{}", b"[1,]", b'{"a":1,}', b"[[[[[]]]]]", b"[" * 400 + b"]" * 400, b"9" * 5_000, b"-Infinity", b"tru"),
    *(b'{"text":5}', b'[{"text":"a"},null,3]', b'{"hashtags":{"text":"a"}}', b'{"full_text":null}', b"\xef\xbb\xbf"),
]
KEYS = [b'"id"', b'"id_str"', b'"text"', b'"timestamp_ms"', b'"lang"', b'"user"', b'"place"', b'"x"', b'"\\u0069d"']


def mutations(number: int, seed: int) -> Iterator[bytes]:
    """Damaged, shuffled and unusual records; one in ten is intact."""
    chance = random.Random(seed)
    intact = [json.dumps(one, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace") for one in TWEETS * 4]
    for _ in range(number):
        value = bytearray(chance.choice(intact))
        for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
            at = chance.randrange(len(value) + 1)
            match chance.randrange(5):
                case 0:
                    value[at : at + chance.randrange(1, 4)] = bytes(chance.choices(range(256), k=chance.randrange(3)))
                case 1:
                    del value[at : at + chance.randrange(40)]
                case 2:
                    value[at:at] = chance.choice(FRAGMENTS)
                case 3:  # another value of a field
                    value[1:1] = chance.choice(KEYS) + b": " + chance.choice(FRAGMENTS) + b", "
                case 4:  # the later of two equal keys counts
                    value[-1:-1] = b", " + chance.choice(KEYS) + b":" + chance.choice(FRAGMENTS)
        yield bytes(value)


def outcome(value: bytes) -> object:
    """Everything that the system keeps of a record."""
    read = read_tweet(value, NOW, TimeBounds())
    if isinstance(read, Rejection):
        return read
    content = Content(read.body)
    counted = processed_fields(
        tweet_id=read.tweet_id,
        event_time_ms=read.event_time_ms,
        model_version="1",
        topics=[(1, 1.0)],
        labels=LABELS,
        sentiment=None,
        raw_topic_id="a",
        raw_partition=0,
        raw_offset=0,
    )
    document = search_document(
        read, content, topics=[(1, 1.0)], labels=LABELS, sentiment=Sentiment(0.0, 0.0, 0.0), counted=counted
    )
    return read.tweet_id, read.event_time_ms, read.source, content.prose, repr(document)


def test_a_record_has_the_outcome_of_a_full_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    values = list(mutations(MUTATIONS, seed=1))
    fast = [outcome(value) for value in values]
    monkeypatch.setattr(records, "decode", lambda value, _: json.loads(value.decode("utf-8")))
    full = [outcome(value) for value in values]
    assert [value for value, one, other in zip(values, fast, full, strict=True) if one != other] == []
    rejected = sum(isinstance(one, Rejection) for one in full)
    assert 0.2 * MUTATIONS < rejected < 0.8 * MUTATIONS


def test_the_archive_has_the_verdict_of_all_layers() -> None:
    def verdict(value: bytes, fields: type[IdentityFields]) -> object:
        read = read_tweet(value, NOW, TimeBounds(), fields)
        return read if isinstance(read, Rejection) else (read.tweet_id, read.event_time_ms, read.source)

    values = list(mutations(MUTATIONS, seed=2))
    assert [one for one in values if verdict(one, IdentityFields) != verdict(one, TweetFields)] == []


def test_only_what_is_read_is_decoded() -> None:
    assert decode(b'{"id_str": "1", "place": {}, "user": {"id": 8}}', IdentityFields) == {"id_str": "1"}
    repeated = b'{"text": "a", "retweet_count": 2, "user": {"id": 9}}'
    value = b'{"id_str": "1", "place": {"name": "x"}, "user": {"id": 8, "url": "a"}, "retweeted_status": %s}' % repeated
    assert decode(value) == {"id_str": "1", "user": {"id": 8}, "retweeted_status": {"text": "a"}}


@pytest.mark.parametrize("digits", [4_300, 4_301, 9_000])
@pytest.mark.parametrize("before", [0, 1, 4_299, 6_000])
def test_a_long_number_is_judged_by_python(digits: int, before: int) -> None:
    value = b'{"id": 7, "x": "' + b"-" * before + b'", "y": ' + b"9" * digits + b"}"
    if digits > 4_300:
        with pytest.raises(ValueError, match="4300 digits"):
            decode(value)
    else:
        assert decode(value) in ({"id": 7}, json.loads(value))
