"""Posts of API v2 as tools store them: pages of responses (`twarc2 search`), and one flat object per post (`twarc2
flatten`, 4CAT), in which everything that a post refers to stands in its place.

Tools that read X's ids as numbers write them so, and times in other formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from producer.receiving.fields import Object, as_list, as_object, as_text, first, objects
from producer.source import Event
from producer.sources.x_v2.mapping import Included, Trouble, encoded, post_event, read_line, read_message, unreadable
from producer.sources.x_v2.times import is_id
from twitter_topics.records.times import iso_ms, read_time

_AUTHORS = ("author", "author_user")
_FIELDS = frozenset(
    {
        *("article", "attachments", "author_id", "card_uri", "community_id", "context_annotations"),
        *("conversation_id", "created_at", "display_text_range", "edit_controls", "edit_history_post_ids"),
        *("edit_history_tweet_ids", "entities", "geo", "id", "in_reply_to_user_id", "lang"),
        *("matched_media_notes", "media_metadata", "non_public_metrics", "note_post", "note_tweet"),
        *("organic_metrics", "possibly_sensitive", "promoted_metrics", "public_metrics", "referenced_posts"),
        *("referenced_tweets", "reply_settings", "scopes", "source", "text", "withheld"),
        *("__twarc", "author", "author_user", "in_reply_to_user", "matching_rules"),
    }
)
"""Of posts in API v2's openapi.json; the last line is added by tools."""

_ONLY_V2 = frozenset(
    {
        *("author_id", "edit_history_post_ids", "edit_history_tweet_ids", "note_post", "note_tweet"),
        *("public_metrics", "referenced_posts", "referenced_tweets"),
    }
)
_ONLY_V1 = frozenset({"id_str", "timestamp_ms", "user"})

_ID_NAME = re.compile(r"(?:^|_)ids?$")
_NUMBER_AS_ID = re.compile(rb'ids?"\s*:\s*\[?\s*[0-9]')
"""In the JSON of an object one of whose ids is a number."""


def is_flat_post(body: Object) -> bool:
    """Whether it is a post of v2 by itself: no field is one of v1.1, and one is only in v2, or id and time are text as
    in v2."""
    post_id, written = body.get("id"), body.get("created_at")
    if not isinstance(body.get("text"), str) or not _ONLY_V1.isdisjoint(body):
        return False
    if not is_id(str(post_id) if isinstance(post_id, int) else post_id):
        return False
    as_sent = isinstance(post_id, str) and (written is None or iso_ms(written) is not None)
    return (as_sent or not _ONLY_V2.isdisjoint(body)) and _is_dated(body)


def _is_dated(post: Object) -> bool:
    """Whether its time is known. Ids of other networks are numbers too: an id is a time only if all the rest is v2."""
    written = post.get("created_at")
    return _FIELDS.issuperset(post) if written is None else read_time(written) is not None


def _as_sent(raw: bytes, value: Any) -> Any:
    """Return a value of v2 with its ids as text; `raw` is its JSON."""
    return _with_text_ids(value) if _NUMBER_AS_ID.search(raw) else value


def _with_text_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_text_ids(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: _as_ids(one) if _ID_NAME.search(name) else _with_text_ids(one) for name, one in value.items()}


def _as_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_ids(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _with_text_ids(value)


def stream_event(raw: bytes, message: Object) -> Event | Trouble | None:
    """Return what a line of a stream contains, as `read_line` does."""
    plain = _as_sent(raw, message)
    return read_line(raw) if plain is message else read_message(raw, plain)


def flat_event(raw: bytes, post: Object) -> Event:
    """Return a flat post as a v1.1 tweet; the object itself is kept under `source_payload`."""
    post = _as_sent(raw, post)
    references = [one for one in objects(first(post, "referenced_tweets", "referenced_posts")) if "text" in one]
    users = [as_object(first(one, *_AUTHORS)) for one in (post, *references)]
    users.append(as_object(post.get("in_reply_to_user")))
    places = [as_object(post.get("geo"))]
    included = {"users": users, "tweets": references, "places": [one | {"id": one.get("place_id")} for one in places]}
    return post_event(raw, post, Included(included))


def page_events(raw: bytes, page: Object) -> Iterator[Event]:
    """Yield the posts of a page of responses; under `source_payload` each has what the stream would have sent."""
    page = _as_sent(raw, page)
    included = Included(page.get("includes"))
    for post in objects(page.get("data")):
        line = encoded({"data": post, "includes": _needed(post, included)})
        if "text" in post and not _is_dated(post):
            yield unreadable(line, "time: no readable created_at")
        else:
            yield post_event(line, post, included)


def _needed(post: Object, included: Included) -> Object:
    """Return the included objects that a post refers to."""
    references = objects(first(post, "referenced_tweets", "referenced_posts"))
    posts = [included.posts[one] for one in (as_text(it.get("id")) for it in references) if one in included.posts]
    ids = [as_text(one.get("author_id")) for one in (post, *posts)] + [as_text(post.get("in_reply_to_user_id"))]
    named = objects(as_object(post.get("entities")).get("mentions"))
    names = [as_text(one.get("username")).lower() for one in named]
    users = [included.users[one] for one in ids if one in included.users]
    users += [included.names[one] for one in names if one in included.names]
    place = included.places.get(as_text(as_object(post.get("geo")).get("place_id")))
    found = {
        "users": list({as_text(user.get("id")): user for user in users}.values()),
        "tweets": posts,
        "places": [place] if place else [],
    }
    return {kind: some for kind, some in found.items() if as_list(some)}
