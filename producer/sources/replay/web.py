"""Maps tweets as X's website receives them (GraphQL, kept by Zeeschuimer and 4CAT) to v1.1 tweets.

Their `legacy` is the v1.1 object; users, retweets, quotes and long texts are next to it.
"""

from __future__ import annotations

from producer.receiving.fields import Object, as_object, as_text
from producer.source import Event
from producer.sources.x_v2.mapping import mapped_event, unreadable
from producer.sources.x_v2.times import agreed_time, id_time, is_id, number_of
from twitter_topics.records.times import post_time

_MAX_NESTED = 2


def is_web_tweet(body: Object) -> bool:
    """Whether it is such a tweet; the older form of the website has `type: adaptive`."""
    legacy = body.get("legacy")
    return isinstance(legacy, dict) and ("rest_id" in body or body.get("type") == "adaptive") and "full_text" in legacy


def web_event(raw: bytes, body: Object) -> Event:
    """Return the tweet as a post, or as unreadable; `raw`, the original, is kept under `source_payload`."""
    tweet = _tweet(body, _MAX_NESTED)
    time_ms = agreed_time(id_time(tweet["id_str"]), post_time(tweet))
    if not is_id(tweet["id_str"]):
        return unreadable(raw, "id: not a whole number")
    if time_ms is None:
        return unreadable(raw, "time: neither created_at nor the id contains one")
    return mapped_event(raw, tweet | {"timestamp_ms": str(time_ms)}, time_ms, body)


def _tweet(body: Object, nested: int) -> Object:
    legacy = dict(as_object(body.get("legacy")))
    retweeted = _result(legacy.pop("retweeted_status_result", None))
    quoted = _result(body.get("quoted_status_result") or legacy.pop("quoted_status_result", None))
    tweet_id = as_text(legacy.get("id_str")) or as_text(body.get("rest_id"))
    tweet = legacy | {"id": number_of(tweet_id), "id_str": tweet_id, "user": _user(body, legacy)}
    note = _result(as_object(body.get("note_tweet")).get("note_tweet_results"))
    if as_text(note.get("text")):
        entities = as_object(note.get("entity_set")) or as_object(legacy.get("entities"))
        tweet |= {"truncated": True, "extended_tweet": {"full_text": note["text"], "entities": entities}}
    if nested and is_web_tweet(retweeted):
        tweet["retweeted_status"] = _tweet(retweeted, nested - 1)
    if nested and is_web_tweet(quoted):
        tweet["quoted_status"] = _tweet(quoted, nested - 1)
    return tweet


def _result(results: object) -> Object:
    """Return the object in `{"result": …}`, which a notice about its visibility may wrap once more."""
    result = as_object(as_object(results).get("result"))
    return as_object(result.get("tweet")) or result


def _user(body: Object, legacy: Object) -> Object:
    """Return the author; names and dates have moved from `legacy` to `core`."""
    result = _result(as_object(body.get("core")).get("user_results"))
    user = as_object(result.get("legacy")) or as_object(body.get("user"))
    core = as_object(result.get("core"))
    user_id = as_text(result.get("rest_id")) or as_text(user.get("id_str")) or as_text(legacy.get("user_id_str"))
    known = user | {name: core[name] for name in ("screen_name", "name", "created_at") if as_text(core.get(name))}
    return known | ({"id": number_of(user_id), "id_str": user_id} if is_id(user_id) else {})
