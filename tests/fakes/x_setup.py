"""X sources for the fake server, with a clock that advances only by waiting."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.sources.x_v2 import XSource
from tests.fakes import script
from tests.fakes.script import FakeClock, Step
from tests.fakes.x_api import TOKEN, FakeX
from tests.waiting import until
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings

NOW_MS = 1_793_534_400_000
"""2026-11-01T12:00:00Z: noon, so that no wait of a test reaches the next day unless it means to."""


class Setup:
    """Sources that a test opens, closed at its end without leftovers."""

    def __init__(self, state_dir: Path, clock: FakeClock) -> None:
        self.state_dir = state_dir
        self.clock = clock
        self.context = self.new_context()
        self._sources: list[XSource] = []

    def new_context(self) -> Context:
        clock = self.clock
        return Context(now_ms=clock.now_ms, monotonic=clock.monotonic, random=random.Random(1), pause=clock.pause)

    def settings(self, x: FakeX | str, **others: str) -> Settings:
        url = x if isinstance(x, str) else x.url
        given = {"X_BEARER_TOKEN": TOKEN, "X_API_URL": url, "PRODUCER_STATE_DIR": str(self.state_dir)}
        return Settings(given | others)

    def source(self, x: FakeX | str, saved: SourcePosition | None = None, **others: str) -> XSource:
        self.context = self.new_context()
        self._sources.append(XSource.open(self.settings(x, **others), saved, self.context))
        return self._sources[-1]

    def stop_at_the_first_wait(self) -> None:
        self.clock.pause = lambda _: True  # type: ignore[method-assign, assignment]

    def arrived(self, number: int) -> Step:
        """Wait until this many posts were read: posts in flight when a connection is reset never arrive."""

        def wait() -> None:
            until(lambda: (spend := self.context.status.spend) and spend.posts_this_month >= number, pause=0.001)

        return script.do(wait)

    @classmethod
    @contextmanager
    def closing(cls, state_dir: Path) -> Iterator[Self]:
        with script.nothing_left_behind():
            made = cls(state_dir, FakeClock(NOW_MS))
            yield made
            made.close()

    def close(self) -> None:
        for source in self._sources:
            source.close()


def follow(source: XSource, number: int) -> list[Event]:
    """Return events until this many posts (edits included) have arrived."""
    found: list[Event] = []
    for event in source.events():
        if event is not None:
            found.append(event)
        if sum(one.kind in ("post", "edit") for one in found) >= number:
            break
    source.close()
    return found


def ids(events: list[Event]) -> list[str]:
    return [event.key.decode() for event in events if event.kind == "post"]


def gaps(events: list[Event]) -> list[Gap]:
    return [Gap.from_value(event.value) for event in events if event.kind == "gap"]
