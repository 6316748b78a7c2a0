"""Replay of folders: all files in the order of their names, each line once, resuming where the last run ended."""

from __future__ import annotations

import gzip
import io
import logging
import os
import random
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.source import Context, Event
from producer.sources.replay import ReplaySource
from producer.sources.replay.left_out import set_aside
from producer.sources.replay.replay_files import natural
from producer.testing import FIRST_MS, tweet_lines, write_lines
from tests.unit.producer.sources.replay.test_replay import NOW_MS, after, opened, sent
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.gap import Gap
from twitter_topics.settings import Settings


def keys(events: list[Event]) -> list[int]:
    return [int(event.key) for event in events]


def text(first_id: int, count: int = 2) -> bytes:
    lines = tweet_lines([(first_id + i) * 1000 for i in range(count)], first_id)
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tweets 1 to 10 in files of all kinds, next to files that must be skipped."""
    root = tmp_path / "tweets"
    for name, content in {
        "day-1/part-2.jsonl": text(1),
        "day-1/part-10.jsonl.gz": gzip.compress(text(3)),
        "day-2/nothing.json": b"",
        "day-2/x.ndjson": text(5),
        "day-10/a.gz": gzip.compress(text(7)),
        "day-10/b.JSON": text(9),
        "day-1/part-3.jsonl.tmp": text(90),
        "day-1/.part-3.jsonl.gz": b"x",
        "day-1/_SUCCESS": b"",
        "_temporary/0/part-1.jsonl": text(91),
        ".git/x.json": text(92),
        "day-2/readme.txt": b"?",
        "day-2/notes.csv": b"a,b\n1,2\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_all_files_in_the_order_of_their_names(folder: Path) -> None:
    source = opened(folder)
    events = sent(source)
    assert keys(events) == list(range(1, 11))
    assert [event.cursor for event in events][:4] == [
        "day-1/part-2.jsonl\t1",
        "day-1/part-2.jsonl\t2",
        "day-1/part-10.jsonl.gz\t1",
        "day-1/part-10.jsonl.gz\t2",
    ]
    check = source.check()
    assert check.startswith(f"replays {folder}: 8 files, ")
    assert "the first tweet of 2008-01-10T21:20:01Z; left out: " in check
    for part in (
        "1 × CSV: it has no whole tweets, and replay reads JSON (day-2/notes.csv)",
        "1 × text or data in an unknown format: it has no tweets; replay reads tweets of v1.1, of API v2 and of X's "
        "website as JSON (day-2/readme.txt)",
        "4 × hidden (",
        "1 × still being written (day-1/part-3.jsonl.tmp)",
    ):
        assert part in check


@pytest.mark.parametrize("done", range(1, 11))
def test_restart_sends_the_rest(folder: Path, done: int) -> None:
    source = opened(folder)
    whole = sent(source)
    assert sent(opened(folder, after(source, whole[:done]))) == whole[done:]


def test_later_files_are_read_by_the_next_run_and_grown_ones_continue(folder: Path) -> None:
    source = opened(folder)
    saved = after(source, sent(source))
    with (folder / "day-10/b.JSON").open("ab") as file:
        file.write(text(11))
    (folder / "day-10/c.jsonl").write_bytes(text(13))
    (folder / "day-11.jsonl").write_bytes(text(15))
    assert keys(sent(opened(folder, saved))) == [11, 12, 13, 14, 15, 16]


def test_files_that_come_late_under_an_early_name_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = opened(folder)
    saved = after(source, sent(source)[:6])
    began_ms = max(path.stat().st_ctime_ns for path in folder.rglob("*")) // 1_000_000
    check = opened(folder, replace(saved, alive_ms=began_ms)).check()
    assert check.endswith("; 5 files that sort before day-2/x.ndjson count as sent; 6 records sent so far")
    assert "added" not in check
    time.sleep(0.05)
    (folder / "day-1/part-3.jsonl").write_bytes(text(20))
    late = opened(folder, replace(saved, alive_ms=began_ms))
    named = "1 × added or changed since the last run began, but before the position, and not read: replay it by itself"
    assert named in late.check()
    assert "6 files that sort before" in late.check()
    assert keys(sent(late)) == [7, 8, 9, 10]
    assert named in caplog.text
    assert "(day-1/part-3.jsonl)" in caplog.text
    assert "added" not in opened(folder, saved).check()  # a position of an older version


def test_a_run_notes_when_it_listed_the_files(folder: Path) -> None:
    context = Context(now_ms=lambda: NOW_MS)
    sent(ReplaySource.open(Settings({"PRODUCER_REPLAY_FILE": str(folder)}), None, context))
    assert context.status.alive_ms == NOW_MS


def test_a_file_that_no_longer_exists_is_skipped(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = opened(folder)
    saved = after(source, sent(source)[:4])
    (folder / "day-1/part-10.jsonl.gz").unlink()
    with caplog.at_level(logging.WARNING):
        assert keys(sent(opened(folder, saved))) == [5, 6, 7, 8, 9, 10]
    assert "day-1/part-10.jsonl.gz" in caplog.text


def test_other_files_in_the_same_folder_start_over(folder: Path) -> None:
    source = opened(folder)
    saved = after(source, sent(source)[:5])
    (folder / "day-1/part-1.jsonl").write_bytes(text(100))
    assert keys(sent(opened(folder, saved))) == [100, 101, *range(1, 11)]


def test_a_file_that_got_shorter_is_rejected(folder: Path) -> None:
    source = opened(folder)
    saved = after(source, sent(source)[:4])
    (folder / "day-1/part-10.jsonl.gz").write_bytes(gzip.compress(text(3, 1)))
    with pytest.raises(IntegrityError, match=r"day-1/part-10.jsonl.gz of .* has fewer lines than the 2"):
        sent(opened(folder, saved))


def test_a_truncated_file_is_a_gap_and_the_rest_is_sent(folder: Path) -> None:
    path = folder / "day-1/part-10.jsonl.gz"
    whole = gzip.compress(text(3), compresslevel=0)
    path.write_bytes(whole[:-20])
    source = opened(folder)
    events = sent(source)
    assert [event.key for event in events if event.kind == "post"] == [b"%d" % i for i in (1, 2, 3, 5, 6, 7, 8, 9, 10)]
    (gap,) = [Gap.from_value(event.value) for event in events if event.kind == "gap"]
    assert gap == Gap("replay", FIRST_MS + 3_000, FIRST_MS + 5_000, "damaged: day-1/part-10.jsonl.gz is truncated", 0)
    path.write_bytes(whole)
    assert keys(sent(opened(folder, after(source, events[:3])))) == [4, 5, 6, 7, 8, 9, 10]


def test_strict_stops_at_damage(folder: Path) -> None:
    path = folder / "day-1/part-10.jsonl.gz"
    path.write_bytes(gzip.compress(text(3), compresslevel=0)[:-20])
    events: list[Event] = []
    with pytest.raises(IntegrityError, match=r"part-10.jsonl.gz is truncated"):
        events.extend(event for event in opened(folder, replay_strict=True).events() if event is not None)
    assert keys(events) == [1, 2, 3]


def test_shift_reads_every_file(folder: Path) -> None:
    (folder / "day-1/part-2.jsonl").write_bytes(text(500))
    events = sent(opened(folder, replay_times="shift"))
    assert max(event.event_time_ms or 0 for event in events) == NOW_MS
    assert events[-1].event_time_ms == NOW_MS - (501 - 10) * 1000
    assert sent(opened(folder, replay_times="shift", limit=4))[3].event_time_ms == NOW_MS - (501 - 4) * 1000


def test_all_members_of_tar_files_are_read(folder: Path) -> None:
    with tarfile.open(folder / "day-3.tar", "w") as tar:
        for name, content in {
            "./2020/b.json.gz": gzip.compress(text(20)),
            "2020/a.json": text(22),
            "2020/_x.json": b"?",
            "readme": b"?",
            "2020/c.json": text(24),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    source = opened(folder)
    whole = sent(source)
    assert keys(whole) == [*range(1, 7), *range(20, 26), *range(7, 11)]
    assert [event.cursor for event in whole[7:9]] == ["day-3.tar/2020/b.json.gz\t2", "day-3.tar/2020/a.json\t1"]
    for done in range(1, len(whole)):
        assert sent(opened(folder, after(source, whole[:done]))) == whole[done:]
    alone = opened(folder / "day-3.tar")
    events = sent(alone)
    assert keys(events) == [20, 21, 22, 23, 24, 25]
    assert keys(sent(opened(folder / "day-3.tar", after(alone, events[:3])))) == [23, 24, 25]
    with tarfile.open(folder / "day-3.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("2020/z.json"))
    with pytest.raises(IntegrityError, match=r"day-3.tar of .* no longer contains day-3.tar/2020/a.json"):
        sent(opened(folder, after(source, whole[:9])))


def test_a_folder_without_tweets_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"PRODUCER_REPLAY_FILE: folder {tmp_path} has no files"):
        opened(tmp_path)
    write_lines(tmp_path / "a.json", [])
    with pytest.raises(ConfigurationError, match="has no records"):
        opened(tmp_path)


def test_a_file_that_cannot_be_opened_is_reported(folder: Path) -> None:
    source = opened(folder)
    (folder / "day-10/a.gz").unlink()
    with pytest.raises(ConfigurationError, match=r"PRODUCER_REPLAY_FILE: .*day-10/a.gz cannot be read: No such file"):
        sent(source)


def test_a_failing_disk_is_retryable(folder: Path) -> None:
    (folder / "day-11.jsonl").symlink_to("/proc/self/mem")  # reading it raises an input/output error
    source = opened(folder)
    got: list[Event] = []
    with pytest.raises(RetryableError, match=r"day-11.jsonl cannot be read: Input/output error"):
        got.extend(event for event in source.events() if event is not None)
    assert keys(got) == list(range(1, 11))


def test_pipes_and_dangling_links_are_set_aside(folder: Path) -> None:
    os.mkfifo(folder / "day-1" / "pipe.json")
    (folder / "day-1" / "link.json").symlink_to(folder / "nowhere")
    source = opened(folder)
    assert keys(sent(source)) == list(range(1, 11))
    assert "2 × not a regular file (" in source.check()


def test_linked_folders_are_named(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "more.jsonl").write_bytes(text(20))
    (folder / "day-2" / "more").symlink_to(elsewhere)
    (folder / ".hidden").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (folder / "day-3.jsonl").symlink_to(elsewhere / "more.jsonl")
    source = opened(folder)
    assert keys(sent(source)) == [*range(1, 7), 20, 21, *range(7, 11)]
    check = source.check()
    assert "2 × a link to a folder, which is not followed: replay that folder by itself (loop, day-2/more)" in check
    assert "5 × hidden (" in check
    alone = tmp_path / "links"
    alone.mkdir()
    (alone / "more").symlink_to(elsewhere)
    with pytest.raises(ConfigurationError, match=r"has no files; left out: 1 × a link to a folder"):
        opened(alone)


def test_links_in_tar_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("a.json", tarfile.REGTYPE), ("b.json", tarfile.SYMTYPE), ("c.json", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "a.json", len(text(1)) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(text(1)))
        tar.addfile(tarfile.TarInfo("folder/"))
    source = opened(path)
    assert keys(sent(source)) == [1, 2]
    assert "2 × a link in an archive, which is not followed (x.tar/b.json, x.tar/c.json)" in source.check()


def test_what_is_neither_file_nor_folder_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reading, writing = os.pipe()
    for path in (tmp_path / "pipe", "/dev/null", "-", tmp_path / "-", f"/dev/fd/{reading}"):
        with pytest.raises(ConfigurationError, match=r"is not a regular file: .* write it to a file first"):
            opened(path)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("denied", ["is_dir", "is_file"])
def test_a_folder_without_permission_is_reported(folder: Path, denied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    for path in (folder, folder / "day-1/part-2.jsonl"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, denied, deny)
            with pytest.raises(ConfigurationError, match=r"tweets.* cannot be read: Permission denied"):
                opened(path)


def test_control_is_handed_back_while_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "many.jsonl"
    path.write_bytes(text(1, 1) * 50_000 + text(7, 1))
    source = opened(path)
    start = source.start.advanced(50_000, 50_000, None)
    settings = Settings({"PRODUCER_REPLAY_FILE": str(path)})
    events = list(ReplaySource.open(settings, start, Context()).events())
    assert [event and event.key for event in events] == [None, None, b"7"]


@given(st.lists(st.text("a1023/-.é٣", min_size=1, max_size=8)), st.randoms())
def test_every_name_has_a_defined_order(names: list[str], chance: random.Random) -> None:
    shuffled = list(names)
    chance.shuffle(shuffled)
    assert sorted(shuffled, key=natural) == sorted(names, key=natural)


def test_names_sort_by_their_numbers() -> None:
    names = [
        "part-10.json",
        "part-2.json",
        "part-02.json",
        "a/part-1.json",
        "part.json",
        "2020-1/x",
        "2020-01/y",
        "9/x",
    ]
    expected = [
        "9/x",
        "2020-1/x",
        "2020-01/y",
        "a/part-1.json",
        "part-02.json",
        "part-2.json",
        "part-10.json",
        "part.json",
    ]
    assert sorted(names, key=natural) == expected


@pytest.mark.parametrize("name", ["a.jsonl", "b/c.json.gz", "2020/01/31/23/59.json.bz2", "a.csv", "json", "a.tar.gz"])
def test_files_that_are_looked_at(name: str) -> None:
    assert not set_aside(name)


@pytest.mark.parametrize(
    "name", ["a.json.tmp", "_SUCCESS", ".x.json", "_tmp/x.json", "__MACOSX/._a.json", "a.gz.part", "a.json~"]
)
def test_files_that_are_set_aside(name: str) -> None:
    assert set_aside(name)
