"""Posts of X by the filtered stream of API v2.

A thin client on `requests`: Tweepy and X's own XDK bring loops whose waits, time-outs and give-up differ from X's
rules, and neither leaves room for a spend guard; what remains of them is one GET.
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
from producer.receiving.answers import Answer
from producer.receiving.gaps import GapWatch
from producer.receiving.http_stream import HttpStream, Pause, Rejection, Timeouts
from producer.receiving.rules import X
from producer.source import Context, Event
from producer.sources.x_v2 import rules
from producer.sources.x_v2.api import XApi, is_about_connections, rejection_sentence, used_by_day
from producer.sources.x_v2.limits import MAX_BACKFILL_S, Connects
from producer.sources.x_v2.mapping import Trouble, billed, parameters, read_line
from producer.sources.x_v2.spend import FILE, SpendGuard
from twitter_topics.contract.gap import Gap
from twitter_topics.errors import ConfigurationError, TwitterTopicsError
from twitter_topics.settings import Settings

FATAL = frozenset({400, 401, 403, 404, 409})
USAGE_EVERY_S = 3600.0
WRITE_AGAIN_S = 10.0

_log = logging.getLogger(__name__)


class XSource:
    """The filtered stream of one account. It has no past beyond five minutes, and these only for Enterprise."""

    name = "twitter"
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
        """Ready to connect; connects when `events` is asked.

        Raises:
            ConfigurationError: X_BEARER_TOKEN is missing.
            IntegrityError: the file with what was spent cannot be read.
        """
        identity = {"url": settings.x.api_url}
        known = saved if saved is not None and dict(saved.identity) == identity else None
        return cls(settings, known or SourcePosition(identity), context)

    def check(self) -> str:
        """Ask for the account's rules (450 times in 15 minutes are allowed), and what the project has used.

        Raises:
            ConfigurationError: wrong token, no access, no rule, or a rule file at fault.
            RetryableError: X does not answer, or not now.
        """
        account = rules.fetch(self._api)
        skew = self._api.skew
        if not account:
            msg = "the account has no rule, so that X would never send anything: write X_RULES_FILE and apply it"
            raise ConfigurationError(f"{msg} with `twitter-topics sources rules --apply`")
        if self._settings.rules_file:
            wanted = rules.read_rules(Path(self._settings.rules_file))
            todo = rules.plan(wanted, account)
            if todo:
                change = f"{len(todo.add)} to add, {len(todo.delete)} to delete"
                _log.warning("X's rules are not those of X_RULES_FILE (%s): `twitter-topics sources rules`", change)
        self._ask_usage()
        spend = self._guard.spend
        used = f"{spend.posts_this_month:,} posts and ${spend.dollars_this_month:,.2f} used this month"
        return f"X accepts the token; rules: {len(account)}; {used}" + (f"; {skew}" if skew else "")

    def events(self) -> Iterator[Event | None]:
        """What the stream brings.

        Raises:
            ConfigurationError: X refuses for good.
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
        """Hang up, and write what was spent."""
        self._stream.close()
        try:
            self._guard.close()
        except OSError as error:
            _log.warning("what was spent on X was not written (%s); the reserve that was is a little more", error)

    # --- in the reading thread

    def _may_connect(self) -> Pause | None:
        """Not more often than X allows, and not beyond a cap. X's own count is asked for now and then: it knows of what
        was under way when a connection broke, and of other apps in the project."""
        pause = self._connects.pause()
        if pause is not None:
            return pause
        now = self._context.monotonic()
        if self._usage_at is None or now - self._usage_at >= USAGE_EVERY_S:
            self._ask_usage()
        try:
            return self._guard.pause()
        except OSError as error:
            return Pause(WRITE_AGAIN_S, "spend-cap", f"what is spent on X cannot be written: {error}")

    def _connect(self, timeout: Timeouts) -> requests.Response:
        params = parameters(self._settings.authors)
        minutes = self._backfill_minutes()
        if minutes:
            params["backfill_minutes"] = str(minutes)
        self._connects.taken()
        response = self._api.stream(params, timeout)
        self._connects.heed(response.headers)
        return response

    def _backfill_minutes(self) -> int:
        """To ask for: what the gap needs, if that is allowed and enough."""
        now, alive = self._context.now_ms(), self._context.status.alive_ms
        gap_s = (now - alive) / 1000 if alive else math.inf
        if not self._settings.backfill_minutes or not 0 < gap_s <= MAX_BACKFILL_S:
            self._backfill = None
            return 0
        minutes = min(self._settings.backfill_minutes, math.ceil(gap_s / 60))
        self._backfill = (now - minutes * 60_000, now)
        return minutes

    def _received(self, line: bytes) -> bool:
        """Count a line's cost as soon as it is here, and hang up where it says or costs enough."""
        if not line or line.isspace():
            return False
        posts, users = billed(line)
        if not posts:
            trouble = read_line(line)
            if isinstance(trouble, Trouble) and trouble.cause:
                self._stream.hang_up(trouble.cause, trouble.sentence)
            return False
        try:
            enough = self._guard.received(posts, users)
        except OSError as error:
            enough = f"what is spent on X cannot be written: {error}"
        if enough:
            self._stream.hang_up("spend-cap", enough)
        return True

    def _explain(self, answer: Answer) -> Rejection:
        sentence = rejection_sentence(answer, self._context.now_ms())
        if self._backfill and answer.status in (400, 403):
            sentence += "; X_BACKFILL_MINUTES needs an Enterprise account, 0 asks for none"
        return Rejection(sentence, answer.status in FATAL, heed_reset=not is_about_connections(answer))

    # --- in either

    def _judged(self, event: Event) -> Event:
        """A gap that the backfill closed has cost nothing."""
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
            _log.info("X's own count of posts is not known: %s", error)
