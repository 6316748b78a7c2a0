"""Replay of objects from a real S3 over an unreliable connection."""

from __future__ import annotations

import gzip
import json
import random
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import zstandard

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.sources.replay import ReplaySource
from producer.testing import tweet_lines
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from tests.conftest import Services

pytestmark = pytest.mark.contract

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def sent(source: ReplaySource) -> list[Event]:
    return [event for event in source.events() if event is not None]


def keys(events: list[Event]) -> list[int]:
    return [int(event.key) for event in events]


def after(source: ReplaySource, events: list[Event]) -> SourcePosition:
    return source.start.advanced(len(events), events[-1].cursor, None)


def text(first_id: int, count: int = 2) -> bytes:
    lines = tweet_lines([(first_id + i) * 1000 for i in range(count)], first_id)
    return "".join(f"{line}\n" for line in lines).encode()


class Bucket:
    """The test's own bucket, and settings that replay it."""

    def __init__(self, services: Services) -> None:
        self._services, self.name = services, f"replay-{uuid.uuid4().hex[:8]}"
        self.client: S3Client = s3_client(services.settings().s3)
        ensure_bucket(self.client, self.name)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def opened(
        self, saved: SourcePosition | None = None, prefix: str = "in/", context: Context | None = None, **settings: str
    ) -> ReplaySource:
        given = {"PRODUCER_REPLAY_FILE": f"s3://{self.name}/{prefix}", **settings}
        return ReplaySource.open(self._services.settings(**given), saved, context or Context())


@pytest.fixture
def bucket(services: Services) -> Bucket:
    return Bucket(services)


def test_objects_of_a_prefix_are_read_in_order_and_resumed_at_any_line(bucket: Bucket) -> None:
    for key, content in {
        "in/day-2/part-10.jsonl.zst": zstandard.compress(text(5)),
        "in/day-2/part-9.jsonl": text(3),
        "in/day-1/part-1.json.gz": gzip.compress(text(1)),
        "in/day-10/empty.jsonl": b"",
        "in/day-10/x.ndjson": text(7),
        "in/day-10/x.ndjson.tmp": text(90),
        "in/_temporary/x.ndjson": text(92),
        "in/_SUCCESS": b"",
        "in/": b"",
        "inside/x.jsonl": text(94),
    }.items():
        bucket.put(key, content)
    source = bucket.opened()
    whole = sent(source)
    assert keys(whole) == list(range(1, 9))
    assert whole[2].cursor == "in/day-2/part-9.jsonl\t1"
    assert source.check().startswith(f"replays s3://{bucket.name}/in/: 5 files, ")
    for done in range(1, len(whole)):
        assert sent(bucket.opened(after(source, whole[:done]))) == whole[done:]
    bucket.put("in/day-11/x.jsonl", text(9))
    assert keys(sent(bucket.opened(after(source, whole)))) == [9, 10]
    assert keys(sent(bucket.opened(prefix="in/day-2/part-9.jsonl"))) == [3, 4]
    bucket.put("a#b/c?d", text(11))
    assert keys(sent(bucket.opened(prefix="a#b/c?d"))) == [11, 12]


def test_listings_of_many_pages(bucket: Bucket) -> None:
    count = 1005
    for number in range(1, count + 1):
        bucket.put(f"in/{number}.json", text(number, 1))
    assert keys(sent(bucket.opened())) == list(range(1, count + 1))


def test_shift_reads_the_last_object_with_tweets(bucket: Bucket) -> None:
    bucket.put("in/1.json", text(1))
    bucket.put("in/2.json", text(3))
    bucket.put("in/3.json", b"no json\n")
    context = Context(now_ms=lambda: ms(NOW))
    events = sent(bucket.opened(context=context, PRODUCER_REPLAY_TIMES="shift"))
    assert [event.event_time_ms for event in events] == [ms(NOW) - back * 1000 for back in (3, 2, 1, 0)]


class BreakingLine:
    """A proxy to a server that cuts each of the first responses off after a number of bytes."""

    def __init__(self, host: str, port: int) -> None:
        self.cuts: list[int] = []
        self.broken = 0
        self._target = (host, port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._open: list[socket.socket] = [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(self._target)
                self._open += [near, far]
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()
                threading.Thread(target=self._pass_back, args=(far, near), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while content := near.recv(65536):
                far.sendall(content)

    def _pass_back(self, far: socket.socket, near: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while content := far.recv(65536):
                passed += len(content)
                if self.cuts and passed > self.cuts[0]:
                    self.cuts.pop(0)
                    self.broken += 1
                    break
                near.sendall(content)
            for one in (near, far):
                one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(services: Services) -> Iterator[BreakingLine]:
    host, _, port = services.settings().s3.endpoint_url.removeprefix("http://").partition(":")
    made = BreakingLine(host, int(port))
    yield made
    made.close()


def test_an_interrupted_read_resumes(bucket: Bucket, line: BreakingLine) -> None:
    noise = random.Random(1)
    rows = [
        json.dumps({"id_str": str(number), "text": noise.randbytes(300).hex(), "timestamp_ms": "1200000001000"})
        for number in range(1, 8001)
    ]
    content = "\n".join(rows).encode()
    bucket.put("in/1.jsonl", content)
    bucket.put("in/2.jsonl.gz", gzip.compress(content.replace(b'"id_str":', b'"x":1,"id_str":'), 1))
    waits: list[float] = []
    context = Context(pause=lambda seconds: bool(waits.append(seconds)))
    source = bucket.opened(context=context, S3_ENDPOINT_URL=f"http://127.0.0.1:{line.port}")
    line.cuts = [1_000_000, 2_000_000, 500_000, 1_500_000, 300_000]
    events = sent(source)
    assert keys(events) == [*range(1, 8001), *range(1, 8001)]
    assert len(content) > 5_000_000
    assert line.cuts == []
    assert line.broken == 5
    assert context.status.reconnects["network"] == len(waits) > 0
    assert all(0.25 <= wait <= 1 for wait in waits)  # every success resets the waits
    assert (context.status.connected, context.status.sentence) == (True, "")


def test_a_stop_ends_the_wait_for_an_unavailable_store(bucket: Bucket, line: BreakingLine) -> None:
    bucket.put("in/1.jsonl", b"".join(text(number) for number in range(1, 20_000, 2)))
    context = Context()
    sentences: list[str] = []

    def pause(_: float) -> bool:
        sentences.append(context.status.sentence)
        context.stop.set()
        return True

    context = Context(pause=pause)
    source = bucket.opened(context=context, S3_ENDPOINT_URL=f"http://127.0.0.1:{line.port}")
    line.cuts = [400_000] * 100
    events = sent(source)
    assert 0 < len(events) < 20_000
    assert keys(events) == list(range(1, len(events) + 1))
    assert len(sentences) == 1
    assert sentences[0].startswith("the object store fails: ")
    assert not context.status.connected


def test_closing_early_leaves_no_thread(bucket: Bucket) -> None:
    bucket.put("in/1.jsonl", b"x" * 30_000_000)
    bucket.put("in/0.jsonl", text(1))
    events = bucket.opened().events()
    assert next(event for event in events if event is not None).key == b"1"
    events.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name == "replay-download":
            thread.join(20)
            assert not thread.is_alive()


def test_an_object_that_changes_while_it_is_replayed(bucket: Bucket) -> None:
    bucket.put("in/1.jsonl", text(1))
    bucket.put("in/2.jsonl", text(3))
    source = bucket.opened()
    bucket.put("in/2.jsonl", text(3, 3))
    events: list[Event] = []
    with pytest.raises(IntegrityError, match=r"in/2.jsonl was changed or deleted"):
        events.extend(event for event in source.events() if event is not None)
    again = bucket.opened(after(source, events))
    assert keys([*events, *sent(again)]) == [1, 2, 3, 4, 5]
    source = bucket.opened()
    bucket.client.delete_object(Bucket=bucket.name, Key="in/2.jsonl")
    with pytest.raises(IntegrityError, match=r"in/2.jsonl was changed or deleted"):
        sent(source)


def test_store_errors_are_reported(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=rf"PRODUCER_REPLAY_FILE=s3://{bucket.name}/in/ has no objects"):
        bucket.opened()
    bucket.put("in/1.jsonl", b"\n")
    with pytest.raises(ConfigurationError, match="has no records"):
        bucket.opened()
    with pytest.raises(ConfigurationError, match=r"no-such-bucket.*NoSuchBucket.*S3_"):
        bucket.opened(PRODUCER_REPLAY_FILE="s3://no-such-bucket/x")
    with pytest.raises(ConfigurationError, match=r"S3_\*") as rejected:
        bucket.opened(S3_SECRET_ACCESS_KEY="wrong-secret")
    assert "wrong-secret" not in str(rejected.value)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with pytest.raises(RetryableError, match="Could not connect"):
        bucket.opened(S3_ENDPOINT_URL=f"http://127.0.0.1:{port}")
