"""Maps objects of X API v2 to v1.1 tweets and to notices.

Fields may be missing, null, of another type, or new: unusable ones are left out, and the original line is kept under
`source_payload`. X is renaming `tweet` to `post` in its objects (openapi.json); both names are read.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import msgspec

from producer.receiving.fields import Object, as_count, as_list, as_object, as_text, first, objects
from producer.receiving.lines import json_object
from producer.reporting.words import printable
from producer.source import Event, EventKind
from producer.sources.x_v2.compliance import compliance_event, is_compliance
from producer.sources.x_v2.edits import original_id, versions
from producer.sources.x_v2.times import event_time, id_time, is_id, number_of
from producer.tweets import created_at
from twitter_topics.records.times import read_time

PARAMETERS = {
    "tweet.fields": "author_id,conversation_id,created_at,edit_controls,edit_history_tweet_ids,entities,geo,"
    "in_reply_to_user_id,lang,note_tweet,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,withheld",
    "expansions": "referenced_tweets.id,geo.place_id",
    "place.fields": "country,country_code,full_name,name,place_type",
}
"""Requested from the stream: what the v1.1 object needs; by default X sends only `id` and `text`. Expansions are billed
like anything else that is read, a user more than a post. So users whom a post mentions or replies to are not requested:
the post itself contains their ids."""

AUTHOR_FIELDS = "created_at,description,location,name,protected,public_metrics,username,verified,verified_type"

DISCONNECTS = {
    "operational-disconnect": "operational-disconnect",
    "client-disconnected": "slow",
    "streaming-connection": "too-many-connections",
    "usage-capped": "usage-cap",
    "rate-limit-exceeded": "rate-limit",
}
"""Suffixes of problem types after which the stream ends, and their causes in the gap ledger."""

_MEDIA = ("pic.twitter.com/", "pic.x.com/")
"""How X shows the link to a picture or video, which may be in somebody else's post."""

_REASON_CHARACTERS = 200


class _Resource(msgspec.Struct):
    id: str


class _Resources(msgspec.Struct):
    tweets: list[_Resource] = []
    posts: list[_Resource] = []
    users: list[_Resource] = []


class _Envelope(msgspec.Struct):
    data: _Resource | None = None
    includes: _Resources | None = None


class Billed(NamedTuple):
    """Ids in a line that X charges for."""

    posts: list[str]
    users: list[str]


class Trouble(NamedTuple):
    """An error inside the stream. `cause` is empty when the stream continues."""

    cause: str
    sentence: str


def parameters(authors: bool) -> dict[str, str]:
    """Return the request parameters, with or without authors, who cost twice as much as their posts."""
    if not authors:
        return dict(PARAMETERS)
    return PARAMETERS | {"expansions": f"author_id,{PARAMETERS['expansions']}", "user.fields": AUTHOR_FIELDS}


def read_line(line: bytes) -> Event | Trouble | None:
    """Read one line of a stream. Never raises, whatever the input.

    Returns:
        A post, an edit, a notice or an unreadable event; an error that X reports; None for known messages that we do
        not need.
    """
    message = json_object(line)
    return unreadable(line, message) if isinstance(message, str) else read_message(line, message)


def read_message(line: bytes, message: Object) -> Event | Trouble | None:
    """Read a line of a stream that is already parsed, as `read_line` does."""
    try:
        return _read(line, message)
    except RecursionError:
        return unreadable(line, "json: nested too deeply")


def _read(line: bytes, message: Object) -> Event | Trouble | None:
    data = message.get("data")
    if isinstance(data, dict) and "id" in data:
        return post_event(line, data, Included(message.get("includes")))
    if is_compliance(message):
        notice = compliance_event(message)
        return None if notice is None else Event("notice", notice.key(), notice.value(), notice.at_ms or None)
    return _trouble(message) or unreadable(line, f"unknown: fields {', '.join(sorted(message)) or 'none'}")


def billed(line: bytes) -> Billed:
    """Return what a line costs. An unreadable one counts as a post, one without `data` as nothing."""
    try:
        head = msgspec.json.decode(line, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Billed([hashlib.sha256(line).hexdigest()], [])
    if head.data is None:
        return Billed([], [])
    brought = head.includes or _Resources()
    posts = [head.data.id] + [one.id for one in (*brought.tweets, *brought.posts)]
    return Billed(posts, [user.id for user in brought.users])


class Included:
    """The objects included in a message, by id (users by name too)."""

    def __init__(self, includes: object) -> None:
        given = as_object(includes)
        self.users = {as_text(user.get("id")): user for user in objects(given.get("users"))}
        self.names = {as_text(user.get("username")).lower(): user for user in self.users.values()}
        self.posts = {as_text(post.get("id")): post for post in objects(first(given, "tweets", "posts"))}
        self.places = {as_text(place.get("id")): place for place in objects(given.get("places"))}


def post_event(line: bytes, post: Object, included: Included) -> Event:
    """Return a post as a v1.1 tweet, or as unreadable. `line`, its JSON, is kept under `source_payload`."""
    post_id = as_text(post.get("id"))
    if not is_id(post_id):
        return unreadable(line, "id: not a whole number")
    if not isinstance(post.get("text"), str):
        return unreadable(line, "text: no text")
    time_ms = event_time(post)
    if time_ms is None:
        return unreadable(line, "time: neither created_at nor the id contains one")
    return mapped_event(line, _tweet(post, included), time_ms, post)


def mapped_event(line: bytes, tweet: Object, time_ms: int, post: Object) -> Event:
    """Return the event of `post` as a v1.1 tweet: an edit if the post names its original.

    An edit has the id and the time of its original, with which it is joined by that id. `line`, JSON in UTF-8, is kept
    under `source_payload`.
    """
    kind: EventKind = "post"
    original = original_id(post, tweet["id_str"])
    if original != tweet["id_str"]:
        kind, time_ms = "edit", id_time(original) or time_ms
        tweet = tweet | _identity(original, time_ms) | {"edit_history_tweet_ids": versions(post)}
    value = encoded(tweet)[:-1] + b',"source_payload":' + line.strip() + b"}"
    return Event(kind, tweet["id_str"].encode(), value, time_ms)


def encoded(body: Object) -> bytes:
    """Return the object as JSON in UTF-8."""
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which only an escape can carry
        return json.dumps(body, separators=(",", ":")).encode()


def _tweet(post: Object, included: Included, nested: bool = False) -> Object:
    """Return the v1.1 object. A nested tweet contains no further ones."""
    post_id = as_text(post.get("id"))
    time_ms = event_time(post)
    note = as_object(first(post, "note_tweet", "note_post"))
    counts = as_object(post.get("public_metrics"))
    tweet = _identity(post_id, time_ms) | {
        "text": as_text(post.get("text")),
        "lang": as_text(post.get("lang")) or "und",
        "user": _user(as_text(post.get("author_id")), included),
        "entities": _entities(as_object(note.get("entities") or post.get("entities")), included),
        "retweet_count": as_count(counts.get("retweet_count")),
        "favorite_count": as_count(counts.get("like_count")),
        "reply_count": as_count(counts.get("reply_count")),
        "quote_count": as_count(counts.get("quote_count")),
    }
    if isinstance(note.get("text"), str):
        tweet |= {"truncated": True, "extended_tweet": {"full_text": note["text"]}}
    if isinstance(post.get("possibly_sensitive"), bool):
        tweet["possibly_sensitive"] = post["possibly_sensitive"]
    if history := versions(post):
        tweet["edit_history_tweet_ids"] = history
    return tweet | _references(post, included, nested) | _place(post, included) | _withheld(post)


def _identity(post_id: str, time_ms: int | None) -> Object:
    return {
        "id": number_of(post_id),
        "id_str": post_id,
        "created_at": None if time_ms is None else created_at(time_ms),
        "timestamp_ms": None if time_ms is None else str(time_ms),
    }


def _references(post: Object, included: Included, nested: bool) -> Object:
    """Return replies, retweets and quotes. Of a retweet whose original was not sent, only the id is known."""
    found: Object = {}
    for reference in objects(first(post, "referenced_tweets", "referenced_posts")):
        kind, its_id = reference.get("type"), as_text(reference.get("id"))
        if not is_id(its_id):
            continue
        known = included.posts.get(its_id)
        whole = None if known is None or nested else _tweet(known, included, nested=True)
        if kind == "replied_to":
            found["in_reply_to_status_id_str"] = its_id
        elif kind == "retweeted":
            found["retweeted_status"] = whole or {"id_str": its_id}
        elif kind == "quoted":
            found |= {"is_quote_status": True, "quoted_status_id_str": its_id}
            found |= {"quoted_status": whole} if whole else {}
    answered = as_text(post.get("in_reply_to_user_id"))
    if answered:
        found["in_reply_to_user_id_str"] = answered
        found["in_reply_to_screen_name"] = as_text(included.users.get(answered, {}).get("username")) or None
    return found


def _user(user_id: str, included: Included) -> Object:
    user = included.users.get(user_id, {})
    counts = as_object(user.get("public_metrics"))
    joined = read_time(user.get("created_at"))
    found: Object = {"id": number_of(user_id), "id_str": user_id} if user_id else {}
    found |= {"screen_name": as_text(user.get("username")), "name": as_text(user.get("name"))} if user else {}
    return found | {
        "followers_count": as_count(counts.get("followers_count")),
        "friends_count": as_count(counts.get("following_count")),
        "statuses_count": as_count(counts.get("tweet_count")),
        "listed_count": as_count(counts.get("listed_count")),
        "verified": user.get("verified") is True,
        "protected": user.get("protected") is True,
        "description": as_text(user.get("description")) or None,
        "location": as_text(user.get("location")) or None,
        "created_at": None if joined is None else created_at(joined),
    }


def _entities(entities: Object, included: Included) -> Object:
    mentions = []
    for mention in objects(first(entities, "mentions", "user_mentions")):
        name = as_text(mention.get("username"))
        user = included.names.get(name.lower(), {})
        its_id = as_text(mention.get("id")) or as_text(user.get("id"))
        shown = {"screen_name": name, "name": as_text(user.get("name")), "indices": _indices(mention)}
        mentions.append(shown | ({"id": number_of(its_id), "id_str": its_id} if its_id else {}))
    urls: list[Object] = []
    media: list[Object] = []
    for url in objects(entities.get("urls")):
        link = {name: as_text(url.get(name)) for name in ("url", "expanded_url", "display_url")}
        is_media = "media_key" in url or link["display_url"].startswith(_MEDIA)
        (media if is_media else urls).append({**link, "indices": _indices(url)})
    hashtags, symbols = _tags(entities, "hashtags"), _tags(entities, "cashtags")
    found = {"hashtags": hashtags, "symbols": symbols, "urls": urls, "user_mentions": mentions}
    return found | ({"media": media} if media else {})


def _tags(entities: Object, kind: str) -> list[Object]:
    tags = [one for one in objects(entities.get(kind)) if as_text(one.get("tag"))]
    return [{"text": one["tag"], "indices": _indices(one)} for one in tags]


def _indices(entity: Object) -> list[int]:
    return [as_count(entity.get("start")), as_count(entity.get("end"))]


def _place(post: Object, included: Included) -> Object:
    """Return `coordinates` as GeoJSON (longitude first) and `place`, as in v1.1."""
    geo = as_object(post.get("geo"))
    place = included.places.get(as_text(geo.get("place_id")))
    point = as_list(as_object(geo.get("coordinates")).get("coordinates"))
    found: Object = {}
    if len(point) == 2 and all(isinstance(one, int | float) for one in point):
        found["coordinates"] = {"type": "Point", "coordinates": point}
    if place:
        names = ("id", "full_name", "name", "country", "country_code", "place_type")
        found["place"] = {name: as_text(place.get(name)) for name in names}
    return found


def _withheld(post: Object) -> Object:
    withheld = as_object(post.get("withheld"))
    countries = [code for code in as_list(withheld.get("country_codes")) if as_text(code)]
    if not countries:
        return {}
    copyright_claim, scope = withheld.get("copyright") is True, as_text(withheld.get("scope")) or "tweet"
    return {"withheld_in_countries": countries, "withheld_copyright": copyright_claim, "withheld_scope": scope}


def _trouble(message: Object) -> Trouble | None:
    """Return the problem in `{"errors": [problem, …]}`, or a top-level one; None when there is none."""
    problems = objects(message.get("errors")) or ([message] if "title" in message else [])
    for problem in problems:
        kind = as_text(problem.get("type")).rpartition("/")[2]
        cause = DISCONNECTS.get(kind) or DISCONNECTS.get(as_text(problem.get("title")), "")
        if not cause and "connection_issue" in problem:
            cause = "too-many-connections"
        if not cause and "disconnect_type" in problem:
            cause = "operational-disconnect"
        if cause or problem is problems[-1]:
            said = _plain(as_text(first(problem, "detail", "message", "title")) or kind)
            return Trouble(cause, f"X reports: {said or 'an error without a message'}")
    return None


def unreadable(line: bytes, reason: str) -> Event:
    """Return a dead letter. The same line always has the same key."""
    key = f"message-{hashlib.sha256(line).hexdigest()[:16]}"
    return Event("unreadable", key.encode(), line, reason=_plain(reason))


def _plain(text: str) -> str:
    """Return the text for a log: one short line without terminal control characters."""
    return printable(text[:_REASON_CHARACTERS], " ").strip()
