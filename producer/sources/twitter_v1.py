"""Tweets from a server that speaks Twitter's v1.1 streaming API.

X's own endpoint closed in 2023; compatible servers remain. Twython provides the session and the OAuth signature. Its
loop is replaced: it waits five minutes on a silent line, reconnects without a pause and dies of a broken chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import requests
from twython import TwythonStreamer

from producer.position import SourcePosition
from producer.receiving import rules
from producer.receiving.control import ControlMessages, message_name
from producer.receiving.gaps import GapWatch
from producer.receiving.http_stream import HttpStream, RejectedResponse, Timeouts
from producer.receiving.lines import json_object, unreadable
from producer.source import Context, Event
from producer.status import Status
from twitter_topics.backends.http_answers import Answer, probe, skew_sentence, user_agent
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.records.notice import Notice
from twitter_topics.records.times import post_time
from twitter_topics.records.tweet import TWITTER, tweet_identity
from twitter_topics.settings import Settings, TwitterSettings

BAD_CREDENTIALS = "the credentials were rejected: check TWITTER_CONSUMER_* and TWITTER_ACCESS_*"
FORBIDDEN = "these credentials have no access to the v1.1 API: request it from the server, or set PRODUCER_SOURCE=x_v2"
FATAL = {
    401: BAD_CREDENTIALS,
    403: FORBIDDEN,
    404: "the stream does not exist: check TWITTER_STREAM_URL",
    406: "the filter was rejected: check TWITTER_TRACK and TWITTER_LANGUAGES",
    410: "the stream was shut down permanently: check TWITTER_STREAM_URL",
    413: "the filter is too long: shorten TWITTER_TRACK",
    416: "the filter was rejected: check TWITTER_TRACK and TWITTER_LANGUAGES",
}
CONTROL_MESSAGES = ("limit", "disconnect", "warning", "info")
LINE_END = 2
"""Bytes of CR LF, which the length line includes."""
MAX_FRAGMENTS = 100
"""Maximum number of lines in a message."""


class Transport(TwythonStreamer):
    """Twython's session and signature. The caller of `open` reads the response."""

    def __init__(self, settings: TwitterSettings) -> None:
        super().__init__(
            settings.consumer_key.get_secret_value(),
            settings.consumer_secret.get_secret_value(),
            settings.access_token.get_secret_value(),
            settings.access_token_secret.get_secret_value(),
            client_args={"headers": {"User-Agent": user_agent()}},
        )
        self._settings = settings

    def open(self, timeouts: Timeouts) -> requests.Response:
        """Open the filtered stream when there is something to track, else the sample."""
        base = self._settings.stream_url.rstrip("/")
        words = {"delimited": "length"}
        if self._settings.languages:
            words["language"] = self._settings.languages
        if not self._settings.track:
            return self._send("GET", f"{base}/statuses/sample.json", timeouts, params=words)
        words["track"] = self._settings.track
        return self._send("POST", f"{base}/statuses/filter.json", timeouts, data=words)

    def _send(self, method: str, url: str, timeouts: Timeouts, **words: dict[str, str]) -> requests.Response:
        answer: requests.Response = self.client.request(
            method, url, stream=True, timeout=timeouts, allow_redirects=False, **words
        )
        return answer


class TwitterSource:
    """Yields tweets and notices as they arrive. A live stream has no replay: posts during a stop are missed."""

    name = TWITTER
    live = True

    def __init__(
        self, settings: TwitterSettings, start: SourcePosition, context: Context, waits: rules.WaitRules = rules.X
    ) -> None:
        self.start = start
        self._settings = settings
        self._context = context
        self._transport = Transport(settings)
        self._reader = LineReader(context.status)
        self._stream = HttpStream(
            self._transport.open,
            waits,
            FATAL,
            GapWatch("twitter_v1", start, context),
            context,
            name="twitter-stream",
            explain=self._explain,
            html_counts=True,
        )

    @classmethod
    def open(cls, settings: Settings, saved: SourcePosition | None, context: Context) -> Self:
        """Return a source that connects once `events` is iterated.

        Raises:
            ConfigurationError: credentials are missing; the message names all of them.
        """
        twitter = settings.twitter
        require_credentials(twitter)
        identity = {"url": twitter.stream_url, "track": twitter.track, "languages": twitter.languages}
        return cls(twitter, SourcePosition.of_stream(identity, saved), context)

    def check(self) -> str:
        """Ask who we are: `account/verify_credentials.json` costs nothing and verifies the complete signature.

        Raises:
            ConfigurationError: wrong credentials, no access, or a clock that is off by more than two minutes.
            RetryableError: the server is unreachable or busy.
        """
        url = f"{api_url(self._settings)}/account/verify_credentials.json"
        answer = probe(url, self._transport.auth)
        match answer.status:
            case 200:
                who = json_object(answer.body)
                name = who.get("screen_name") if isinstance(who, dict) else None
                return f"{url}: the credentials are valid" + (f", of @{name}" if isinstance(name, str) else "")
            case 401:
                raise ConfigurationError(f"{url} answered 401: {self._rejection_sentence(answer)}")
            case 403:
                raise ConfigurationError(f"{url} answered 403: {FORBIDDEN} (response: {answer.body_text()})")
            case 404 | 410:
                return f"{url} answered {answer.status}: only opening the stream will show whether the credentials work"
            case status:
                raise RetryableError(f"{url} answered {status}: {answer.body_text()}")

    def events(self) -> Iterator[Event | None]:
        """Yield what the stream delivers. Raises the errors of its thread."""
        connection = 0
        for line in self._stream.lines():
            if connection != self._stream.connection:
                connection = self._stream.connection
                yield from self._reader.cut_off()
            if isinstance(line, bytes):
                yield from self._reader.read(line) or (None,)
            else:
                yield line

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._transport.client.close()

    def _explain(self, answer: Answer) -> RejectedResponse | None:
        return RejectedResponse(self._rejection_sentence(answer), fatal=True) if answer.status == 401 else None

    def _rejection_sentence(self, answer: Answer) -> str:
        return skew_sentence(answer.headers, self._context.now_ms()) or BAD_CREDENTIALS


SOURCE = TwitterSource


def require_credentials(settings: TwitterSettings) -> None:
    """Check that all credentials are set.

    Raises:
        ConfigurationError: at least one is empty; the message names all empty ones.
    """
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    missing = [f"TWITTER_{name.upper()}" for name in names if not getattr(settings, name).get_secret_value()]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        msg = f"{', '.join(missing)} {verb} not set: the twitter_v1 source needs all four credentials of an app"
        raise ConfigurationError(msg)


def api_url(settings: TwitterSettings) -> str:
    """Return the base of the other methods: `https://api.…` for `https://stream.…`, else the same host."""
    return (settings.api_url or settings.stream_url.replace("://stream.", "://api.", 1)).rstrip("/")


class LineReader:
    """Turns lines into events: undoes `delimited=length` and counts posts the server did not deliver.

    Each message is preceded by a line with its length in bytes, line end included. That keeps a message together that
    itself contains a line end. A length that does not fit is ignored.
    """

    def __init__(self, status: Status) -> None:
        self._report = ControlMessages(status)
        self._fragments: list[bytes] = []
        self._length = 0

    def read(self, line: bytes) -> list[Event]:
        """Return the events completed by this line."""
        return [event for message in self._messages(line) if (event := read_message(message, self._report)) is not None]

    def cut_off(self) -> list[Event]:
        """Return what a disconnect left incomplete, and expect the messages of a new connection."""
        self._report.reconnected()
        fragments, self._fragments, self._length = self._fragments, [], 0
        return (
            [unreadable(b"\n".join(fragments), "json: the connection was lost in the middle of the message")]
            if fragments
            else []
        )

    def _messages(self, line: bytes) -> list[bytes]:
        if not self._fragments and (not line or line.isdigit()):
            self._length = int(line) if 0 < len(line) < 9 else 0
            return []
        self._fragments.append(line)
        joined = b"\n".join(self._fragments)
        missing = self._length - LINE_END - len(joined)
        if missing > 0 and len(self._fragments) < MAX_FRAGMENTS and isinstance(json_object(joined), str):
            return []
        fragments, self._fragments, self._length = self._fragments, [], 0
        if missing == 0 or len(fragments) == 1:
            return [joined]
        return [fragment for fragment in fragments if fragment and not fragment.isdigit()]


def read_message(line: bytes, report: Callable[[str, Any], None] = lambda *_: None) -> Event | None:
    """Return a tweet or a notice; None for messages about the stream itself, which go to `report`.

    Anything else becomes a dead letter, so that it can be inspected.
    """
    body = json_object(line)
    if isinstance(body, str):
        return unreadable(line, body)
    tweet_id = tweet_identity(body)
    if tweet_id is not None:
        return Event("post", tweet_id.encode(), line, post_time(body))
    try:
        return _read_other(line, body, report)
    except RecursionError:
        return unreadable(line, "json: nested too deeply")


def _read_other(line: bytes, body: dict[str, Any], report: Callable[[str, Any], None]) -> Event | None:
    for name, read in _NOTICES.items():
        if name in body:
            notice = read(body[name]) if isinstance(body[name], dict) else None
            if notice is None:
                return unreadable(line, f"{name}: it does not name a tweet or user")
            return Event("notice", notice.key(), notice.value(), notice.at_ms or None)
    control = message_name(body, CONTROL_MESSAGES)
    if control is None:
        return unreadable(line, f"unknown: {', '.join(body)[:200]}")
    report(control, body[control])
    return None


def _delete(content: dict[str, Any]) -> Notice | None:
    status = content.get("status")
    if not isinstance(status, dict) or not (tweet_id := _id(status, "id")):
        return None
    at_ms = post_time({"timestamp_ms": content.get("timestamp_ms")}) or 0
    return Notice("delete", TWITTER, tweet_id, _id(status, "user_id"), at_ms=at_ms, payload={"delete": content})


def _scrub_geo(content: dict[str, Any]) -> Notice | None:
    user_id, up_to = _id(content, "user_id"), _id(content, "up_to_status_id")
    if not user_id or not up_to:
        return None
    payload = {"scrub_geo": content}
    return Notice("scrub_geo", TWITTER, user_id=user_id, up_to_tweet_id=up_to, payload=payload)


def _status_withheld(content: dict[str, Any]) -> Notice | None:
    tweet_id = _id(content, "id")
    return _withheld(tweet_id, _id(content, "user_id"), "status_withheld", content) if tweet_id else None


def _user_withheld(content: dict[str, Any]) -> Notice | None:
    user_id = _id(content, "id")
    return _withheld("", user_id, "user_withheld", content) if user_id else None


def _withheld(tweet_id: str, user_id: str, name: str, content: dict[str, Any]) -> Notice:
    countries = content.get("withheld_in_countries")
    named = tuple(one for one in countries if isinstance(one, str)) if isinstance(countries, list) else ()
    return Notice("withheld", TWITTER, tweet_id, user_id, countries=named, payload={name: content})


_NOTICES = {
    "delete": _delete,
    "scrub_geo": _scrub_geo,
    "status_withheld": _status_withheld,
    "user_withheld": _user_withheld,
}


def _id(content: dict[str, Any], name: str) -> str:
    """Return an id from its text form, else from the number; empty when there is none."""
    return tweet_identity({"id_str": content.get(f"{name}_str"), "id": content.get(name)}) or ""
