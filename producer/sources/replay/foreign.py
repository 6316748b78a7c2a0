"""JSON that people take for tweets, and what helps with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from producer.receiving.fields import Object, as_object, as_text, objects

IDS = "a list of tweet ids"
ROUNDED_IDS = "a list of rounded tweet ids"
ROUNDED = "their last digits are lost: export them again as text"
HYDRATE = "`twarc2 hydrate ids.txt tweets.jsonl`"
COLUMNS = "columns of a table (pandas' `to_json()`)"
BY_NAME = "tweets that are keyed by their ids"
LISTED = "tweets in a list under an unknown name"
_ONE_PER_LINE = (
    "write its tweets one per line: `python3 -c 'import json; [print(json.dumps(one)) for one in {}]' > NEW.jsonl`"
)
ONE_FIELD = "write them one per line: `jq -c '{}' FILE > NEW.jsonl`"
OTHER = "it has no tweets; replay reads tweets of v1.1, of API v2 and of X's website as JSON"

INCLUDES = "includes of API v2 (academictwitteR's users_*.json)"
_INCLUDES = frozenset({"users", "tweets", "posts", "places", "media", "polls", "topics"})

COLUMNS_OF_TWARC = frozenset({"author.username", "public_metrics.like_count", "public_metrics.retweet_count"})
_BLUESKY_LISTS = ("feed", "posts", "records")


_LAST_OF_LINK = "'.{} | split(\"/\")[-1]'"
"""A program of jq for an id that the file has as a number: jq 1.6 rounds it, so its text is taken from the link."""


class _Foreign(NamedTuple):
    """What an object is called, how it is recognised, and what helps."""

    name: str
    recognises: Callable[[Object], bool]
    advice: str = OTHER


def _hydrate(ids: str) -> str:
    advice = f"hydrate the ids: `jq -r {ids} FILE > ids.txt` and {HYDRATE}"
    return f"its fields have other names than in Twitter's APIs; {advice}"


def _is_bluesky(body: Object) -> bool:
    if ("did" in body and "commit" in body) or as_text(body.get("uri")).startswith("at://"):
        return True
    return any(
        as_text((as_object(one.get("post")) or one).get("uri")).startswith("at://")
        for name in _BLUESKY_LISTS
        for one in objects(body.get(name))[:1]
    )


def _is_activity_pub(body: Object) -> bool:
    return "orderedItems" in body or (body.get("type") in ("Create", "Announce") and {"actor", "object"} <= body.keys())


_FOREIGN = (
    _Foreign(
        "an ActivityPub outbox (account export of Mastodon)",
        _is_activity_pub,
        "follow the server with PRODUCER_SOURCE=mastodon",
    ),
    _Foreign(
        "Gnip activities",
        lambda body: body.get("objectType") == "activity" or {"verb", "actor", "object"} <= body.keys(),
        "ask Gnip for the format `original`, or hydrate the ids: "
        f"`jq -r '.id | split(\":\")[-1]' FILE > ids.txt` and {HYDRATE}",
    ),
    _Foreign(
        "tweets of snscrape",
        lambda body: (
            as_text(body.get("_type")).startswith("snscrape")
            or {"rawContent", "user"} <= body.keys()
            or {"renderedContent", "user"} <= body.keys()
        ),
        _hydrate(_LAST_OF_LINK.format("url")),
    ),
    _Foreign(
        "tweets of Twint",
        lambda body: isinstance(body.get("tweet"), str) and "username" in body,
        _hydrate(_LAST_OF_LINK.format("link")),
    ),
    _Foreign(
        "rows of `twarc2 csv`",
        lambda body: not COLUMNS_OF_TWARC.isdisjoint(body),
        "replay the .jsonl file that they were made from",
    ),
    _Foreign(
        "tweets of Apify",
        lambda body: "text" in body and ("twitterUrl" in body or {"createdAt", "retweetCount"} <= body.keys()),
        _hydrate("""'if type == "array" then .[] else . end | .id'"""),
    ),
    _Foreign(
        "user profiles",
        lambda body: (
            "text" not in body
            and "full_text" not in body
            and ("followers_count" in body or ("username" in body and "public_metrics" in body))
        ),
        "it has no tweets; `twarc2 timelines FILE tweets.jsonl` fetches them",
    ),
    _Foreign(
        "Mastodon posts",
        lambda body: isinstance(body.get("content"), str) and "account" in body,
        "follow the server with PRODUCER_SOURCE=mastodon",
    ),
    _Foreign("Bluesky posts", _is_bluesky, "follow the network with PRODUCER_SOURCE=bluesky"),
    _Foreign("Reddit posts", lambda body: "subreddit" in body),
    _Foreign("posts of Threads", lambda body: {"permalink", "media_type"} <= body.keys()),
    _Foreign("an export of Telegram", lambda body: isinstance(body.get("messages"), list) and "type" in body),
)

ADVICE = {one.name: one.advice for one in _FOREIGN} | {
    COLUMNS: 'write one row per line: `df.to_json("NEW.jsonl", orient="records", lines=True)`',
    BY_NAME: _ONE_PER_LINE.format('json.load(open("FILE")).values()'),
    LISTED: _ONE_PER_LINE.format('json.load(open("FILE"))["NAME"]'),
    INCLUDES: "the collected posts are in data_*.json",
    IDS: f"it has no whole tweets; hydrate them first: {HYDRATE}",
    ROUNDED_IDS: ROUNDED,
    "counts or users of API v2": "it has no tweets; search with `twarc2 search` instead",
}


def is_includes(body: Object) -> bool:
    """Whether its tweets are only those to which collected ones refer."""
    if not {"tweets"} < body.keys() <= _INCLUDES:
        return False
    return not any("id_str" in one for one in objects(body["tweets"]))


def foreign_name(body: Object) -> str | None:
    """Return what an object is that people take for a tweet; None for anything else."""
    return next((one.name for one in _FOREIGN if one.recognises(body)), None)
