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


class Tweets:
    """An endless supply. No two files have a tweet in common."""

    def __init__(self, given: Path | None) -> None:
        self._given = given
        self._id = 1_000_000_000_000_000_000 + int(time.time()) * 10_000_000
        self._bodies = self._endless()

    def write(self, path: Path, number: int, *, hours: float, ago_hours: float = 0) -> Path:
        """Write the next tweets, spread evenly over hours that end now or some hours ago, as gzipped lines."""
        end = int((time.time() - ago_hours * 3_600) * 1000)
        with gzip.open(path, "wb", compresslevel=1) as file:
            for at, body in enumerate(itertools.islice(self._bodies, number)):
                self._id += 1
                moment = int(end - (1 - at / number) * hours * _HOUR_MS)
                body |= {"id": self._id, "id_str": str(self._id), "timestamp_ms": str(moment)}
                file.write(json.dumps(body, ensure_ascii=False).encode() + b"\n")
        return path

    def texts(self, number: int) -> list[str]:
        return [body["text"] for body in itertools.islice(self._endless(), number)]

    def _endless(self) -> Iterator[dict[str, Any]]:
        while True:
            if self._given is None:
                yield from _made_up()
            else:
                with gzip.open(self._given, "rb") as file:
                    yield from map(json.loads, file)


def _made_up() -> Iterator[dict[str, Any]]:
    stream = Stream(1, 10.0, 1_793_491_200_000, load_themes())
    return (stream.tweet(index)[1] for index in range(500_000))
