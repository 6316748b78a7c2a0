"""What a JSON value in a file is: a tweet in one of its forms, a page of them, or something else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from producer.receiving.control import message_name
from producer.receiving.fields import Object, as_object, objects
from producer.source import Event
from producer.sources.replay.extended_json import plain
from producer.sources.replay.foreign import (
    BY_NAME,
    COLUMNS,
    IDS,
    INCLUDES,
    LISTED,
    ROUNDED_IDS,
    foreign_name,
    is_includes,
)
from producer.sources.replay.web import is_web_tweet, web_event
from producer.sources.x_v2.compliance import is_compliance
from producer.sources.x_v2.mapping import Trouble, encoded
from producer.sources.x_v2.stored import flat_event, is_flat_post, page_events, stream_event
from producer.sources.x_v2.times import is_id
from twitter_topics.records.tweet import tweet_identity

V1 = "v1.1 tweets"
NOTHING = "nothing"
BULK_ACTION = "actions of Elasticsearch's bulk API"

_PAGES = ("statuses", "results", "tweets", "hits", "docs", "rows")
"""Fields that hold tweets: of v1.1 responses, standard and premium search, and those of Elasticsearch, Solr and
CouchDB."""

_AROUND_PAGES = ("hits", "response")
_STORES = {"_source": " (Elasticsearch)", "doc": " (CouchDB)", "payload": " (kcat)"}
"""Fields that hold a tweet in any form, and who writes them."""

_WRAPPERS = _STORES | {"data": "", "status": ""}
"""The others hold one of v1.1."""

_ASIDE = ("_json", "tweet")
"""Fields that hold a tweet in objects of tweepy and BigQuery that have other fields of it, too."""

_FIELD = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)
_COLUMNS = frozenset({"id", "id_str", "tweet_id", "created_at", "text", "full_text"})
_LOOKED_AT = 20

_BULK_ACTIONS = frozenset({"index", "create", "update", "delete"})

_OWN = frozenset({"id_str", "screen_name", "text", "full_text"})
"""Of an object with one of these fields, a tweet in it is a part: a profile has its newest tweet under `status`."""

_STREAM_MESSAGES = frozenset(
    {"delete", "scrub_geo", "status_withheld", "user_withheld", "limit", "warning", "disconnect", "info"}
)
_WITH_ERRORS = frozenset({"errors", "includes", "meta", "__twarc"})
_WEBSITE = frozenset({"twitter.com", "x.com"})
_MAX_DEPTH = 4

Part = bytes | Event | Trouble
"""The JSON of a v1.1 tweet or of anything unknown, an event that was mapped, or an error that X reported."""


class Shape(NamedTuple):
    """The kind of a value as people name it. `read` returns what is in it; None: it is not read.

    `path` is where its tweets are, for jq, if a field has them that is not known.
    """

    name: str
    read: Callable[[bytes, Any], Iterator[Part]] | None = None
    path: str = ""


def loads(raw: bytes) -> Any:
    """Return the JSON value; None for anything else. A byte order mark in front is skipped."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def shape_of(body: Any, depth: int = _MAX_DEPTH) -> Shape | None:
    """Return the shape of a value; None for an unknown one."""
    if isinstance(body, dict):
        return _object_shape(body, depth)
    if body == []:
        return Shape(NOTHING, lambda *_: iter(()))
    if isinstance(body, list):
        known = [shape for one in body if (shape := _inner(one, "", depth, partial(_elements, depth), "[]"))]
        return next((shape for shape in known if shape.read), known[0] if known else None)
    if isinstance(body, str) and not is_id(body):
        return _inner(loads(body.encode("utf-8", "replace")), ", each in a string", depth, _quoted)
    if isinstance(body, float):
        return Shape(ROUNDED_IDS)
    return Shape(IDS) if isinstance(body, int | str) and not isinstance(body, bool) else None


def unfolded(raw: bytes, body: Any, depth: int = _MAX_DEPTH) -> Iterator[Part]:
    """Yield what is in a value, in its order. What holds no tweet is yielded as it is."""
    shape = shape_of(body, depth)
    if shape is None or shape.read is None:
        yield raw
    else:
        yield from shape.read(raw, body)


def _object_shape(body: Object, depth: int) -> Shape | None:
    if any(isinstance(body.get(name), dict) for name in ("_id", "id", "created_at")) and (them := plain(body)) != body:
        return _inner(them, " (mongoexport)", depth, partial(_plainly, depth))
    if is_web_tweet(body):
        return Shape("tweets of X's website (Zeeschuimer, 4CAT)", lambda raw, it: iter((web_event(raw, it),)))
    if isinstance(body.get("source_platform"), str) and "data" in body:
        if body["source_platform"] not in _WEBSITE:
            return Shape(f"Zeeschuimer items of {body['source_platform'][:40]}")
        return _inner(body["data"], "", depth, partial(_field, "data", depth))
    if isinstance(body.get("tweet"), dict):
        return _inner(body["tweet"], " (account export)", depth, partial(_field, "tweet", depth))
    if is_includes(body):
        return Shape(INCLUDES)
    for name in _PAGES:
        if isinstance(body.get(name), list):
            return _inner(body[name], ", in pages", depth, partial(_field, name, depth), f".{name}")
    known = (
        _wrapped_shape(body, depth)
        or _aside(body, _ASIDE, depth)
        or _foreign_shape(body)
        or _v2_shape(body)
        or _v1_shape(body)
    )
    return known or _arranged_shape(body, depth)


def _wrapped_shape(body: Object, depth: int) -> Shape | None:
    if _is_bulk_action(body):
        return Shape(BULK_ACTION, lambda *_: iter(()))
    for name in _AROUND_PAGES:
        if any(isinstance(one, list) for one in as_object(body.get(name)).values()):
            return _inner(body[name], "", depth, partial(_field, name, depth), f".{name}")
    for name, writer in _WRAPPERS.items():
        tweet = loads(body[name].encode("utf-8", "replace")) if isinstance(body.get(name), str) else body.get(name)
        if isinstance(tweet, dict) and ("id_str" in tweet or name in _STORES) and not _OWN & body.keys():
            shape = _inner(body[name], writer, depth, partial(_field, name, depth))
            if shape and shape.read:
                return shape
    return None


def _is_bulk_action(body: Object) -> bool:
    """Whether it is a line before a document: `{"index": {}}`, or with the document's place. The stream's `delete` is
    not: it names a tweet."""
    [name, *others] = body or ("",)
    place = body.get(name)
    if others or name not in _BULK_ACTIONS or not isinstance(place, dict):
        return False
    is_named = bool(place) or name in ("index", "create")
    return is_named and all(field == "routing" or field.startswith("_") for field in place)


def _foreign_shape(body: Object) -> Shape | None:
    name = foreign_name(body)
    return Shape(name) if name else None


def _v1_shape(body: Object) -> Shape | None:
    has_text = any(isinstance(body.get(name), str) for name in ("text", "full_text"))
    if message_name(body, _STREAM_MESSAGES) or (
        has_text and (tweet_identity(body) or body.get("id") or "created_at" in body)
    ):
        return Shape(V1, lambda raw, _: iter((raw,)))
    return None


def _v2_shape(body: Object) -> Shape | None:
    data = body.get("data")
    if isinstance(data, list) and data:
        if any(isinstance(one.get("text"), str) for one in objects(data)):
            return Shape("pages of API v2", page_events)
        return Shape("counts or users of API v2")
    if isinstance(data, dict) and ("text" in data or is_compliance(body)):
        return Shape("stream lines of API v2", _stream_line)
    if is_flat_post(body):
        return Shape("flat posts of API v2", lambda raw, it: iter((flat_event(raw, it),)))
    if {"result_count"} <= as_object(body.get("meta")).keys() or {"errors"} <= body.keys() <= _WITH_ERRORS:
        return Shape("pages of API v2", _stream_line if "errors" in body else lambda *_: iter(()))
    return None


def _arranged_shape(body: Object, depth: int) -> Shape | None:
    """Return the shape of tweets that are there, but in an arrangement that is not read."""
    columns = [column for name, column in body.items() if name in _COLUMNS and isinstance(column, dict)]
    if len(columns) > 1 and columns[0] and all(column.keys() == columns[0].keys() for column in columns):
        return Shape(COLUMNS)
    names = list(islice(body, _LOOKED_AT))
    holders = [name for name in names if _has_tweets(body[name] if isinstance(body[name], dict) else None, depth)]
    if holders and (all(map(is_id, names)) or len(holders) == len(names) > 1):
        return Shape(BY_NAME)
    is_listed = any(isinstance(body[name], list) and _has_tweets(body[name][:1], depth) for name in names)
    return _aside(body, names, depth) or (Shape(LISTED) if is_listed else None)


def _aside(body: Object, names: Iterable[str], depth: int) -> Shape | None:
    """Return the shape of a tweet under one of these names."""
    for name in names:
        value = body.get(name)
        if isinstance(value, dict | str) and _FIELD.fullmatch(name) and _has_tweets(value, depth):
            path = f".{name}" if isinstance(value, dict) else f".{name} | fromjson"
            return Shape(f"tweets under the field {name}", None, path)
    return None


def _has_tweets(body: Any, depth: int) -> bool:
    shape = shape_of(body, min(depth, 2) - 1) if depth else None
    return bool(body and shape and shape.read)


def _stream_line(raw: bytes, body: Object) -> Iterator[Part]:
    event = stream_event(raw, body)
    if event is not None:
        yield event


def _inner(
    body: Any, how: str, depth: int, read: Callable[[bytes, Any], Iterator[Part]], step: str = ""
) -> Shape | None:
    """Return the shape of what is inside a value, with the way to get there."""
    shape = shape_of(body, depth - 1) if depth else None
    return shape and Shape(shape.name + how, shape.read and read, shape.path and step + shape.path)


def _elements(depth: int, raw: bytes, body: list[Any]) -> Iterator[Part]:
    try:
        parts: list[Any] = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.MsgspecError:  # NaN, half a surrogate pair
        parts = [encoded(one) for one in body]
    for part, one in zip(parts, body, strict=True):
        yield from unfolded(bytes(part), one, depth - 1)


def _field(name: str, depth: int, raw: bytes, body: Object) -> Iterator[Part]:
    try:
        part = bytes(msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[name])
    except msgspec.MsgspecError:
        part = encoded(body[name])
    yield from unfolded(part, body[name], depth - 1)


def _plainly(depth: int, _: bytes, body: Object) -> Iterator[Part]:
    them = plain(body)
    yield from unfolded(encoded(them), them, depth - 1)


def _quoted(_: bytes, body: str) -> Iterator[Part]:
    inner = body.encode("utf-8", "replace")
    yield from unfolded(inner, loads(inner))
