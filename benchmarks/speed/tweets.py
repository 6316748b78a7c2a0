"""Files of tweets with ids and times of their own, from a file that the user gives, else made up."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from typing import TYPE_CHECKING, Any

from producer.sources.synthetic.stream import Stream
from producer.sources.synthetic.themes import load_themes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOUR_MS = 3_600_000
_OWN = ("id", "id_str", "timestamp_ms")


class Tweets:
    """An endless supply. No two files have a tweet in common."""

    def __init__(self, given: Path | None) -> None:
        self._given = given
        self._id = 1_000_000_000_000_000_000 + int(time.time()) * 10_000_000
        self._rests = self._endless()

    def write(self, path: Path, number: int, *, hours: float, ago_hours: float = 0) -> Path:
        """Write the next tweets, spread evenly over hours that end now or some hours ago, as gzipped lines."""
        end = int((time.time() - ago_hours * 3_600) * 1000)
        with gzip.open(path, "wb", compresslevel=1) as file:
            for at, rest in enumerate(itertools.islice(self._rests, number)):
                self._id += 1
                moment = int(end - (1 - at / number) * hours * _HOUR_MS)
                file.write(b'{"id": %d, "id_str": "%d", "timestamp_ms": "%d", ' % (self._id, self._id, moment) + rest)
        return path

    def texts(self, number: int) -> list[str]:
        return [body["text"] for body in itertools.islice(self._bodies(), number)]

    def _endless(self) -> Iterator[bytes]:
        """Yield lines of tweets from behind what each file has of its own, again and again: encoded once."""
        rests = []
        for body in self._bodies():
            rest = {name: value for name, value in body.items() if name not in _OWN}
            rests.append(json.dumps(rest, ensure_ascii=False).encode()[1:] + b"\n")
            yield rests[-1]
        yield from itertools.cycle(rests)

    def _bodies(self) -> Iterator[dict[str, Any]]:
        if self._given is None:
            stream = Stream(1, 10.0, 1_793_491_200_000, load_themes())
            yield from (stream.tweet(index)[1] for index in range(500_000))
        else:
            with gzip.open(self._given, "rb") as file:
                yield from map(json.loads, file)
