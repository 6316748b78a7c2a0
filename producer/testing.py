"""Doubles for tests: a Kafka that acknowledges when told, settings without the machine's own, files of tweets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from kafka.errors import KafkaTimeoutError

from twitter_topics.settings import ProducerSettings, Settings


@dataclass
class FakeFuture:
    """Acknowledged when `is_done`; `get` acknowledges it, or raises `error`."""

    is_done: bool = False
    error: Exception | None = None

    def get(self, timeout: float | None = None) -> None:  # noqa: ARG002 - kafka-python's signature
        self.is_done = True
        if self.error is not None:
            raise self.error


@dataclass
class FakeKafka:
    """Keeps what was sent. With `acknowledge` off, only `flush` or a wait acknowledges. Fails at number `fail_at`."""

    acknowledge: bool = True
    fail_at: int | None = None
    records: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = field(default_factory=list)
    futures: list[FakeFuture] = field(default_factory=list)
    flushes: int = 0

    def send(self, topic: str, *, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> FakeFuture:
        failed = len(self.futures) == self.fail_at
        future = FakeFuture(self.acknowledge or failed, KafkaTimeoutError("too late") if failed else None)
        self.futures.append(future)
        self.records.append((topic, key, value, headers))
        return future

    def flush(self, timeout: float | None = None) -> None:  # noqa: ARG002
        self.flushes += 1
        for future in self.futures:
            future.is_done = True

    def close(self, timeout: float | None = None) -> None:
        """Nothing to let go."""

    def keys(self, topic: str) -> list[bytes]:
        return [key for sent_to, key, _, _ in self.records if sent_to == topic]


def producer_settings(**values: object) -> ProducerSettings:
    """Settings by their names without the prefix: `replay_file="tweets.jsonl"`."""
    return Settings({f"PRODUCER_{name.upper()}": str(value) for name, value in values.items()}).producer


def tweet_lines(times_ms: list[int], first_id: int = 1) -> list[str]:
    return [
        json.dumps({"id_str": str(first_id + i), "text": f"tweet {i}", "timestamp_ms": str(time_ms)})
        for i, time_ms in enumerate(times_ms)
    ]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
