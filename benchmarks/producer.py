"""Posts per second that one producer process spools and gets acknowledged, compared with two clients without a spool.

    make bench-producer                        # or: python benchmarks/producer.py --minutes 1

Starts its own Kafka. Every measurement runs in its own process; the competitors alternate for several rounds. Writes
benchmarks/results/producer.json, and docs/benchmarks.md from it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
TOPICS = {f"KAFKA_{kind}_TOPIC": f"bench-{kind.lower()}" for kind in ("RAW", "DELETION", "DEAD_LETTER", "GAP")}
TOPIC = TOPICS["KAFKA_RAW_TOPIC"]
WAYS = ("ours", "kafka-python", "confluent-kafka")
DIFFERENT = 5_000
TIME_MS = 1_793_491_200_000


def posts(size: int) -> list[bytes]:
    """Made-up posts of `size` bytes, as compressible as prose."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlucmfwyp", k=chance.randint(2, 9))) for _ in range(4_000)]
    made = []
    for number in range(DIFFERENT):
        frame = {
            "id_str": str(TIME_MS + number),
            "timestamp_ms": str(TIME_MS),
            "user": {"id_str": str(number)},
            "text": "",
        }
        room = size - len(json.dumps(frame))
        text = " ".join(chance.choices(words, k=room // 4))
        made.append(json.dumps(frame | {"text": text[:room]}).encode())
    assert {len(post) for post in made} == {size}
    return made


# --- one measurement, in its own process


def ours(address: str, number: int, size: int) -> dict[str, float]:
    from producer.source import Event

    values = posts(size)
    keys = [b"%d" % (10**18 + i) for i in range(number)]

    def events() -> Iterator[Event]:
        for i in range(number):
            yield Event("post", keys[i], values[i % DIFFERENT], TIME_MS, i + 1)

    run = _Run(address, events)
    cpu = time.process_time()
    run.follow()
    last, at = run.confirmed_at[-1]
    assert last == number
    seconds = at - run.began
    return {"per_second": number / seconds, "cpu_us": (time.process_time() - cpu) / number * 1e6}


def kafka_python(address: str, number: int, size: int) -> dict[str, float]:
    from kafka import KafkaProducer

    values = posts(size)
    keys = [b"%d" % (10**18 + i) for i in range(number)]
    client = KafkaProducer(
        bootstrap_servers=address,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=5,
        batch_size=128 * 1024,
        metrics_enabled=False,
    )
    client.partitions_for(TOPIC)
    headers = [("source", b"bench"), ("received_at", b"1793491200000")]
    futures: list[Any] = []
    cpu, began = time.process_time(), time.perf_counter()
    for i in range(number):
        futures.append(client.send(TOPIC, value=values[i % DIFFERENT], key=keys[i], headers=headers))
        if len(futures) == 20_000:
            futures[9_999].get(60)
            del futures[:10_000]
    client.flush(60)
    assert all(future.succeeded() for future in futures)
    seconds = time.perf_counter() - began
    return {"per_second": number / seconds, "cpu_us": (time.process_time() - cpu) / number * 1e6}


def confluent_kafka(address: str, number: int, size: int) -> dict[str, float]:
    from confluent_kafka import Producer  # type: ignore[import-not-found]

    values = posts(size)
    keys = [b"%d" % (10**18 + i) for i in range(number)]
    client = Producer(
        {
            "bootstrap.servers": address,
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            "batch.size": 128 * 1024,
            "partitioner": "murmur2_random",
        }
    )
    client.list_topics(TOPIC, 30)
    headers = [("source", b"bench"), ("received_at", b"1793491200000")]
    failed: list[Any] = []
    arrived = [0]

    def delivered(error: Any, _: Any) -> None:
        arrived[0] += 1
        if error is not None:
            failed.append(error)

    cpu, began = time.process_time(), time.perf_counter()
    for i in range(number):
        while True:
            try:
                client.produce(TOPIC, values[i % DIFFERENT], keys[i], headers=headers, on_delivery=delivered)
                break
            except BufferError:
                client.poll(0.05)
        if i % 1_000 == 0:
            client.poll(0)
    client.flush(60)
    assert arrived[0] == number
    assert not failed
    seconds = time.perf_counter() - began
    return {"per_second": number / seconds, "cpu_us": (time.process_time() - cpu) / number * 1e6}


def latency(address: str, number: int, rate: int) -> dict[str, float]:
    """Measure milliseconds from receiving a post of 450 bytes to its acknowledgement by Kafka, at a steady rate."""
    from producer.source import Event

    values = posts(450)
    given: list[float] = []

    def events() -> Iterator[Event]:
        due = time.perf_counter()
        for i in range(number):
            due += 1 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            given.append(time.perf_counter())
            yield Event("post", b"%d" % i, values[i % DIFFERENT], TIME_MS, i + 1)

    run = _Run(address, events)
    run.follow()
    waited, done = [], 0
    for upto, at in run.confirmed_at:
        waited += [(at - begin) * 1000 for begin in given[done:upto]]
        done = upto
    cuts = statistics.quantiles(waited[number // 20 :], n=100, method="inclusive")
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(waited[number // 20 :])}


def outage(address: str, number: int, rate: int) -> dict[str, float]:
    """Measure the memory of a process fed at a steady rate while its broker is down, and how it catches up."""
    import psutil

    from producer.source import Event

    values = posts(450)
    here = psutil.Process()
    seen: list[tuple[int, int, int]] = []
    ended = threading.Event()

    def events() -> Iterator[Event]:
        due = time.perf_counter()
        for i in range(number):
            due += 1 / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            yield Event("post", b"%d" % i, values[i % DIFFERENT], TIME_MS, i + 1)

    run = _Run(address, events, connected=False)

    def watch() -> None:
        while not ended.wait(1):
            waiting, on_disk = run.spool.backlog()
            seen.append((here.memory_info().rss, waiting, on_disk))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = here.memory_info().rss
    run.follow()
    ended.set()
    watcher.join()
    seen.append((here.memory_info().rss, 0, 0))
    return {
        "rss_start_mb": begin / 1e6,
        "rss_max_mb": max(rss for rss, _, _ in seen) / 1e6,
        "rss_end_mb": seen[-1][0] / 1e6,
        "spool_max_mb": max(on_disk for _, _, on_disk in seen) / 1e6,
        "spool_max_records": max(waiting for _, waiting, _ in seen),
        "threads_end": here.num_threads(),
    }


class _Run:
    """The complete producer, with a source that never fails and without reporting."""

    def __init__(self, address: str, events: Any, connected: bool = True) -> None:
        from producer import feed, service
        from producer.buffering import spool
        from producer.position import PositionFile, SourcePosition
        from producer.sending import kafka_client, publisher
        from producer.source import Context, Event
        from twitter_topics.settings import Settings

        settings = Settings({"KAFKA_BOOTSTRAP_SERVERS": address, **TOPICS}).kafka
        folder = Path(tempfile.mkdtemp(prefix="bench-spool-", dir=os.environ.get("BENCH_DIR")))
        context = Context()
        self.confirmed_at: list[tuple[int, float]] = []
        self.began = 0.0
        run = self

        class TimedSpool(spool.Spool):
            def confirm(self, number: int) -> None:
                run.confirmed_at.append((number, time.perf_counter()))
                super().confirm(number)

        class BenchSource:
            name, live, start = "bench", True, SourcePosition({})

            def check(self) -> str:
                return "made up"

            def events(self) -> Iterator[Event]:
                run.began = time.perf_counter()
                yield from events()

            def close(self) -> None:
                """Do nothing: nothing is held open."""

        class Silent:
            def add(self, confirmed: publisher.Confirmed) -> None: ...
            def report_if_due(self) -> None: ...
            def report(self, state: str, error: str = "") -> None: ...

        first = [kafka_client.connect(settings)] if connected else []

        def connect() -> publisher.KafkaPublisher:
            return publisher.KafkaPublisher(first.pop() if first else kafka_client.connect(settings), settings, "bench")

        self.spool = TimedSpool(folder, 4 << 30, context.now_ms)
        file = PositionFile(folder, "bench")
        source, begin = feed.resume(None, self.spool.recovered, lambda _: BenchSource())
        self.feed = feed.Feed(source, self.spool, begin)
        self.service = service.ProducerService(self.feed, connect, file, Silent(), context)

    def follow(self) -> None:
        with self.feed:
            self.service.run()


def child(arguments: list[str]) -> None:
    """`--child WAY ADDRESS NUMBER SIZE_OR_RATE`: measure and print one JSON object."""
    import logging

    from twitter_topics.backends.garbage import collect_seldom

    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    way, address, number, other = arguments
    collect_seldom()
    measure_way = {"ours": ours, "kafka-python": kafka_python, "latency": latency, "outage": outage}[way]
    print(json.dumps(measure_way(address, int(number), int(other))))


# --- all measurements


def measure(way: str, address: str, number: int, other: int, python: str = sys.executable) -> subprocess.Popen[str]:
    command = [python, __file__, "--child", way, address, str(number), str(other)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def answer(process: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a measurement failed: {process.args!r}")
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def throughput(address: str, options: argparse.Namespace, confluent: str | None) -> list[dict[str, Any]]:
    rows = []
    for size in (450, 2_000):
        number = options.records if size == 450 else options.records // 2
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                if way != "confluent-kafka":
                    found[way].append(answer(measure(way, address, number, size)))
                elif confluent:
                    found[way].append(answer(measure(way, address, number, size, confluent)))
        base = statistics.median([run["per_second"] for run in found["kafka-python"]])
        for way, runs in found.items():
            if runs:
                speeds = sorted(run["per_second"] for run in runs)
                rows.append(
                    {
                        "bytes": size,
                        "way": way,
                        "median": statistics.median(speeds),
                        "least": speeds[0],
                        "most": speeds[-1],
                        "cpu_us": statistics.median([run["cpu_us"] for run in runs]),
                        "ratio": statistics.median(speeds) / base,
                    }
                )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000, help="records of 450 bytes; half as many of 2,000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10, help="length of the outage; 0 skips it")
    parser.add_argument("--rate", type=int, default=500, help="posts a second during the outage")
    options = parser.parse_args()

    from benchmarks import report
    from benchmarks.circumstances import machine, python_with_confluent, versions
    from benchmarks.own_broker import broker_with

    with tempfile.TemporaryDirectory(prefix="bench-producer-") as name:
        os.environ["BENCH_DIR"] = name
        with broker_with(TOPICS.values(), Path(name)) as broker:
            confluent = python_with_confluent(Path(name))
            load = {"begin": os.getloadavg()[0]}
            result: dict[str, Any] = {
                "measured_on": datetime.now(UTC).date().isoformat(),
                "options": vars(options),
                "machine": machine(),
                "versions": versions(confluent),
                "load": load,
            }
            result["throughput"] = throughput(broker.address, options, confluent)
            result["latency"] = {
                rate: answer(measure("latency", broker.address, number, rate))
                for rate, number in ((5, 100), (1_000, 20_000))
            }
            if options.minutes:
                result["outage"] = _outage(broker, options)
            load["end"] = os.getloadavg()[0]
    report.RESULTS.parent.mkdir(exist_ok=True)
    report.RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    report.write()
    print(report.PAGE.read_text())


def _outage(broker: Any, options: argparse.Namespace) -> dict[str, float]:
    broker.kill()
    number = int(options.minutes * 60 * options.rate)
    process = measure("outage", broker.address, number, options.rate)
    try:
        process.wait(options.minutes * 60)
    except subprocess.TimeoutExpired:
        broker.start()
    return answer(process)


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    if sys.argv[1:2] == ["--child"]:
        if sys.argv[2] == "confluent-kafka":  # the project is not installed in its environment
            print(json.dumps(confluent_kafka(sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))))
        else:
            child(sys.argv[2:])
    else:
        main()
