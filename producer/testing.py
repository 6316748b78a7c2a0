"""Test doubles: a Kafka that acknowledges on demand, settings independent of the machine, files of tweets."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from kafka.errors import KafkaError, KafkaTimeoutError

from twitter_topics.settings import ProducerSettings, Settings

FIRST_MS = 1_200_000_000_000
"""2008-01-10T21:20:00Z."""


@dataclass
class FakeFuture:
    """Acknowledged when `is_done` without an `exception`. With `patient`, `get` acknowledges it."""

    is_done: bool = False
    exception: BaseException | None = None
    patient: bool = False

    def get(self, timeout: float | None = None) -> None:
        self.is_done = self.is_done or self.patient
        if not self.is_done:
            time.sleep(min(timeout or 0.0, 0.01))
            raise KafkaTimeoutError("not yet")
        if self.exception is not None:
            raise self.exception


@dataclass
class FakeKafka:
    """Keeps the records sent. With `acknowledge` off, only a wait acknowledges; when `dead`, nothing does.

    The record number `fail_at` fails with `error`.
    """

    acknowledge: bool = True
    fail_at: int | None = None
    error: KafkaError = field(default_factory=lambda: KafkaTimeoutError("too late"))
    dead: bool = False
    records: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = field(default_factory=list)
    futures: list[FakeFuture] = field(default_factory=list)
    closed: int = 0

    def send(self, topic: str, *, value: bytes, key: bytes, headers: list[tuple[str, bytes]]) -> FakeFuture:
        if len(self.futures) == self.fail_at:
            future = FakeFuture(is_done=True, exception=self.error)
        else:
            future = FakeFuture(is_done=self.acknowledge and not self.dead, patient=not self.dead)
        self.futures.append(future)
        self.records.append((topic, key, value, headers))
        return future

    def close(self, timeout: float | None = None) -> None:  # noqa: ARG002 - kafka-python's signature
        self.closed += 1

    def keys(self, topic: str) -> list[bytes]:
        return [key for sent_to, key, _, _ in self.records if sent_to == topic]


def settings_of(**values: object) -> Settings:
    """Return producer settings, by name without the prefix: `replay_file="tweets.jsonl"`."""
    return Settings({f"PRODUCER_{name.upper()}": str(value) for name, value in values.items()})


def producer_settings(**values: object) -> ProducerSettings:
    """Return only the producer section."""
    return settings_of(**values).producer


def tweet_lines(times_ms: list[int], first_id: int = 1) -> list[str]:
    """Return tweets that were written so many milliseconds after `FIRST_MS`."""
    return [
        json.dumps({"id_str": str(first_id + i), "text": f"tweet {i}", "timestamp_ms": str(FIRST_MS + time_ms)})
        for i, time_ms in enumerate(times_ms)
    ]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
