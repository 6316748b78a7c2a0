"""Posts from X's filtered stream, API v2.

A thin client on `requests`: the loops of Tweepy and X's own XDK use waits, timeouts and limits that differ from X's
rules, and neither has room for a spend guard; what remains of them is one GET.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import requests

from producer.position import SourcePosition
from producer.receiving.gaps import GapWatch
from producer.receiving.http_stream import HttpStream, Pause, RejectedResponse, Timeouts
from producer.receiving.rules import X
from producer.source import Context, Event
from producer.sources.x_v2 import rules
from producer.sources.x_v2.limits import MAX_BACKFILL_S, Connects
from producer.sources.x_v2.mapping import Trouble, billed, parameters, read_line
from producer.sources.x_v2.spend import FILE, SpendGuard
from producer.sources.x_v2.usage import used_by_day
from twitter_topics.backends.http_answers import Answer, was_sent
from twitter_topics.backends.x_api import XApi, is_about_connections, rejection_sentence
from twitter_topics.errors import ConfigurationError, TwitterTopicsError
from twitter_topics.records.gap import Gap
from twitter_topics.records.tweet import TWITTER
from twitter_topics.settings import Settings

FATAL = frozenset({400, 401, 403, 404, 409})
USAGE_EVERY_S = 3600.0
WRITE_AGAIN_S = 10.0

_log = logging.getLogger(__name__)


class XSource:
    """The filtered stream of one account. X replays at most five minutes, and only for Enterprise accounts."""

    name = TWITTER
    live = True

    def __init__(self, settings: Settings, start: SourcePosition, context: Context) -> None:
        self.start = start
        self._settings = settings.x
        self._context = context
        self._api = XApi(settings.x, context.now_ms)
        self._guard = SpendGuard(settings.producer.state_dir / FILE, settings.x, context)
        self._connects = Connects(context)
        self._usage_at: float | None = None
        self._backfill: tuple[int, int] | None = None
        self._stream = HttpStream(
            self._connect,
            X,
            {},
            GapWatch("x_v2", start, context),
            context,
            name="x_v2",
            counts_as_post=self._received,
            explain=self._explain,
            may_connect=self._may_connect,
        )

    @classmethod
    def open(cls, settings: Settings, saved: SourcePosition | None, context: Context) -> Self:
        """Return a source that connects once `events` is iterated.

        Raises:
            ConfigurationError: X_BEARER_TOKEN is missing.
            IntegrityError: the spend file cannot be read.
        """
        identity = {"url": settings.x.api_url}
        return cls(settings, SourcePosition.of_stream(identity, saved), context)

    def check(self) -> str:
        """Ask for the account's rules (450 requests in 15 minutes are allowed) and the project's usage.

        Raises:
            ConfigurationError: wrong token, no access, no rules, or an invalid rule file.
            RetryableError: X does not answer, or asks us to wait.
        """
        account = rules.fetch(self._api)
        skew = self._api.skew
        if not account:
            msg = "the account has no rules, so X would never send anything: write X_RULES_FILE and apply it"
            raise ConfigurationError(f"{msg} with `twitter-topics sources rules --apply`")
        if self._settings.rules_file:
            wanted = rules.read_rules(Path(self._settings.rules_file))
            todo = rules.plan(wanted, account)
            if todo:
                change = f"{len(todo.add)} to add, {len(todo.delete)} to delete"
                _log.warning("X's rules differ from X_RULES_FILE (%s): run `twitter-topics sources rules`", change)
        self._ask_usage()
        spend = self._guard.spend
        used = f"{spend.posts_this_month:,} posts and ${spend.dollars_this_month:,.2f} used this month"
        return f"X accepts the token; rules: {len(account)}; {used}" + (f"; {skew}" if skew else "")

    def events(self) -> Iterator[Event | None]:
        """Yield what the stream delivers.

        Raises:
            ConfigurationError: X rejects us permanently.
        """
        for item in self._stream.lines():
            if isinstance(item, Event):
                yield self._judged(item)
            elif not item or item.isspace():
                yield None
            else:
                event = read_line(item)
                if isinstance(event, Trouble):
                    _log.warning("x_v2: %s", event.sentence)
                elif event is not None:
                    yield event

    def close(self) -> None:
        """Hang up and save the spend."""
        self._stream.close()
        try:
            self._guard.close()
        except OSError as error:
            _log.warning(
                "could not save the exact X spend (%s); the file has slightly more, reserved in advance", error
            )

    # --- called by the reading thread

    def _may_connect(self) -> Pause | None:
        """Connect no more often than X allows, and not beyond a cap. X's own count is fetched hourly: it includes posts
        in flight when a connection was lost, and other apps of the project."""
        pause = self._connects.pause()
        if pause is not None:
            return pause
        now = self._context.monotonic()
        if self._usage_at is None or now - self._usage_at >= USAGE_EVERY_S:
            self._ask_usage()
        try:
            return self._guard.pause()
        except OSError as error:
            return Pause(WRITE_AGAIN_S, "spend-cap", f"cannot save the X spend: {error}")

    def _connect(self, timeout: Timeouts) -> requests.Response:
        params = parameters(self._settings.authors)
        minutes = self._backfill_minutes()
        if minutes:
            params["backfill_minutes"] = str(minutes)
        try:
            response = self._api.stream(params, timeout)
        except requests.RequestException as error:
            if was_sent(error):
                self._connects.taken()
            raise
        self._connects.taken()
        self._connects.heed(response.headers)
        return response

    def _backfill_minutes(self) -> int:
        """Return the backfill to request: what the gap needs, if allowed and sufficient, else 0."""
        now, alive = self._context.now_ms(), self._context.status.alive_ms
        gap_s = (now - alive) / 1000 if alive else math.inf
        if not self._settings.backfill_minutes or not 0 < gap_s <= MAX_BACKFILL_S:
            self._backfill = None
            return 0
        minutes = min(self._settings.backfill_minutes, math.ceil(gap_s / 60))
        self._backfill = (now - minutes * 60_000, now)
        return minutes

    def _received(self, line: bytes) -> bool:
        """Count a line's cost on arrival, and hang up if it reports an error or reaches a cap."""
        if not line or line.isspace():
            return False
        posts, users = billed(line)
        if not posts:
            trouble = read_line(line)
            if isinstance(trouble, Trouble) and trouble.cause:
                self._stream.hang_up(trouble.cause, trouble.sentence)
            return False
        try:
            stop_sentence = self._guard.received(posts, users)
        except OSError as error:
            stop_sentence = f"cannot save the X spend: {error}"
        if stop_sentence:
            self._stream.hang_up("spend-cap", stop_sentence)
        return True

    def _explain(self, answer: Answer) -> RejectedResponse:
        sentence = rejection_sentence(answer, self._context.now_ms())
        if self._backfill and answer.status in (400, 403):
            sentence += "; X_BACKFILL_MINUTES needs an Enterprise account, set it to 0"
        return RejectedResponse(sentence, answer.status in FATAL, heed_reset=not is_about_connections(answer))

    # --- called by both threads

    def _judged(self, event: Event) -> Event:
        """Set the missing posts of a gap that the backfill covered to 0."""
        backfill = self._backfill
        if event.kind != "gap" or backfill is None:
            return event
        gap = Gap.from_value(event.value)
        since, asked = backfill
        if since <= gap.from_ms and asked <= gap.to_ms:
            return event._replace(value=replace(gap, estimated_posts=0).value())
        return event

    def _ask_usage(self) -> None:
        self._usage_at = self._context.monotonic()
        try:
            self._guard.learn(used_by_day(self._api))
        except (TwitterTopicsError, OSError) as error:
            _log.info("could not fetch X's own post count: %s", error)


SOURCE = XSource
