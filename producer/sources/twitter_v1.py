"""Tweets from a server that speaks Twitter's v1.1 streaming API.

X's own endpoint closed in 2023; compatible servers and archives remain. Twython brings the session and the OAuth
signature. Its loop is replaced: it waits five minutes on a silent line, reconnects without a pause and dies of a broken
chunk. The waits are those of Twitter's guide "Connecting to a streaming endpoint": at once after a healthy connection
broke, then growing by kind of failure.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import requests
import urllib3
from twython import TwythonStreamer

from producer.position import Position
from producer.source import Kind, SourceTweet
from twitter_topics.contract.tweet import tweet_identity, tweet_time
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import TwitterSettings

NETWORK_STEP_S, NETWORK_MAX_S = 0.25, 16.0
HTTP_FIRST_S, HTTP_MAX_S = 5.0, 320.0
RATE_LIMIT_FIRST_S, RATE_LIMIT_MAX_S = 60.0, 960.0
CONNECT_TIMEOUT_S = 10.0
STALL_S = 21.0
"""The server sends a line end at least every 20 seconds; a second of grace for the way."""

RATE_LIMITED = frozenset({420, 429})
HOPELESS = {
    401: "the credentials were refused: check TWITTER_CONSUMER_* and TWITTER_ACCESS_*, and this machine's clock",
    403: "access is forbidden for this account: the server has no v1.1 stream for it",
    404: "there is no such stream: check TWITTER_STREAM_URL",
    406: "the filter was refused: check TWITTER_TRACK and TWITTER_LANGUAGES",
    413: "the filter is too long: shorten TWITTER_TRACK",
    416: "the filter was refused: check TWITTER_TRACK and TWITTER_LANGUAGES",
}
CHUNK_BYTES = 4096
MAX_WAITING = 10_000
"""Messages read and not yet asked for. When it is full the reader stops, and the server holds back or hangs up."""
POLL_S = 0.5
CONTROL_MESSAGES = ("limit", "disconnect", "warning")

_log = logging.getLogger(__name__)


class Backoff:
    """Pauses before the next attempt, in seconds, growing apart for each kind of failure."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A connection was healthy: start small again."""
        self._network = self._http = self._rate_limit = 0.0

    def network(self) -> float:
        """Connection refused, broken or silent: 0.25 s more each time."""
        self._network = min(self._network + NETWORK_STEP_S, NETWORK_MAX_S)
        return self._network

    def http(self) -> float:
        """An answer other than 200: doubling."""
        self._http = min(self._http * 2 or HTTP_FIRST_S, HTTP_MAX_S)
        return self._http

    def rate_limit(self) -> float:
        """Told to slow down: doubling, and every attempt in between makes it worse."""
        self._rate_limit = min(self._rate_limit * 2 or RATE_LIMIT_FIRST_S, RATE_LIMIT_MAX_S)
        return self._rate_limit


class Transport(TwythonStreamer):
    """Twython's session and signature with a loop that holds the connection by the rules."""

    def __init__(
        self,
        settings: TwitterSettings,
        on_line: Callable[[bytes], None],
        pause: Callable[[float], object],
        stall_s: float = STALL_S,
    ) -> None:
        """`on_line` gets each non-empty line; `pause(seconds)` waits."""
        super().__init__(
            settings.consumer_key.get_secret_value(),
            settings.consumer_secret.get_secret_value(),
            settings.access_token.get_secret_value(),
            settings.access_token_secret.get_secret_value(),
            client_args={"headers": {"User-Agent": "twitter-topics"}},
        )
        self._settings = settings
        self._on_line = on_line
        self._pause = pause
        self._timeout = (CONNECT_TIMEOUT_S, stall_s)
        self._backoff = Backoff()
        self.connected = True

    def follow(self) -> None:
        """Read until `disconnect()`: the filtered stream when there is something to track, else the sample.

        Raises:
            ConfigurationError: the server gave an answer that no repetition changes.
        """
        base = self._settings.stream_url.rstrip("/")
        languages = {"language": self._settings.languages} if self._settings.languages else {}
        if self._settings.track:
            self._request(f"{base}/statuses/filter.json", "POST", {"track": self._settings.track, **languages})
        else:
            self._request(f"{base}/statuses/sample.json", "GET", languages)

    def _request(self, url: str, method: str = "GET", params: dict[str, str] | None = None) -> None:
        while self.connected:
            seconds = self._read_once(url, method, params or {})
            if seconds and self.connected:
                self._pause(seconds)

    def _read_once(self, url: str, method: str, params: dict[str, str]) -> float:
        """One connection, from its opening to its end; returns how long to wait before the next."""
        arguments: dict[str, Any] = {"data": params} if method == "POST" else {"params": params}
        healthy = False
        try:
            with self.client.request(method, url, stream=True, timeout=self._timeout, **arguments) as response:
                if response.status_code != requests.codes.ok:
                    return self._refused(response.status_code)
                for line in whole_lines(response.iter_content(CHUNK_BYTES)):
                    if not self.connected:
                        return 0.0
                    healthy = True
                    self._backoff.reset()
                    if line:
                        self._on_line(line)
            problem = "the server ended it"
        except (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}"
        seconds = 0.0 if healthy else self._backoff.network()
        _log.warning("stream broke (%s), reconnecting in %.2f s; tweets in between are missed", problem, seconds)
        return seconds

    def _refused(self, status: int) -> float:
        if status in HOPELESS:
            msg = f"the stream answered {status}: {HOPELESS[status]}"
            raise ConfigurationError(msg)
        seconds = self._backoff.rate_limit() if status in RATE_LIMITED else self._backoff.http()
        _log.warning("the stream answered %d, next attempt in %.0f s", status, seconds)
        return seconds


class TwitterSource:
    """Tweets and deletion notices as they come in. A live stream has no past: what passes during a stop is not seen.

    A thread reads and queues, because Twython calls back and a slow Kafka must not let the connection run dry.
    """

    name = "twitter"

    def __init__(
        self,
        settings: TwitterSettings,
        start: Position,
        stop: threading.Event,
        pause: Callable[[float], object] | None = None,
        stall_s: float = STALL_S,
    ) -> None:
        """`pause(seconds)` waits between attempts; by default until `stop` is set."""
        self.start = start
        self._stop = stop
        self._closed = threading.Event()
        self._lines: queue.Queue[bytes] = queue.Queue(MAX_WAITING)
        self._transport = Transport(settings, self._put, pause or self._wait, stall_s)
        self._error: Exception | None = None
        self._reader = threading.Thread(target=self._read, name="twitter-stream", daemon=True)

    @classmethod
    def open(cls, settings: TwitterSettings, saved: Position | None, stop: threading.Event) -> TwitterSource:
        """Ready to connect; connects when `tweets` is asked.

        Raises:
            ConfigurationError: credentials are missing; names all of them.
        """
        require_credentials(settings)
        identity = {"url": settings.stream_url, "track": settings.track, "languages": settings.languages}
        known = saved is not None and dict(saved.identity) == identity
        return cls(settings, saved if known and saved is not None else Position(identity), stop)

    def tweets(self) -> Iterator[SourceTweet | None]:
        """What the stream brings, counted on from the start position. Raises what the reader met."""
        count = self.start.count
        self._reader.start()
        while True:
            try:
                line = self._lines.get(timeout=POLL_S)
            except queue.Empty:
                if not self._reader.is_alive():
                    break
                yield None
                continue
            message = read_message(line, count + 1)
            if message is not None:
                count = message.position
                yield message
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Hang up. The reader ends at its next line, or with the process."""
        self._closed.set()
        self._transport.disconnect()

    def _read(self) -> None:
        try:
            self._transport.follow()
        except Exception as error:  # noqa: BLE001 - raised again by `tweets`, in the thread that can end the process
            self._error = error
        finally:
            self._transport.client.close()

    def _wait(self, seconds: float) -> None:
        """Until the next attempt, or for good when asked to stop."""
        if self._stop.wait(seconds):
            self._transport.disconnect()

    def _put(self, line: bytes) -> None:
        while not (self._closed.is_set() or self._stop.is_set()):
            try:
                self._lines.put(line, timeout=POLL_S)
            except queue.Full:
                continue
            return


def require_credentials(settings: TwitterSettings) -> None:
    """Raises:
    ConfigurationError: at least one credential is empty; the message names every one.
    """
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    missing = [f"TWITTER_{name.upper()}" for name in names if not getattr(settings, name).get_secret_value()]
    if missing:
        msg = f"{', '.join(missing)} not set: the twitter_v1 source needs all four credentials of an app"
        raise ConfigurationError(msg)


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends, empty ones (keep-alive) too. A line that the connection cut off is left out."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r")


def read_message(line: bytes, position: int) -> SourceTweet | None:
    """A tweet or a deletion notice; None for what the server tells about the stream itself.

    Anything else is passed on as if it were a tweet: it ends among the dead letters, where somebody can look at it.
    """
    try:
        body = json.loads(line)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return _unknown(line, position)
    tweet_id = _deleted(body)
    kind: Kind = "tweet" if tweet_id is None else "deletion"
    tweet_id = tweet_id or tweet_identity(body)
    if tweet_id is not None:
        return SourceTweet(tweet_id.encode("utf-8", "replace"), line, tweet_time(body), position, kind)
    control = next((name for name in CONTROL_MESSAGES if name in body), None)
    if control is None:
        return _unknown(line, position)
    _log.warning("the stream says %s: %s", control, json.dumps(body[control])[:500])
    return None


def _deleted(body: dict[str, Any]) -> str | None:
    """Id of the tweet that must be deleted, from `{"delete": {"status": {"id_str": …}}}`."""
    notice = body.get("delete")
    status = notice.get("status") if isinstance(notice, dict) else None
    return tweet_identity(status) if isinstance(status, dict) else None


def _unknown(line: bytes, position: int) -> SourceTweet:
    key = f"message-{hashlib.sha256(line).hexdigest()[:16]}"
    return SourceTweet(key.encode(), line, None, position)
