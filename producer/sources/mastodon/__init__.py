"""Posts from a Mastodon server's streaming API, over server-sent events.

The server has no replay: posts sent while we are not connected are missed, and the time is recorded as a gap.
https://docs.joinmastodon.org/methods/streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

import requests

from producer.position import SourcePosition
from producer.receiving import rules
from producer.receiving.gaps import GapWatch
from producer.receiving.http_stream import HttpStream, Timeouts
from producer.source import Context, Event
from producer.sources.mastodon.mapping import NAME, StatusMapper
from producer.sources.mastodon.sse import Assembler, ServerEvent
from twitter_topics.backends.http_answers import Answer, Bearer, probe, skew_sentence, user_agent
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import MastodonSettings, Settings

HOW = (
    "on the server open Preferences, Development, New application, give it the scope read:statuses and copy "
    '"Your access token" into MASTODON_ACCESS_TOKEN. Use an account of its own, without blocks, mutes or a language '
    "filter: the server applies them to the stream"
)
BAD_TOKEN = f"the token was rejected; it must be a user's, with the scope read:statuses: {HOW}"
FATAL = {
    401: BAD_TOKEN,
    403: f"the token has no access to this stream: {HOW}",
    404: "the stream does not exist: check MASTODON_URL and MASTODON_STREAM",
}


class MastodonSource:
    """Yields posts, edits and deletions as they arrive."""

    name = NAME
    live = True

    def __init__(
        self,
        settings: MastodonSettings,
        start: SourcePosition,
        context: Context,
        waits: rules.WaitRules = rules.MASTODON,
    ) -> None:
        self.start = start
        self._settings = settings
        self._context = context
        self._auth = Bearer(settings.access_token)
        languages = frozenset(code.strip().lower() for code in settings.languages.split(",") if code.strip())
        self._mapper = StatusMapper(urlsplit(settings.url).netloc.rpartition("@")[2], languages)
        self._watch = GapWatch(self.name, start, context)
        self._stream = HttpStream(
            self._connect,
            waits,
            FATAL,
            self._watch,
            context,
            name="mastodon-stream",
            counts_as_post=lambda _: False,  # `_read` counts those that pass the filter
        )

    @classmethod
    def open(cls, settings: Settings, saved: SourcePosition | None, context: Context) -> Self:
        """Return a source that connects once `events` is iterated.

        Raises:
            ConfigurationError: there is no token; the message explains how to create one.
        """
        mastodon = settings.mastodon
        if not mastodon.access_token.get_secret_value():
            raise ConfigurationError(f"MASTODON_ACCESS_TOKEN is not set, but Mastodon requires it since 4.2: {HOW}")
        identity = {"url": mastodon.url, "stream": mastodon.stream, "languages": mastodon.languages}
        return cls(mastodon, SourcePosition.of_stream(identity, saved), context)

    def check(self) -> str:
        """Ask whether the token is valid, where the server lets a token of our scope ask.

        Raises:
            ConfigurationError: it is not, or this is not a Mastodon server.
            RetryableError: the server is unreachable or busy.
        """
        url = f"{self._settings.url.rstrip('/')}/api/v1/apps/verify_credentials"
        answer = probe(url, self._auth)
        match answer.status:
            case 200:
                return f"{url}: the token is valid"
            case 401 if not answer.is_page:
                raise ConfigurationError(f"{url} answered 401: {self._rejection_sentence(answer)}")
            case 403 if not answer.is_page:  # before 4.3 this needs the scope `read`, which the stream does not
                return f"{url} answered 403: only opening the stream will show whether the token works"
            case 301 | 302 | 307 | 308:
                moved = answer.headers.get("Location", "")
                raise ConfigurationError(f"{url} redirects to {moved[:200]}: set MASTODON_URL to that server")
            case 404 | 410:
                raise ConfigurationError(
                    f"{url} answered {answer.status}: there is no Mastodon API at that address, check MASTODON_URL"
                )
            case status:
                raise RetryableError(f"{url} answered {status}: {answer.body_text()}")

    def events(self) -> Iterator[Event | None]:
        """Yield what the stream delivers. Raises the errors of its thread."""
        assembler, connection = Assembler(), 0
        for line in self._stream.lines():
            if connection != self._stream.connection:
                connection = self._stream.connection
                yield self._read(assembler.feed(b""))  # the last event may lack only its blank line
            yield self._read(assembler.feed(line)) if isinstance(line, bytes) else line

    def close(self) -> None:
        """Hang up."""
        self._stream.close()

    def _read(self, message: ServerEvent | None) -> Event | None:
        event = None if message is None else self._mapper.event(message)
        if event is not None and event.kind == "post":
            self._watch.count(1)
        return event

    def _rejection_sentence(self, answer: Answer) -> str:
        body = answer.body_text()
        return (skew_sentence(answer.headers, self._context.now_ms()) or BAD_TOKEN) + (
            f" (response: {body})" if body else ""
        )

    def _connect(self, timeouts: Timeouts) -> requests.Response:
        """Open the stream, following a redirect: large servers stream from another host."""
        kind, _, tag = self._settings.stream.rpartition("/") if "hashtag" in self._settings.stream else ("", "", "")
        path = f"{kind}?tag={quote(tag)}" if kind else self._settings.stream
        url = f"{self._settings.url.rstrip('/')}/api/v1/streaming/{path}"
        response = self._get(url, timeouts)
        target = urljoin(url, response.headers.get("Location", ""))
        if response.is_redirect and urlsplit(target).scheme in {"https", urlsplit(url).scheme}:
            response.close()
            response = self._get(target, timeouts)
        return response

    def _get(self, url: str, timeouts: Timeouts) -> requests.Response:
        headers = {"Accept": "text/event-stream", "User-Agent": user_agent()}
        with requests.Session() as session:
            return session.get(
                url, auth=self._auth, headers=headers, timeout=timeouts, stream=True, allow_redirects=False
            )


SOURCE = MastodonSource
