"""Damaged files are gaps that name them, and everything else is sent; memory is bounded whatever a file claims."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from producer.source import Event
from producer.sources.replay.compression import MAX_PIECE_BYTES, inflated
from producer.sources.replay.containers import texts
from producer.sources.replay.material import DamagedError
from producer.sources.replay.values import values
from tests.input_files import V1
from tests.input_forms import IDS, lines, tarred, tweet, zipped
from tests.unit.producer.sources.replay.test_replay import NOW_MS, after, opened, sent
from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.records.gap import Gap
from twitter_topics.settings import PROJECT

MB = 1024 * 1024
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}


def many(count: int) -> bytes:
    return lines([tweet(0) | {"id_str": str(1000 + number)} for number in range(count)])


def summary(events: list[Event]) -> tuple[int, list[str]]:
    """Return the number of posts, and the causes of the gaps."""
    gaps = [Gap.from_value(event.value).cause for event in events if event.kind == "gap"]
    return sum(event.kind == "post" for event in events), gaps


def test_a_damaged_member_of_a_zip_is_a_gap(tmp_path: Path) -> None:
    content = bytearray(zipped({"a.jsonl": V1, "b.jsonl": V1, "c.jsonl": V1}, zipfile.ZIP_STORED))
    content[content.index(b"number 1", content.index(b"b.jsonl"))] ^= 1
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    count, (gap,) = summary(sent(opened(path)))
    assert count >= 6
    assert gap.startswith("damaged: x.zip/b.jsonl is damaged: Bad CRC-32")


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_damaged_member_of_a_tar_is_a_gap(tmp_path: Path, suffix: str) -> None:
    broken = PACKERS[suffix](V1)[:-9]
    path = tmp_path / "x.tar"
    path.write_bytes(tarred({"a.json": V1, f"b.json{suffix}": broken, "c.json": V1}))
    count, gaps = summary(sent(opened(path)))
    assert gaps == [f"damaged: x.tar/b.json{suffix} is truncated"]
    assert count >= 6


@pytest.mark.parametrize("suffix", PACKERS)
def test_what_is_before_the_damage_is_sent_and_the_next_file_too(tmp_path: Path, suffix: str) -> None:
    chance = many(20_000)
    packed = PACKERS[suffix](chance)
    (tmp_path / f"1.jsonl{suffix}").write_bytes(packed[: len(packed) * 2 // 3])
    (tmp_path / "2.jsonl").write_bytes(V1)
    events = sent(opened(tmp_path))
    count, gaps = summary(events)
    assert gaps == [f"damaged: 1.jsonl{suffix} is truncated"]
    assert [event.key.decode() for event in events[-3:]] == IDS
    assert events[-4].kind == "gap"
    if suffix != ".xz":  # one block, whose parts come out late
        assert count > 5_000


@pytest.mark.parametrize("cut", [600, 1024, 1500, 2100, 2900])
def test_a_truncated_tar_yields_what_it_has(tmp_path: Path, cut: int) -> None:
    whole = tarred({f"{number}.json": lines([tweet(number % 3)]) for number in range(3)})
    (tmp_path / "x.tar").write_bytes(whole[:cut])
    (tmp_path / "y.jsonl").write_bytes(V1)
    count, gaps = summary(sent(opened(tmp_path)))
    assert gaps
    assert all("x.tar" in gap for gap in gaps)
    assert 3 <= count < 6


def test_a_damaged_header_in_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    content = bytearray(tarred({f"{number}.json": lines([tweet(number % 3)]) for number in range(3)}))
    content[content.index(b"1.json")] ^= 255
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    assert summary(sent(opened(path))) == (
        1,
        ["damaged: x.tar is damaged: no valid header after the last member that was read"],
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_tars_one_after_the_other_are_all_read(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    each = [pack(tarred({"a.json": lines([tweet(number)] * (3 - number))})) for number in range(3)]
    path = tmp_path / "x.tar"
    path.write_bytes(b"".join(each) + pack(bytes(5 * 512)))
    source = opened(path, replay_strict=True)
    events = sent(source)
    assert [event.key.decode() for event in events] == [IDS[0]] * 3 + [IDS[1]] * 2 + [IDS[2]]
    for done in range(1, len(events)):
        assert sent(opened(path, after(source, events[:done]))) == events[done:]


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (V1, "x.tar is damaged: bytes after the end of the archive"),
        (b"x" * 100, "x.tar is damaged: bytes after the end of the archive"),
        (tarred({"b.json": V1})[:1500], "x.tar/archive 2/b.json is damaged: unexpected end of data"),
    ],
    ids=["lines", "less than a block", "half a tar"],
)
def test_what_follows_the_end_of_a_tar_is_not_lost_in_silence(tmp_path: Path, added: bytes, said: str) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tarred({"a.json": lines([tweet(0)])}) + added)
    count, gaps = summary(sent(opened(path)))
    assert (count > 0, gaps[:1]) == (True, [f"damaged: {said}"])
    with pytest.raises(IntegrityError, match="damaged"):
        sent(opened(path, replay_strict=True))


def test_a_zip_before_another_is_not_lost_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({"a.jsonl": V1}) + zipped({"b.jsonl": lines([tweet(0)])}))
    assert summary(sent(opened(path))) == (
        1,
        ["damaged: x.zip is damaged: only the last of the archives in it is read"],
    )


def test_a_damaged_array_is_sent_up_to_the_damage(tmp_path: Path) -> None:
    body = json.dumps([tweet(0), tweet(1), tweet(2)]).replace('"id": 1990000000000000303', '"id" 5')
    path = tmp_path / "x.json"
    path.write_text(body)
    source = opened(path)
    events = sent(source)
    assert summary(events) == (2, ["damaged: x.json is damaged after record 2: Expecting ':' delimiter"])
    again = sent(opened(path, after(source, events[:2])))
    assert summary(again) == (0, ["damaged: x.json is damaged after record 2: Expecting ':' delimiter"])
    path.write_text(json.dumps([tweet(0), tweet(1), tweet(2)]))
    assert [event.key.decode() for event in sent(opened(path, after(source, events[:2])))] == IDS[2:]
    path.write_text(body.replace('"id" 5', '"id": 5')[:-40])
    with pytest.raises(IntegrityError, match="truncated after record 2"):
        sent(opened(path, replay_strict=True))


def test_damage_that_is_read_again_is_the_same_gap(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(V1, compresslevel=0)[:-20])
    for times in ("keep", "shift"):
        source = opened(path, replay_times=times)
        *posts, gap = sent(source)
        saved = replace(after(source, posts), event_time_ms=posts[-1].event_time_ms or 0)
        (again,) = sent(opened(path, saved, now_ms=NOW_MS + 1_000, replay_times=times))
        assert again == gap
        assert gap.kind == "gap"


def test_strict_counts_old_tweets_and_finds_the_newest_in_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([tweet(0), tweet(1), tweet(2)])[:-40])
    for times in ("keep", "shift"):
        source = opened(path, replay_strict=True, replay_times=times)
        assert "v1.1 tweets, in a JSON array" in source.check()
        assert source.oldest_ms() is not None
        events: list[Event] = []
        with pytest.raises(IntegrityError, match="truncated after record 2"):
            events.extend(event for event in source.events() if event is not None)
        assert summary(events) == (2, [])


def test_the_gap_lies_between_the_tweets_around_it(tmp_path: Path) -> None:
    for number, content in enumerate([lines([tweet(0)]), b"", lines([tweet(2)])]):
        (tmp_path / f"{number}.jsonl.gz").write_bytes(gzip.compress(content) if content else b"broken")
    (event,) = [one for one in sent(opened(tmp_path)) if one.kind == "gap"]
    gap = Gap.from_value(event.value)
    assert (gap.from_ms, gap.to_ms) == (int(tweet(0)["timestamp_ms"]), int(tweet(2)["timestamp_ms"]))
    assert event.cursor == 0
    assert gap.cause == "damaged: 1.jsonl.gz is damaged: it begins neither as its name says nor as text"


def test_only_damage_is_an_error_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped({"a.jsonl": V1})[:-30])
    with pytest.raises(ConfigurationError, match=r"x.zip is damaged: File is not a zip file"):
        opened(path)


def test_names_in_archives_cannot_break_a_gap(tmp_path: Path) -> None:
    name = b"\xff\xfe".decode("utf-8", "surrogateescape") + "\x1b[31m\n.gz"
    (tmp_path / "x.tar").write_bytes(tarred({name: b"broken"}))
    (tmp_path / "y.jsonl").write_bytes(V1)
    count, (gap,) = summary(sent(opened(tmp_path)))
    assert count == 3
    assert gap == "damaged: x.tar/???[31m?.gz is damaged: it begins neither as its name says nor as text"


def test_a_header_of_a_tar_cannot_be_huge() -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    with pytest.raises(DamagedError, match="header of 1073741824 bytes"):
        read(info.tobuf() + bytes(4096))


def read(content: bytes) -> int:
    found = filter(None, texts("x", iter([content]), lambda _: True))
    return sum(len(chunk) for text in found for chunk in text.chunks if chunk)


def zeros(pack: Callable[[bytes], bytes], megabytes: int) -> bytes:
    return pack(bytes(MB)) * megabytes


def wide_zstd() -> bytes:
    """Return 48 KiB that are 1.5 GiB: blocks of 128 KiB that repeat a byte, in a window as wide as is allowed."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    end = (1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\x00" + bytes([(27 - 10) << 3]) + block * (12 * 1024) + end


def xz_of_zeros() -> bytes:
    engine = lzma.LZMACompressor()
    return b"".join([*(engine.compress(bytes(MB)) for _ in range(300)), engine.flush()])


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: zeros(gzip.compress, 300),
    "bzip2": lambda: bz2.compress(bytes(300 * MB)),
    "xz": xz_of_zeros,
    "zstd": wide_zstd,
}


@pytest.mark.parametrize("name", BOMBS)
def test_little_that_becomes_much_comes_in_pieces(name: str) -> None:
    packed = BOMBS[name]()
    assert len(packed) < 400_000
    pieces = [len(chunk) for chunk in inflated([packed], "x") if chunk]
    assert sum(pieces) >= 300 * MB
    assert max(pieces) <= (33 * MB if name == "zstd" else MAX_PIECE_BYTES)


def test_a_value_without_end_is_not_kept() -> None:
    held = 0

    def endless() -> object:
        nonlocal held
        while True:
            held += MB
            yield b'{"text":"' + b"x" * MB if held == MB else b"x" * MB

    with pytest.raises(DamagedError, match="a value of more than 16777216 bytes"):
        list(values(endless(), "x"))  # type: ignore[arg-type]
    assert held < 20 * MB


BOUNDED = """
import sys
from pathlib import Path
from producer.source import Context
from producer.sources.replay import ReplaySource
from twitter_topics.settings import Settings
def peak():  # not ru_maxrss, which begins with the size of the process that started this one
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = peak()
source = ReplaySource.open(Settings({"PRODUCER_REPLAY_FILE": sys.argv[1]}), None, Context())
count = sum(event is not None and event.kind == "post" for event in source.events())
print(count, (peak() - before) // 1024)
"""


def huge_array(path: Path) -> int:
    element = json.dumps(tweet(0) | {"text": "x" * 5_000}).encode()
    with path.open("wb") as file:
        file.write(b"[")
        for number in range(30_000):
            file.write((b",\n" if number else b"") + element)
        file.write(b"]")
    return 30_000


def bomb_in_a_zip(path: Path) -> int:
    path.write_bytes(zipped({"a.jsonl": V1, "b.json": wide_zstd()}))
    return 3


def bzip2_in_a_zip(path: Path) -> int:
    path.write_bytes(zipped({"a.jsonl": V1, "b.jsonl": V1 + b" " * (200 * MB)}, zipfile.ZIP_BZIP2))
    return 6


def many_members(path: Path) -> int:
    with gzip.open(path, "wb", 1) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for number in range(20_000):
            content = lines([tweet(number % 3)])
            info = tarfile.TarInfo(f"{number:06}.json")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return 20_000


@pytest.mark.parametrize(
    ("make", "most"),
    [
        (huge_array, 50),
        (bomb_in_a_zip, 500),  # a window of 128 MiB, and pieces of up to 32 MiB on their way through the steps
        (bzip2_in_a_zip, 120),
        (many_members, 50),
    ],
)
def test_memory_is_bounded(make: Callable[[Path], int], most: int, tmp_path: Path) -> None:
    path = tmp_path / "input"
    expected = make(path)
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(path)], capture_output=True, text=True, check=True, cwd=PROJECT, timeout=300
    )
    count, megabytes = map(int, done.stdout.split())
    assert count == expected, done.stderr
    assert megabytes < most
