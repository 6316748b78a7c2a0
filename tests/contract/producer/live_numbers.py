"""The real producer on a live source of numbers, which kills itself at a named point on request. Run by the tests.

    python -m tests.contract.producer.live_numbers [FIRST:]LAST [POINT NTH]

With FIRST the source has no cursor: a number cannot be requested again.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

from producer import __main__ as producer_main
from producer import durable, position, service
from producer.buffering import segments, spool
from producer.position import SourcePosition
from producer.sending import publisher
from producer.source import Context, Event
from producer.sources import bluesky
from twitter_topics.settings import Settings

NAME = "bluesky"
"""The source that the numbers replace."""


class Numbers:
    """Yields 1 to LAST, a few at a time. It can be re-read from any cursor, so a hole in Kafka is our loss."""

    name = "numbers"
    live = True

    def __init__(self, start: SourcePosition, context: Context) -> None:
        self.start = start
        self._context = context

    @classmethod
    def open(cls, _: Settings, saved: SourcePosition | None, context: Context) -> Self:
        return cls(saved or SourcePosition({"of": "numbers"}), context)

    def check(self) -> str:
        return "numbers are always there"

    def events(self) -> Iterator[Event | None]:
        first, forgets, last = sys.argv[1].rpartition(":")
        for number in range(int(first or int(self.start.cursor) + 1), int(last) + 1):
            cursor = 0 if forgets else number
            yield Event("post", str(number).encode(), b"{}" + b" " * (number % 500), 1_000 * number, cursor)
            if number % 20 == 0:
                yield None
                if self._context.wait(0.002):
                    return

    def close(self) -> None:
        """Do nothing: nothing is held open."""


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Failpoint:
    """Kills the process silently the n-th time it is reached."""

    def __init__(self, nth: int) -> None:
        self._left = nth

    def reached(self) -> bool:
        self._left -= 1
        return self._left == 0

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if self.reached():
                _die()
            return function(*arguments, **options)

        return wrapped

    def after(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            if self.reached():
                _die()
            return result

        return wrapped

    def torn(self, write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def wrapped(handle: int, content: Any) -> int:
            if self.reached():
                write(handle, bytes(content)[: len(content) // 2])
                _die()
            return write(handle, content)

        return wrapped


def arm(point: str, nth: int) -> None:
    """Insert a failpoint into the running code."""
    failpoint = Failpoint(nth)
    files: Any = SimpleNamespace(**vars(os))
    before, after = failpoint.before, failpoint.after
    match point:
        case "before write":
            files.write = before(os.write)
        case "in the middle of a write":
            files.write = failpoint.torn(os.write)
        case "after write, before sync":
            files.fdatasync = before(os.fdatasync)
        case "after sync":
            files.fdatasync = after(os.fdatasync)
        case "after a new segment":
            vars(segments)["sync_folder"] = after(durable.sync_folder)
        case "before send":
            publisher.KafkaPublisher.send = before(publisher.KafkaPublisher.send)  # type: ignore[method-assign]
        case "after send":
            publisher.KafkaPublisher.send = after(publisher.KafkaPublisher.send)  # type: ignore[method-assign]
        case "after acknowledgement, before saving":
            position.PositionFile.save = before(position.PositionFile.save)  # type: ignore[method-assign]
        case "in the middle of saving":
            durable.sync_folder = before(durable.sync_folder)  # segments has its own name for it
        case "after saving, before forgetting":
            position.PositionFile.save = after(position.PositionFile.save)  # type: ignore[method-assign]
        case "in the middle of forgetting":
            segments.Segments._delete = before(segments.Segments._delete)  # type: ignore[method-assign]
        case "after forgetting":
            segments.Segments._delete = after(segments.Segments._delete)  # type: ignore[method-assign]
        case _:
            raise ValueError(point)
    segments.os = files  # type: ignore[attr-defined]


POINTS = {
    "before write": 200,
    "in the middle of a write": 200,
    "after write, before sync": 200,
    "after sync": 200,
    "after a new segment": 80,
    "before send": 150,
    "after send": 150,
    "after acknowledgement, before saving": 10,
    "in the middle of saving": 10,
    "after saving, before forgetting": 10,
    "in the middle of forgetting": 10,
    "after forgetting": 10,
}
"""Each with the number of times it is reached in a second or two, while receiving, sending and saving all run."""


def main() -> int:
    """Replace Bluesky by the numbers; use small segments and save often, so that every point is reached many times."""
    bluesky.SOURCE = Numbers  # type: ignore[assignment]
    service.TICK_S = service._LOOK_S = 0.02
    vars(spool)["SEGMENT_BYTES"] = 20_000
    if len(sys.argv) > 2:
        arm(sys.argv[2], int(sys.argv[3]))
    return producer_main.main([])


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))
    sys.exit(main())
