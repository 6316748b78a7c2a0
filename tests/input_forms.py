"""Made-up tweets in each form in which APIs, tools and archives store them, and the archives."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

FIRST_ID = 1_990_000_000_000_000_301
COUNT = 3
IDS = [str(FIRST_ID + number) for number in range(COUNT)]
CREATED = "Wed Nov 18 11:00:00 +0000 2026"
ISO = "2026-11-18T11:00:00.000Z"
TIME_MS = 1_794_999_600_000


def dumped(body: Any, **how: Any) -> str:
    return json.dumps(body, **how)


def tweet(number: int) -> dict[str, Any]:
    """A tweet of v1.1."""
    return {
        "created_at": CREATED,
        "id": FIRST_ID + number,
        "id_str": IDS[number],
        "text": f'café number {number} [{{]}} \\ " 😀 http://x.example/{number}',
        "user": {"id_str": "42", "screen_name": "made_up", "followers_count": 3},
        "entities": {"hashtags": [{"text": "trains", "indices": [0, 7]}], "urls": [], "user_mentions": []},
        "lang": "en",
        "timestamp_ms": str(TIME_MS + number),
    }


def user_v2() -> dict[str, Any]:
    counts = {"followers_count": 3, "following_count": 2, "tweet_count": 1, "listed_count": 0}
    return {"id": "42", "username": "made_up", "name": "Made Up", "created_at": ISO, "public_metrics": counts}


def post_v2(number: int) -> dict[str, Any]:
    """A post of API v2."""
    return {
        "id": IDS[number],
        "text": f"post {number} about #trains",
        "author_id": "42",
        "created_at": ISO,
        "lang": "en",
        "edit_history_tweet_ids": [IDS[number]],
        "public_metrics": {"retweet_count": 1, "reply_count": 0, "like_count": 2, "quote_count": 0},
        "entities": {"hashtags": [{"start": 14, "end": 21, "tag": "trains"}]},
    }


def page_v2(numbers: range) -> dict[str, Any]:
    posts = [post_v2(number) for number in numbers]
    return {"data": posts, "includes": {"users": [user_v2()]}, "meta": {"result_count": len(posts)}}


def web_tweet(number: int) -> dict[str, Any]:
    """A tweet as X's website receives it."""
    author = {"rest_id": "42", "core": {"screen_name": "made_up", "name": "Made Up"}, "legacy": {"followers_count": 3}}
    legacy = {
        "created_at": CREATED,
        "id_str": IDS[number],
        "full_text": f"from the website {number}",
        "user_id_str": "42",
        "entities": {"hashtags": [{"text": "trains"}], "urls": [], "user_mentions": []},
        "lang": "en",
    }
    return {
        "__typename": "Tweet",
        "rest_id": IDS[number],
        "core": {"user_results": {"result": author}},
        "legacy": legacy,
        "id": FIRST_ID + number,
    }


def adaptive(number: int) -> dict[str, Any]:
    """The same, of the website until 2023."""
    whole = web_tweet(number)
    user = {"id_str": "42", "screen_name": "made_up", "name": "Made Up"}
    data = {"id": FIRST_ID + number, "type": "adaptive", "legacy": whole["legacy"], "user": user}
    return {"source_platform": "twitter.com", "item_id": FIRST_ID + number, "data": data}


def zeeschuimer(number: int, platform: str = "twitter.com") -> dict[str, Any]:
    meta = {"nav_index": "1:1:1", "item_id": IDS[number], "timestamp_collected": TIME_MS, "source_platform": platform}
    return meta | {"source_platform_url": "https://x.com/", "data": web_tweet(number)}


def each(make: Any) -> list[Any]:
    return [make(number) for number in range(COUNT)]


def lines(bodies: list[Any]) -> bytes:
    return "".join(f"{dumped(body)}\n" for body in bodies).encode()


def tarred(members: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def mongo(number: int) -> dict[str, Any]:
    """A tweet of v1.1 as mongoexport writes it: numbers and times are objects."""
    whole = {name: value for name, value in tweet(number).items() if name not in ("id_str", "timestamp_ms")}
    numbers = {"id": {"$numberLong": IDS[number]}, "retweet_count": {"$numberInt": "3"}}
    times = {"created_at": {"$date": {"$numberLong": str(TIME_MS)}}}
    return {"_id": {"$oid": "655f00000000000000000001"}} | whole | numbers | times


def retweet(number: int) -> dict[str, Any]:
    """A retweet as twarc 1 stores it."""
    original = {name: value for name, value in tweet(number).items() if name not in ("text", "timestamp_ms")}
    original = original | {"id_str": str(FIRST_ID + 100), "id": FIRST_ID + 100, "full_text": "the whole text of it"}
    return original | {"id_str": IDS[number], "id": FIRST_ID + number, "full_text": "RT @x: the whole…"} | {
        "retweeted_status": original, "truncated": False, "display_text_range": [0, 16],
    }  # fmt: skip


def profile(number: int) -> dict[str, Any]:
    """A user of v1.1, with the newest tweet."""
    newest = {name: value for name, value in tweet(number).items() if name != "user"}
    return {"id": 42 + number, "id_str": str(42 + number), "screen_name": "made_up", "followers_count": 3} | {
        "created_at": CREATED, "status": newest,
    }  # fmt: skip


def hit(number: int) -> dict[str, Any]:
    """A tweet of v1.1 in an index of Elasticsearch."""
    return {"_index": "tweets", "_id": IDS[number], "_score": 1.0, "_source": tweet(number)}
