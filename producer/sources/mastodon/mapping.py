"""Maps a Mastodon server's messages to events: https://docs.joinmastodon.org/entities/Status."""

from __future__ import annotations

import json
from typing import Any

from producer.receiving.fields import as_object, as_text, objects
from producer.receiving.lines import HEAD_BYTES, json_object, too_long, unreadable
from producer.source import Event, EventKind
from producer.sources.mastodon.sse import ServerEvent
from producer.sources.mastodon.text import Link, plain_text
from producer.tweets import created_at
from twitter_topics.records.language import short_code
from twitter_topics.records.notice import Notice
from twitter_topics.records.times import iso_ms
from twitter_topics.records.tweet import tweet_identity

NAME = "mastodon"
OPEN = frozenset({"public", "unlisted"})
"""Visibilities that everybody may read."""


class StatusMapper:
    """Reads the messages of one server.

    Args:
        host: of the server, part of every id, because each server has its own numbering.
        languages: codes to accept, `pt` also matches `pt-BR`; empty = all.
    """

    def __init__(self, host: str, languages: frozenset[str] = frozenset()) -> None:
        self._prefix = f"{NAME}:{host}/"
        self._languages = frozenset(map(short_code, languages))

    def event(self, message: ServerEvent) -> Event | None:
        """Return a post, an edit or a notice; None for messages we do not need; else a dead letter. Never raises."""
        if message.whole_length > len(message.data):
            return too_long(message.data[:HEAD_BYTES], message.whole_length)
        try:
            match message.name:
                case "update" | "status.update":
                    return self._status(message.name, message.data)
                case "delete":
                    return self._deletion(message.data)
                case _:
                    return None
        except RecursionError:
            return unreadable(message.data, "json: nested too deeply")

    def _deletion(self, data: bytes) -> Event:
        native = data.strip().decode("utf-8", "replace")
        tweet_id = self._id(native)
        if not tweet_id or not native.isprintable() or " " in native:
            return unreadable(data, "delete: it does not name a status")
        notice = Notice("delete", NAME, tweet_id, payload=native)
        return Event("notice", notice.key(), notice.value())

    def _status(self, name: str, data: bytes) -> Event | None:
        status = json_object(data)
        if isinstance(status, str):
            return unreadable(data, status)
        if as_text(status.get("visibility")) not in OPEN or not self._is_wanted(status):
            return None
        tweet_id = self._id(status.get("id"))
        if not tweet_id:
            return unreadable(data, "id: a status without an id")
        time_ms = iso_ms(status.get("created_at"))
        if time_ms is None:
            return unreadable(data, "time: no readable created_at")
        tweet = self._tweet(status, time_ms) | {"source_network": NAME, "source_payload": status}
        value = json.dumps(tweet, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        # a status is also updated when the author it quotes approves; that only repeats the post
        kind: EventKind = "edit" if name == "status.update" and as_text(status.get("edited_at")) else "post"
        return Event(kind, tweet_id.encode(), value, time_ms)

    def _is_wanted(self, status: dict[str, Any]) -> bool:
        language = short_code(_language(status))
        return not self._languages or language in self._languages or language.partition("-")[0] in self._languages

    def _tweet(self, status: dict[str, Any], time_ms: int) -> dict[str, Any]:
        """Return the v1.1 form. A boost or quote includes the other status, one level deep."""
        tweet = self._flat(status, time_ms)
        reblog, quote = status.get("reblog"), as_object(status.get("quote"))
        if isinstance(reblog, dict):
            tweet["retweeted_status"] = self._nested(reblog)
            author = tweet["retweeted_status"]["user"]["screen_name"]
            tweet["text"] = f"RT @{author}: {tweet['retweeted_status']['text']}"
        if isinstance(quote.get("quoted_status"), dict):
            tweet["quoted_status"] = self._nested(quote["quoted_status"])
        return tweet

    def _nested(self, status: dict[str, Any]) -> dict[str, Any]:
        return self._flat(status, iso_ms(status.get("created_at")))

    def _flat(self, status: dict[str, Any], time_ms: int | None) -> dict[str, Any]:
        mentions = objects(status.get("mentions"))
        content, links = plain_text(as_text(status.get("content")), {as_text(one.get("url")) for one in mentions})
        warning = as_text(status.get("spoiler_text"))
        text = f"{warning}\n\n{content}".strip() if warning else content
        before = len(text) - len(content)
        times = {} if time_ms is None else {"created_at": created_at(time_ms), "timestamp_ms": str(time_ms)}
        return {
            "id_str": self._id(status.get("id")),
            **times,
            "text": text,
            "lang": _language(status) or "und",
            "user": self._user(as_object(status.get("account"))),
            "entities": {
                "hashtags": [
                    {"text": name} for tag in objects(status.get("tags")) if (name := as_text(tag.get("name")))
                ],
                "urls": [_url(link, before) for link in links],
                "user_mentions": [
                    {"id_str": self._id(one.get("id")), "screen_name": as_text(one.get("acct"))} for one in mentions
                ],
                "emojis": [
                    {"shortcode": code}
                    for one in objects(status.get("emojis"))
                    if (code := as_text(one.get("shortcode")))
                ],
            },
            "in_reply_to_status_id_str": self._id(status.get("in_reply_to_id")) or None,
            "in_reply_to_user_id_str": self._id(status.get("in_reply_to_account_id")) or None,
            "reply_count": _count(status, "replies_count"),
            "retweet_count": _count(status, "reblogs_count"),
            "favorite_count": _count(status, "favourites_count"),
            "possibly_sensitive": status.get("sensitive") is True,
        }

    def _user(self, account: dict[str, Any]) -> dict[str, Any]:
        return {
            "id_str": self._id(account.get("id")),
            "screen_name": as_text(account.get("acct")),
            "name": as_text(account.get("display_name")) or as_text(account.get("username")),
            "followers_count": _count(account, "followers_count"),
            "friends_count": _count(account, "following_count"),
            "statuses_count": _count(account, "statuses_count"),
            "verified": False,
        }

    def _id(self, native: Any) -> str:
        """Return the id prefixed with network and host; empty where there is no usable one."""
        known = tweet_identity({"id_str": native, "id": native})
        return tweet_identity({"id_str": f"{self._prefix}{known}"}) or "" if known else ""


def _url(link: Link, before: int) -> dict[str, Any]:
    """Return a link of v1.1; `before` its text are as many characters of a warning."""
    found: dict[str, Any] = {"url": link.href, "expanded_url": link.href}
    return found | ({"indices": [before + place for place in link.indices]} if link.indices else {})


def _language(status: dict[str, Any]) -> str:
    """Return the language; a boost has that of the boosted status."""
    return as_text(status.get("language")) or as_text(as_object(status.get("reblog")).get("language"))


def _count(of: dict[str, Any], name: str) -> int:
    value = of.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else 0
