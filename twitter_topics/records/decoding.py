"""JSON of tweets: only the fields that the project reads, several times faster than a full decode.

The fast decoder is lax about what it skips, and strict about what it reads. So whatever it might judge differently from
`json.loads` goes to `json.loads`, which alone decides what is JSON.
"""

from __future__ import annotations

import json
import re
from typing import TypedDict

import msgspec

_MAX_BRACKETS = 500
"""More could be nested too deeply for `json.loads`."""

_MAX_DIGITS = 4_300
"""Longer numbers are a ValueError in Python (`sys.int_info.default_max_str_digits`)."""

_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % _MAX_DIGITS)


class Hashtag(TypedDict, total=False):
    """One of `entities.hashtags`."""

    text: str | None
    tag: str | None


class Url(TypedDict, total=False):
    """One of `entities.urls`, or of `entities.media`."""

    url: str | None
    expanded_url: str | None
    indices: list[int] | None


class Mention(TypedDict, total=False):
    """One of `entities.user_mentions`."""

    indices: list[int] | None


class Emoji(TypedDict, total=False):
    """One of `entities.emojis`: an emoji of a server's own, written `:shortcode:`."""

    shortcode: str | None


class Entities(TypedDict, total=False):
    """What the source has found in a text."""

    hashtags: list[Hashtag] | None
    urls: list[Url] | None
    media: list[Url] | None
    user_mentions: list[Mention] | None
    emojis: list[Emoji] | None


class User(TypedDict, total=False):
    """The author."""

    id_str: str | None
    id: int | float | str | None
    screen_name: str | None
    name: str | None
    followers_count: int | float | None
    verified: bool | None


class Extended(TypedDict, total=False):
    """The untruncated text of a long tweet."""

    full_text: str | None
    entities: Entities | None


class IdentityFields(TypedDict, total=False):
    """The fields of a v1.1 object that decide whether it is a tweet, and which one, with the types that they usually
    have."""

    id_str: str | None
    id: int | float | str | None
    text: str | None
    full_text: str | None
    timestamp_ms: str | int | float | None
    created_at: str | None
    source_network: str | None


class OriginalFields(IdentityFields, total=False):
    """What is read of the original that a retweet repeats."""

    lang: str | None
    entities: Entities | None
    extended_tweet: Extended | None
    quoted_status_id_str: str | None
    edit_history_tweet_ids: list[str] | None
    retweeted_status: OriginalFields | None


class TweetFields(OriginalFields, total=False):
    """All fields that the project reads."""

    user: User | None
    retweet_count: int | float | None
    favorite_count: int | float | None


_decode_fields = {fields: msgspec.json.Decoder(fields).decode for fields in (IdentityFields, TweetFields)}


def decode(value: bytes, fields: type[IdentityFields] = TweetFields) -> object:
    """Return what `json.loads` returns for UTF-8; if that is an object, perhaps only these of its fields.

    Raises:
        UnicodeDecodeError: not UTF-8.
        ValueError, RecursionError: not JSON.
    """
    text = value.decode("utf-8")
    if value.count(b"{") + value.count(b"[") <= _MAX_BRACKETS and not _has_long_number(value):
        try:
            return _decode_fields[fields](value)
        except (msgspec.DecodeError, RecursionError):  # not what is usual; it may be JSON all the same
            pass
    return json.loads(text)


def _has_long_number(value: bytes) -> bool:
    places = value[_MAX_DIGITS - 1 :: _MAX_DIGITS]  # every run of so many digits covers one of them
    return any(map(b"0123456789".__contains__, places)) and _LONG_NUMBER.search(value) is not None
