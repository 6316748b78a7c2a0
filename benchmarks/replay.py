"""Posts per second that the producer reads from files and gets acknowledged, by format, with CPU time and memory.

    make bench-replay                     # or: python benchmarks/replay.py --posts 50000

Starts its own Kafka and runs the real producer once for each format and round. Writes benchmarks/results/replay.json,
and docs/benchmarks.md from it.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import zstandard

PROJECT = Path(__file__).resolve().parents[1]
TOPICS = {f"KAFKA_{kind}_TOPIC": f"bench-{kind.lower()}" for kind in ("RAW", "DELETION", "DEAD_LETTER", "GAP")}
TOPIC = TOPICS["KAFKA_RAW_TOPIC"]
PLAIN = "v1.1 lines"
PER_PAGE, PER_MEMBER = 100, 1_000
ARRAY = "v1.1 in one JSON array"
Tweet = dict[str, Any]


def made_up(number: int) -> Iterator[Tweet]:
    """Generated tweets of the last hours."""
    from producer.sources.synthetic.stream import Stream
    from producer.sources.synthetic.themes import load_themes

    stream = Stream(1, 10.0, int(time.time() * 1000) - number * 100 - 60_000, load_themes())
    return (stream.tweet(index)[1] for index in range(number))


def lines(tweets: Iterable[Tweet]) -> Iterator[bytes]:
    return (json.dumps(tweet, ensure_ascii=False).encode() + b"\n" for tweet in tweets)


def pages(tweets: Iterable[Tweet]) -> Iterator[bytes]:
    """Pages of API v2 with their authors, as twarc2 writes them."""
    rest = iter(tweets)
    while page := list(itertools.islice(rest, PER_PAGE)):
        users = [{"id": tweet["user"]["id_str"], "username": tweet["user"]["screen_name"]} for tweet in page]
        content = {"data": [post_v2(tweet) for tweet in page], "includes": {"users": users}}
        yield json.dumps(content, ensure_ascii=False).encode() + b"\n"


def post_v2(tweet: Tweet) -> Tweet:
    moment = datetime.fromtimestamp(int(tweet["timestamp_ms"]) / 1000, UTC)
    counts = {"retweet_count": tweet["retweet_count"], "like_count": tweet["favorite_count"]}
    return {
        "id": tweet["id_str"],
        "text": tweet["text"],
        "created_at": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",
        "author_id": tweet["user"]["id_str"],
        "lang": tweet["lang"],
        "public_metrics": counts,
        "entities": {"hashtags": [{"tag": tag["text"]} for tag in tweet["entities"]["hashtags"]]},
    }


# --- the formats: each writes a file


def plain(path: Path, tweets: Iterable[Tweet]) -> None:
    with path.open("wb") as file:
        file.writelines(lines(tweets))


def gzipped(path: Path, tweets: Iterable[Tweet]) -> None:
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.writelines(lines(tweets))


def zstd(path: Path, tweets: Iterable[Tweet]) -> None:
    with path.open("wb") as file, zstandard.ZstdCompressor(level=10).stream_writer(file) as packed:
        for line in lines(tweets):
            packed.write(line)


def zipped(path: Path, tweets: Iterable[Tweet]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("tweets.jsonl", "w") as file:
        file.writelines(lines(tweets))


def tar_of_bz2(path: Path, tweets: Iterable[Tweet]) -> None:
    """A tar with a member for each minute, as the archives of the public stream are."""
    rest = lines(tweets)
    with tarfile.open(path, "w") as archive:
        for number in itertools.count():
            packed = bz2.compress(b"".join(itertools.islice(rest, PER_MEMBER)))
            if packed == bz2.compress(b""):
                return
            member = tarfile.TarInfo(f"{number // 60:02}/{number % 60:02}.json.bz2")
            member.size = len(packed)
            archive.addfile(member, io.BytesIO(packed))


def paged(path: Path, tweets: Iterable[Tweet]) -> None:
    with path.open("wb") as file:
        file.writelines(pages(tweets))


def array(path: Path, tweets: Iterable[Tweet]) -> None:
    with path.open("wb") as file:
        for at, tweet in enumerate(tweets):
            file.write((b"," if at else b"[") + json.dumps(tweet, ensure_ascii=False).encode())
        file.write(b"]")


FORMATS: dict[str, tuple[str, Callable[[Path, Iterable[Tweet]], None]]] = {
    PLAIN: ("tweets.jsonl", plain),
    "v1.1 lines, gzip": ("tweets.jsonl.gz", gzipped),
    "v1.1 lines, zstd": ("tweets.jsonl.zst", zstd),
    "v1.1 lines, zip": ("tweets.zip", zipped),
    "v1.1 lines, tar of bzip2": ("tweets.tar", tar_of_bz2),
    ARRAY: ("tweets.json", array),
    "pages of API v2": ("pages.jsonl", paged),
}


# --- one run of the producer


def replay(file: Path, address: str, folder: Path) -> dict[str, float]:
    """Run the producer until the file is sent: seconds, CPU seconds, and MB of memory at its peak."""
    environment = {
        **os.environ,
        **TOPICS,
        "KAFKA_BOOTSTRAP_SERVERS": address,
        "PRODUCER_SOURCE": "replay",
        "PRODUCER_REPLAY_FILE": str(file),
        "PRODUCER_STATE_DIR": tempfile.mkdtemp(dir=folder),
        "SPEED_HEALTH_DIR": tempfile.mkdtemp(dir=folder),
        "SPEED_MAX_AGE_DAYS": "36500",
    }
    log = (folder / "producer.log").open("wb")
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "producer"], cwd=PROJECT, env=environment, stdout=log, stderr=log)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the producer failed for {file.name}:\n{(folder / 'producer.log').read_text()[-2000:]}")
    return {"seconds": seconds, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}


def measure(options: argparse.Namespace, address: str, folder: Path) -> list[dict[str, Any]]:
    from twitter_topics.backends.kafka_offsets import end_offsets
    from twitter_topics.settings import Settings

    kafka = Settings({"KAFKA_BOOTSTRAP_SERVERS": address, **TOPICS}).kafka

    def sent() -> int:
        return sum(end_offsets(kafka, TOPIC).values())

    one = folder / "one.jsonl"
    plain(one, made_up(1))
    start = min((replay(one, address, folder) for _ in range(options.rounds)), key=lambda run: run["seconds"])
    rows = []
    for name, (file_name, write) in FORMATS.items():
        number = options.array_posts if name == ARRAY else options.posts
        path = folder / file_name
        write(path, made_up(number))
        runs = []
        for _ in range(options.rounds):
            before = sent()
            runs.append(replay(path, address, folder))
            if sent() - before != number:
                raise SystemExit(f"{name}: {sent() - before:,} of {number:,} posts are in Kafka")
        speeds = sorted(number / (run["seconds"] - start["seconds"]) for run in runs)
        rows.append(
            {
                "format": name,
                "posts": number,
                "megabytes": path.stat().st_size / 1e6,
                "per_second": statistics.median(speeds),
                "least": speeds[0],
                "most": speeds[-1],
                "cpu_us": statistics.median((run["cpu_s"] - start["cpu_s"]) / number * 1e6 for run in runs),
                "peak_mb": max(run["peak_mb"] for run in runs),
            }
        )
        print(f"{name:26} {rows[-1]['per_second']:8,.0f}/s {rows[-1]['cpu_us']:6.1f} µs {rows[-1]['peak_mb']:6.0f} MB")
        path.unlink()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--array-posts", type=int, default=650_000, help="of the JSON array; the default makes 1 GB")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from benchmarks import report
    from benchmarks.circumstances import machine
    from benchmarks.own_broker import broker_with

    with (
        tempfile.TemporaryDirectory(prefix="bench-replay-") as name,
        broker_with(TOPICS.values(), Path(name)) as broker,
    ):
        load = {"begin": os.getloadavg()[0]}
        rows = measure(options, broker.address, Path(name))
        load["end"] = os.getloadavg()[0]
    result = {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "options": vars(options),
        "machine": machine(),
        "versions": {"Python": platform.python_version()},
        "load": load,
        "formats": rows,
    }
    report.REPLAY.write_text(json.dumps(result, indent=1) + "\n")
    report.write()


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    main()
