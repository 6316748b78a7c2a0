"""What can be wrong with a store for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.proxy import Do, Proxy
from tests.waiting import until

if TYPE_CHECKING:
    from tests.faults.stack import BrokenStack
    from tests.faults.tweets import Stores

Fault = Callable[["BrokenStack", "Stores"], AbstractContextManager[None]]
_FOREVER = 10**9
_BULK = r"^(POST|PUT) [^ ]*/_bulk"
_DENIED = b'{"error":{"type":"security_exception","reason":"made up: not allowed"},"status":403}'
_BUSY = b'{"error":{"type":"es_rejected_execution_exception","reason":"made up: queue full"},"status":429}'


@dataclass(frozen=True)
class Outage:
    """A store that does not do its work inside `fault`'s block.

    `once`: it comes back by itself. `needs_root`: to mount a disk that can be filled.
    """

    name: str
    fault: Fault
    once: bool = False
    needs_root: bool = False


def _stopped(service: str) -> Fault:
    @contextmanager
    def fault(stack: BrokenStack, _: Stores) -> Iterator[None]:
        stack.stop(service)
        try:
            yield
        finally:
            stack.start(service)
            until(lambda: stack.is_ready(service), 240, f"{service} answers again", pause=0.2)

    return fault


def _paused(service: str) -> Fault:
    @contextmanager
    def fault(stack: BrokenStack, _: Stores) -> Iterator[None]:
        stack.pause(service)
        try:
            yield
        finally:
            stack.resume(service)

    return fault


def _killed(service: str) -> Fault:
    @contextmanager
    def fault(stack: BrokenStack, _: Stores) -> Iterator[None]:
        before = stack.pid(service)
        stack.kill(service)
        until(lambda: stack.pid(service) not in (0, before) and stack.is_ready(service), 240, f"{service} runs again")
        yield

    return fault


def _answers(proxy_of: Callable[[BrokenStack], Proxy], pattern: str, status: int, body: bytes = b"") -> Fault:
    @contextmanager
    def fault(stack: BrokenStack, _: Stores) -> Iterator[None]:
        with proxy_of(stack).rule(pattern, Do.ANSWER, times=_FOREVER, status=status, body=body):
            yield

    return fault


@contextmanager
def _index_closed(_: BrokenStack, stores: Stores) -> Iterator[None]:
    names = ",".join(stores.indices())
    stores.elasticsearch.indices.close(index=names)
    try:
        yield
    finally:
        stores.elasticsearch.indices.open(index=names, wait_for_active_shards="all")


@contextmanager
def _disk_full(_: BrokenStack, stores: Stores) -> Iterator[None]:
    """Elasticsearch finds its disk full: the flood stage is below what is used."""
    prefix = "cluster.routing.allocation.disk"
    settings: dict[str, str | bool | None] = {f"{prefix}.watermark.{name}": "0.1%" for name in ("low", "high")}
    settings |= {f"{prefix}.watermark.flood_stage": "0.1%", f"{prefix}.threshold_enabled": True}
    settings |= {"cluster.info.update.interval": "10s"}
    client = stores.elasticsearch
    client.cluster.put_settings(persistent=settings)
    try:
        locked = lambda: "read_only_allow_delete" in str(client.indices.get_settings(index=stores.indices()))  # noqa: E731
        until(locked, 60, "Elasticsearch finds its disk full", pause=0.5)
        yield
    finally:
        client.cluster.put_settings(persistent=dict.fromkeys(settings))
        client.indices.put_settings(index=stores.indices(), settings={"index.blocks.read_only_allow_delete": None})


@contextmanager
def _small_disk_full(stack: BrokenStack, _: Stores) -> Iterator[None]:
    assert stack.small_disk is not None, "this user cannot mount a small disk"
    ballast = stack.small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        ballast.unlink()


NAMES = {"kafka": "Kafka", "s3": "S3", "elasticsearch": "Elasticsearch", "influxdb": "InfluxDB"}

OUTAGES = (
    *(Outage(f"{name} is stopped", _stopped(service)) for service, name in NAMES.items()),
    *(Outage(f"{name} hangs (SIGSTOP)", _paused(service)) for service, name in NAMES.items()),
    *(Outage(f"{name} is killed (kill -9)", _killed(service), once=True) for service, name in NAMES.items()),
    Outage("Elasticsearch answers 429 to bulk requests", _answers(lambda s: s.elasticsearch, _BULK, 429, _BUSY)),
    Outage("Elasticsearch answers 403 to bulk requests", _answers(lambda s: s.elasticsearch, _BULK, 403, _DENIED)),
    Outage("Elasticsearch answers 503 to everything", _answers(lambda s: s.elasticsearch, "", 503)),
    Outage("the day's index is closed", _index_closed),
    Outage("Elasticsearch's disk is full (flood stage)", _disk_full),
    Outage("the disk of the checkpoints and the counts is full", _small_disk_full, needs_root=True),
    Outage("S3 answers 503 to everything", _answers(lambda s: s.s3, "", 503)),
    Outage("S3 answers 403 to everything", _answers(lambda s: s.s3, "", 403)),
    Outage("InfluxDB answers 503 to everything", _answers(lambda s: s.influxdb, "", 503)),
    Outage("InfluxDB answers 401 to everything", _answers(lambda s: s.influxdb, "", 401)),
)
