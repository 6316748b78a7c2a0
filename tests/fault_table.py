"""What happens to the posts for each network and each server fault. `python -m tests.fault_table` writes its part of
docs/faults.md; a test repeats the runs and compares.

Every cell is a run of the real source against the fake of its network, with a clock that advances only by waiting.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from producer.position import SourcePosition
from producer.receiving import rules
from producer.source import Context, Event, Source
from producer.sources.bluesky import BlueskySource
from producer.sources.mastodon import MastodonSource
from producer.sources.twitter_v1 import TwitterSource
from producer.sources.x_v2 import XSource
from tests.fakes import jetstream, script, x_api
from tests.fakes.bluesky_network import Network
from tests.fakes.bluesky_setup import start_of
from tests.fakes.mastodon import FakeMastodon, event
from tests.fakes.script import FakeClock, Step, cut, end, half, keep_open, message, posts, raw, stall, status
from tests.fakes.twitter_v1 import FakeTwitter
from tests.faults.page import PAGE, write
from twitter_topics.errors import ConfigurationError
from twitter_topics.records.gap import Gap
from twitter_topics.records.tweet import MAX_BYTES
from twitter_topics.settings import Settings

N = 12
FIRST = 4
"""Posts before the fault; the rest come after it."""
STALL_S = 2.0
NETWORKS = ("twitter_v1", "x_v2", "mastodon", "bluesky")

HEAD = """# What happens to the posts when a network misbehaves

Each cell is a run: the server sends {first} of {n} posts, then does what the first column says, and sends the rest
after the producer reconnects. Posts are counted by id. *Waits* are the pauses before reconnecting, from the network's
table in [`producer/receiving/rules.py`](../producer/receiving/rules.py) (without jitter). A *gap* is a record in
`source_gaps`: a period in which a network without replay may have sent posts. A rejection of
credentials ends a producer that was connected only after half an hour. This part is written by
`python -m tests.fault_table`; a test compares it with a new run.

"""

_TWITTER_ODD = (message(b'{"moon":{"phase":1}}'), message(b'{"text": "no end'), raw(b'{"text":"\xff"}\r\n'))
_MASTODON_ODD = (
    raw(event("moon", b'{"phase":1}')),
    raw(event("update", b'{"content": "no end')),
    raw(event("update", b'{"content":"\xff"}')),
)
_SKY_ODD = (jetstream.raw(b'{"kind":"moon"}'), jetstream.raw(b'{"did":'), jetstream.raw_binary(b'{"did":"\xff"}'))

Script = list[list[Step]]
Faults = dict[str, Script]


def _after(*fault: Step, then: Sequence[Step] = ()) -> Script:
    return [[posts(FIRST), *fault], *([list(then)] if then else []), [posts(N), keep_open]]


def _http_faults(arrived: Step, silence: Step, rejection: int, odd: Sequence[Step], deletion: Step) -> Faults:
    """Return the faults by name, for the three networks that stream over HTTP.

    Args:
        arrived: waits until everything sent has arrived: a reset discards what is in flight.
        silence: advances the clock past the time after which a connection is treated as dead.
        rejection: the status code of a rate limit.
        odd: an unknown message, broken JSON, invalid UTF-8.
        deletion: of a post.
    """
    big = [posts(FIRST), posts(1, length=10_000_000), posts(N), keep_open]
    return {
        "ends the response": _after(end),
        "ends it in the middle of a post": _after(half(), cut),
        "resets the connection in the middle of a post": _after(arrived, half(), script.reset),
        "falls silent": _after(script.keep_alive, arrived, silence, stall),
        "answers 503 three times": [
            [posts(FIRST), end],
            *[[status(503)]] * 3,
            [posts(N), keep_open],
        ],
        "answers with a rate limit, twice": [[posts(FIRST), end], *[[status(rejection)]] * 2, [posts(N), keep_open]],
        "answers with a rate limit until a time": _after(end, then=[status(rejection, {"Retry-After": "17"})]),
        "rejects the credentials on the first connection": [[status(401)]],
        "rejects them later, permanently": [[posts(FIRST), end], [status(401)]],
        "repeats posts": [[posts(FIRST), end], [script.again(3), posts(N), keep_open]],
        "sends an unknown message": [[posts(FIRST), odd[0], posts(N), keep_open]],
        "sends broken JSON": [[posts(FIRST), odd[1], posts(N), keep_open]],
        "sends invalid UTF-8": [[posts(FIRST), odd[2], posts(N), keep_open]],
        "sends a post of 10 MB": [big],
        "sends a deletion": [[posts(FIRST), deletion, posts(N), keep_open]],
    }


def _context(clock: FakeClock) -> Context:
    chance = random.Random(1)
    return Context(now_ms=clock.now_ms, monotonic=clock.monotonic, pause=clock.pause, random=chance)


def _until_received(context: Context) -> Step:
    """Return a step that waits until the posts before the fault have been read from the socket."""
    enough = FIRST * 200  # bytes: no post is shorter

    def wait(stream: script.Stream) -> None:
        while context.status.received_bytes < enough and not stream.connection.end.wait(0.001):
            continue
        stream.connection.end.wait(0.2)

    return wait


@contextmanager
def _twitter(context: Context, steps: Script, _: Path) -> Iterator[Source]:
    with FakeTwitter(steps, N) as server:
        settings = Settings(server.settings).twitter
        yield TwitterSource(settings, SourcePosition({}), context, replace(rules.X, stall_s=STALL_S))


@contextmanager
def _mastodon(context: Context, steps: Script, _: Path) -> Iterator[Source]:
    with FakeMastodon(steps, N) as server:
        settings = Settings(server.settings).mastodon
        yield MastodonSource(
            settings, SourcePosition({}), context, replace(rules.MASTODON, stall_s=STALL_S, jitter=0.0)
        )


@contextmanager
def _x(context: Context, steps: Script, folder: Path) -> Iterator[Source]:
    with (
        x_api.FakeX(N, steps, now_ms=context.now_ms) as server,
        patch("producer.sources.x_v2.X", replace(rules.X, stall_s=STALL_S)),
    ):
        settings = Settings({**server.settings, "PRODUCER_STATE_DIR": str(folder)})
        yield XSource.open(settings, None, context)


def _sky_faults() -> dict[str, list[Any]]:
    first, rest = jetstream.frames(FIRST), jetstream.follow
    return {
        "ends the response": [[first, jetstream.hang_up]],
        "ends it in the middle of a post": [[first, jetstream.half]],
        "resets the connection in the middle of a post": [[first, jetstream.reset]],
        "falls silent": [[first, jetstream.stall]],
        "answers 503 three times": [[first, jetstream.hang_up], *[[jetstream.status(503)]] * 3],
        "answers with a rate limit, twice": [[first, jetstream.hang_up], *[[jetstream.status(429)]] * 2],
        "answers with a rate limit until a time": [
            [first, jetstream.hang_up],
            [jetstream.status(429, Retry_After="17")],
        ],
        "repeats posts": [[first, jetstream.again(3), rest]],
        "sends an unknown message": [[first, _SKY_ODD[0], rest]],
        "sends broken JSON": [[first, _SKY_ODD[1], rest]],
        "sends invalid UTF-8": [[first, _SKY_ODD[2], rest]],
        "hangs up for operational reasons": [[first, jetstream.error("ConsumerTooSlow")]],
        "sends a deletion": [[first, rest]],
    }


@contextmanager
def _bluesky(context: Context, name: str, steps: list[Any], folder: Path) -> Iterator[Source]:
    network = Network(FIRST)
    if name == "sends a deletion":
        network.commit("delete", network.entries[0].body["rkey"], network.entries[0].did)
    for _ in range(N - FIRST):
        network.post()
    with jetstream.FakeJetstream(network, steps) as host:
        wire = "v2" if name == "hangs up for operational reasons" else "v1"
        given = {"BLUESKY_HOSTS": host.url, "BLUESKY_WIRE": wire, "PRODUCER_STATE_DIR": str(folder)}
        start = SourcePosition({}, cursor=start_of(network, host).text())
        stalled = STALL_S if name == "falls silent" else 10.0
        yield BlueskySource(Settings(given), start, context, replace(rules.BLUESKY, stall_s=stalled, jitter=0.0))


def outcome(source: Source, context: Context, clock: FakeClock) -> str:
    """Follow the source until all posts have arrived or it gives up; return the outcome as a sentence."""
    events: list[Event] = []
    given_up = ""
    try:
        for one in source.events():
            events += [one] if one is not None else []
            if len({known.key for known in events if known.kind == "post"}) == N:
                break
    except ConfigurationError as error:
        given_up = f"ends with exit code 78: “{str(error).split(':')[0]}: …”"
    finally:
        source.close()
    kinds = Counter(one.kind for one in events)
    distinct = len({one.key for one in events if one.kind == "post"})
    facts = [f"{distinct} of {N}"]
    if too_large := sum(one.kind == "post" and len(one.value) > MAX_BYTES for one in events):
        facts.append(f"{too_large} of them a dead letter (size)")
    facts += [f"{kinds['post'] - distinct} repeated"] if kinds["post"] > distinct else []
    facts += [f"{kinds['unreadable']} dead letter"] if kinds["unreadable"] else []
    facts += [f"{kinds['notice']} notice"] if kinds["notice"] else []
    gaps = [Gap.from_value(one.value) for one in events if one.kind == "gap"]
    facts += [f"gap of {gap.seconds:g} s ({gap.cause})" for gap in gaps if gap.seconds >= STALL_S]
    waits = [f"{seconds:g}" for seconds in clock.waits if seconds > 0]
    facts += [f"waits {', '.join(waits)} s"] if waits and not given_up else []
    return "; ".join([*facts, *([given_up] if given_up else [])])


def cells(network: str) -> dict[str, str]:
    """Return the outcome by fault."""
    found = {}
    with tempfile.TemporaryDirectory() as root:
        for number, name in enumerate(_names()):
            folder = Path(root) / str(number)
            folder.mkdir()
            clock = FakeClock()
            context = _context(clock)
            opened = _opened(network, name, context, clock, folder)
            if opened is not None:
                with opened as source:
                    found[name] = outcome(source, context, clock)
    return found


def _opened(network: str, name: str, context: Context, clock: FakeClock, folder: Path) -> Any:
    if network == "bluesky":
        steps = _sky_faults().get(name)
        return None if steps is None else _bluesky(context, name, steps, folder)
    steps = _faults_of(network, context, clock).get(name)
    opens: dict[str, Callable[..., Any]] = {"twitter_v1": _twitter, "x_v2": _x, "mastodon": _mastodon}
    return None if steps is None else opens[network](context, steps, folder)


def _faults_of(network: str, context: Context, clock: FakeClock) -> Faults:
    rules_of = {"twitter_v1": rules.X, "x_v2": rules.X, "mastodon": rules.MASTODON}
    arrived = _until_received(context)
    silence = script.do(lambda: clock.advance(rules_of[network].stall_s))
    match network:
        case "twitter_v1":
            deletion = message(b'{"delete":{"status":{"id_str":"1","user_id_str":"7"}}}')
            return _http_faults(arrived, silence, 420, _TWITTER_ODD, deletion)
        case "x_v2":
            deletion = message(
                b'{"data":{"delete":{"post":{"id":"1","author_id":"7"},"event_at":"2026-11-01T00:00:00Z"}}}'
            )
            found = _http_faults(arrived, silence, 429, _TWITTER_ODD, deletion)
            found["hangs up for operational reasons"] = _after(x_api.problem(x_api.OPERATIONAL_DISCONNECT), end)
            return found
        case _:
            return _http_faults(arrived, silence, 429, _MASTODON_ODD, message(b"1"))


def _names() -> list[str]:
    return [*_http_faults(keep_open, keep_open, 429, _TWITTER_ODD, keep_open), "hangs up for operational reasons"]


def page(networks: dict[str, dict[str, str]]) -> str:
    """Return the networks' part of the page in Markdown."""
    lines = [f"| the server … | {' | '.join(f'`{name}`' for name in networks)} |", "|---" * (len(networks) + 1) + "|"]
    rows = {name: [found.get(name, "–") for found in networks.values()] for name in _names()}
    lines += [f"| {name} | {' | '.join(row)} |" for name, row in rows.items()]
    return HEAD.format(first=FIRST, n=N) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    write(networks=page({network: cells(network) for network in NETWORKS}))
    sys.stdout.write(PAGE.read_text(encoding="utf-8"))
