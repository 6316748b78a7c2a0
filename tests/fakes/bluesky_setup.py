"""Shared setup for the Bluesky source tests."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from producer.position import SourcePosition
from producer.receiving.rules import WaitRules
from producer.source import Context, Event
from producer.sources.bluesky import BlueskySource
from producer.sources.bluesky.cursor import JetstreamCursor
from tests.fakes.bluesky_network import Network
from tests.fakes.jetstream import FakeJetstream
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings

QUICK = WaitRules(0.001, 0.01, 0.001, 0.01, 0.001, 0.01, stall_s=30.0)
WIRES = ("v1", "v2")


def open_source(
    hosts: str,
    state: Path,
    saved: JetstreamCursor | str | None = None,
    context: Context | None = None,
    rules: WaitRules = QUICK,
    alive_ms: int = 0,
    **settings: Any,
) -> BlueskySource:
    """Open a source with further BLUESKY_ settings by name, keeping its files in `state` and resuming after `saved`."""
    given = {f"BLUESKY_{name.upper()}": str(value) for name, value in settings.items()}
    given |= {"BLUESKY_HOSTS": hosts, "PRODUCER_STATE_DIR": str(state)}
    text = saved.text() if isinstance(saved, JetstreamCursor) else saved
    start = SourcePosition({}, cursor=text or 0, alive_ms=alive_ms, rate=2.0)
    return BlueskySource(Settings(given), start, context or Context(), rules)


def start_of(network: Network, host: FakeJetstream) -> JetstreamCursor:
    """Return the cursor at the first entry, which is safe and will be requested again."""
    return JetstreamCursor(host.url, host.time_us(network.entries[0]), host.first_seq)


def collect(source: BlueskySource, posts: int) -> list[Event]:
    """Return events until this many different posts have arrived."""
    events, seen = [], set()
    for event in source.events():
        if event is None:
            continue
        events.append(event)
        if event.kind == "post":
            seen.add(event.key)
        if len(seen) == posts:
            break
    source.close()
    return events


def ids(events: list[Event]) -> list[str]:
    return [event.key.decode() for event in events if event.kind == "post"]


def gaps(events: list[Event]) -> list[Gap]:
    return [Gap.from_value(event.value) for event in events if event.kind == "gap"]


def in_order(events: list[Event]) -> bool:
    times = [JetstreamCursor.from_text(str(event.cursor)).time_us for event in events]
    return all(before <= after for before, after in pairwise(times))
