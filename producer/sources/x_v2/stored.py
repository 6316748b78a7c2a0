"""Posts of API v2 as tools store them: pages of responses (`twarc2 search`), and one flat object per post (`twarc2
flatten`, 4CAT), in which everything that a post refers to stands in its place."""

from __future__ import annotations

from collections.abc import Iterator

from producer.receiving.fields import Object, as_list, as_object, as_text, first, objects
from producer.source import Event
from producer.sources.x_v2.mapping import Included, encoded, post_event
from producer.sources.x_v2.times import is_id
from twitter_topics.records.times import iso_ms

_AUTHORS = ("author", "author_user")


def is_flat_post(body: Object) -> bool:
    """Whether it is a post of v2 by itself: its id is text, and no field is one of v1.1."""
    if not is_id(body.get("id")) or not isinstance(body.get("text"), str):
        return False
    if "id_str" in body or "timestamp_ms" in body or "user" in body:
        return False
    return body.get("created_at") is None or iso_ms(body["created_at"]) is not None


def flat_event(raw: bytes, post: Object) -> Event:
    """Return a flat post as a v1.1 tweet; the object itself is kept under `source_payload`."""
    references = [one for one in objects(first(post, "referenced_tweets", "referenced_posts")) if "text" in one]
    users = [as_object(first(one, *_AUTHORS)) for one in (post, *references)]
    users.append(as_object(post.get("in_reply_to_user")))
    places = [as_object(post.get("geo"))]
    included = {"users": users, "tweets": references, "places": [one | {"id": one.get("place_id")} for one in places]}
    return post_event(raw, post, Included(included))


def page_events(page: Object) -> Iterator[Event]:
    """Yield the posts of a page of responses; under `source_payload` each has what the stream would have sent."""
    included = Included(page.get("includes"))
    for post in objects(page.get("data")):
        message = {"data": post, "includes": _needed(post, included)}
        yield post_event(encoded(message), post, included)


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
