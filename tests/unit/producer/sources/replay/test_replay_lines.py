"""From stored bytes to records: compression, line ends, bounds, and the fast reader against the slow one."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise

import pytest
import zstandard
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from producer.sources.replay import lines
from producer.sources.replay.compression import inflated
from producer.sources.replay.lines import Line, numbered
from producer.sources.replay.records import ReplayRecord, moved, read_all, read_line_slowly, read_quickly
from producer.tweets import created_at
from twitter_topics.errors import IntegrityError

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "a.gz": gzip.compress,
    "A.JSON.BZ2": bz2.compress,
    "a.xz": lzma.compress,
    "a.zst": zstandard.compress,
}
MANY = settings(max_examples=300)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[begin:end] for begin, end in pairwise(edges)]


@MANY
@given(st.binary(), st.lists(st.integers(0, 1000), max_size=5))
@example(b"a\r\n\nb\n\n", [1, 3])
def test_lines_are_the_same_however_the_bytes_arrive(content: bytes, places: list[int]) -> None:
    *ended, rest = content.split(b"\n")
    expected = [Line(number, raw.rstrip(b"\r")) for number, raw in enumerate(ended, 1)]
    if rest:
        expected.append(Line(len(expected) + 1, rest.rstrip(b"\r"), ended=False))
    assert list(numbered(cut(content, places))) == expected


def test_a_line_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(lines, "HEAD_BYTES", 4)
    long = b"abcdef" * 50
    content = b"first\n" + long + b"\n" + b"x" * 100 + b"\nlast\n" + long
    expected = [Line(1, b"first"), Line(2, b"abcd", 300), Line(3, b"x" * 100), Line(4, b"last")]
    expected.append(Line(5, b"abcd", 300, ended=False))
    for size in (7, 50, 1000):
        pieces = [content[begin : begin + size] for begin in range(0, len(content), size)]
        assert list(numbered(pieces)) == expected


def test_memory_for_an_endless_line_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(lines, "HEAD_BYTES", 10)
    longest = 0

    class Watched(bytes):
        def __radd__(self, rest: bytes) -> bytes:
            nonlocal longest
            longest = max(longest, len(rest))
            return bytes(rest) + bytes(self)

    (line,) = [line for line in numbered(Watched(b"x" * 300) for _ in range(1000)) if line is not None]
    assert (line.too_long, line.ended) == (300_000, False)
    assert 0 < longest <= 1000


def test_nothing_yet_passes_through() -> None:
    packed = gzip.compress(b"one\ntwo\n")
    pieces: list[bytes | None] = [None, packed[:5], None, packed[5:], None]
    assert list(numbered(inflated(pieces, "a.gz"))) == [None, None, Line(1, b"one"), Line(2, b"two"), None]


@pytest.mark.parametrize("name", PACKERS)
@given(members=st.lists(st.binary(max_size=200), min_size=1, max_size=3), places=st.lists(st.integers(0, 999)))
@settings(max_examples=60)
def test_consecutive_members_are_one_text(name: str, members: list[bytes], places: list[int]) -> None:
    packed = b"".join(PACKERS[name](member) for member in members)
    assert unpacked(cut(packed, places), name) == b"".join(members)


@pytest.mark.parametrize("name", PACKERS)
def test_truncated_content_yields_everything_before(name: str) -> None:
    text = b"".join(b'{"id_str":"%d"}\n' % number for number in range(2000))
    packed = PACKERS[name](text[:16_000]) + PACKERS[name](text[16_000:])
    got: list[bytes] = []
    with pytest.raises(IntegrityError, match="is truncated"):
        got.extend(chunk for chunk in inflated([packed[:-3]], name) if chunk)
    assert text.startswith(b"".join(got))
    assert len(b"".join(got)) >= 16_000


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("place", ["begin", "behind"])
def test_damage_is_reported(name: str, place: str) -> None:
    packed = PACKERS[name](b"text")
    broken = packed + b"\n{}, " if place == "behind" else packed[:6] + b"\xff" * 8 + packed[14:]
    with pytest.raises(IntegrityError, match=f"^{name} is damaged: "):
        unpacked([broken], name)


def test_a_padded_last_block_is_not_damage() -> None:
    assert unpacked([gzip.compress(b"x") + b"\0" * 300, b"\0" * 300], "a.gz") == b"x"


def test_zstd_with_skippable_frames_and_a_long_window() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"abcd"
    long = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    writer = zstandard.ZstdCompressor(compression_params=long).compressobj()
    packed = writer.compress(b"text") + writer.flush()
    assert unpacked([skipped + packed + skipped], "a.zst") == b"text"


@settings(max_examples=100)
@given(st.sampled_from(sorted(PACKERS)), st.binary(max_size=300))
def test_any_bytes_are_text_or_reported_as_damaged(name: str, content: bytes) -> None:
    with suppress(IntegrityError):
        unpacked([content], name)


def read_one(raw: bytes, cursor: int) -> ReplayRecord:
    (record,) = read_all(raw, cursor)
    return record


def unpacked(chunks: list[bytes], name: str) -> bytes:
    return b"".join(chunk for chunk in inflated(chunks, name) if chunk is not None)


WRITTEN = [b'{"created_at":"Wed Nov 18 11:00:0%d +0000 2026","id_str":"30%d","text":"a"}' % (n, n) for n in range(4)]


@pytest.mark.parametrize("length", [1, 5, 11, 12, 13, 40, len(WRITTEN[1]) - 1])
@pytest.mark.parametrize("between", [b"", bytes(5)])
def test_a_torn_line_costs_only_itself(length: int, between: bytes) -> None:
    torn = WRITTEN[1][:length] + between
    found = list(read_all(torn + WRITTEN[2], 7))
    assert [(record.raw, record.tweet_id, record.cursor) for record in found] == [
        (torn, None, 7),
        (WRITTEN[2], "302", 7),
    ]


def test_a_torn_retweet_costs_only_itself() -> None:
    whole = WRITTEN[1][:-1] + b',"retweeted_status":' + WRITTEN[0] + b"}"
    for torn in (whole[:-1], whole[:-20]):
        assert [record.tweet_id for record in read_all(torn + whole, 1)] == [None, "301"]
    assert [record.raw for record in read_all(whole[:-1], 1)] == [whole[:-1]]


def test_nuls_around_a_tweet_are_no_part_of_it() -> None:
    assert read_one(bytes(512) + WRITTEN[0] + bytes(3), 1).raw == WRITTEN[0]


texts = st.text(max_size=8)
stamps = st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none(), st.integers(0, 10**15).map(str))
numbers = st.integers(0, 10**15)
dates = st.one_of(stamps, numbers.map(lambda ms: created_at(ms // 100)))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, numbers.map(str)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
statuses = st.fixed_dictionaries(
    {}, optional={"id_str": stamps, "id": stamps, "user_id": stamps, "user_id_str": stamps}
)
deletions = st.fixed_dictionaries({}, optional={"status": st.one_of(anything, statuses), "timestamp_ms": stamps})
versions = st.fixed_dictionaries({}, optional={"edit_tweet_ids": st.lists(st.one_of(stamps, st.text(min_size=1)))})
bodies = st.fixed_dictionaries(
    {},
    optional={
        "edit_history": st.one_of(anything, versions),
        "edit_info": st.fixed_dictionaries({"initial": versions}),
        "id_str": st.one_of(st.text(min_size=1), stamps),
        "id": stamps,
        "timestamp_ms": stamps,
        "created_at": dates,
        "delete": st.one_of(anything, deletions),
        "text": st.text(),
        "user": anything,
    },
)


def encodings(value: object) -> Iterator[bytes]:
    yield json.dumps(value).encode()
    yield json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    yield json.dumps(value).encode("utf-16")


@settings(max_examples=300)
@given(st.one_of(bodies, anything))
@example({"id_str": "\ud800", "id": 5})
@example({"id_str": " ", "id": 5, "timestamp_ms": "07"})
@example({"id_str": "1", "timestamp_ms": 5.0, "created_at": "Sun Nov 01 00:00:03 +0130 2026"})
@example({"id_str": "1", "timestamp_ms": "5.0", "created_at": "Sun Nov 01 00:00:03 -0130 2026"})
@example({"id_str": "1", "x": float("nan")})
@example({"id_str": "2", "timestamp_ms": "1500000000000", "edit_history": {"edit_tweet_ids": ["1", 2]}})
@example({"id_str": "2", "timestamp_ms": "1500000000000", "edit_history": {"edit_tweet_ids": ["\ud800", 2.5, [], "1"]}})
@example({"id_str": "1" * 600, "id": 5})
def test_the_fast_reader_agrees_with_the_contract(value: object) -> None:
    for raw in encodings(value):
        assert read_quickly(raw, 7) in (None, read_line_slowly(raw, 7))


@pytest.mark.parametrize(
    ("ids", "is_quick"), [(["2"], True), ([], True), (None, True), (["2", "3"], True), (["1", "2"], False)]
)
def test_only_edits_leave_the_fast_reader(ids: list[str] | None, is_quick: bool) -> None:
    body = {"id_str": "2", "timestamp_ms": "1500000000000", "edit_history": {"edit_tweet_ids": ids}}
    assert (read_quickly(json.dumps(body).encode(), 7) is not None) is is_quick


WHOLE = b'{"id_str":"1","text":"\xc3\xa9 \\ud83d\\ude00 \\n","timestamp_ms":"5","user":{"a":[1,-2.5e3,null,true]}}'


@settings(max_examples=300)
@given(st.integers(0, len(WHOLE)), st.integers(0, 3), st.binary(max_size=3))
@example(0, 0, b"\xef\xbb\xbf")
@example(22, 0, b"\xff")
def test_the_fast_reader_is_not_more_lenient(place: int, removed: int, added: bytes) -> None:
    raw = WHOLE[:place] + added + WHOLE[place + removed :]
    assert read_quickly(raw, 7) in (None, read_line_slowly(raw, 7))


@settings(max_examples=200)
@given(st.binary(max_size=60))
@example(b"[" * 100_000)
@example(b'{"id_str":"1","x":' + b"[" * 100_000)
@example(b'{"id_str":"1","timestamp_ms":"5","x":' + b"[" * 500 + b"]" * 500 + b"}")
@example(b'{"id_str":"1","timestamp_ms":"5","x":' + b"9" * 5000 + b"}")
def test_any_bytes_but_the_length_of_a_message_are_a_record(raw: bytes) -> None:
    assume(not raw.strip(b"\0").removeprefix(b"\xef\xbb\xbf").strip().isdigit())
    record, again = read_one(raw, 7), read_one(raw, 8)
    assert record.raw == raw.strip(b"\0").removeprefix(b"\xef\xbb\xbf")
    assert record.key() == again.key()
    if record.time_ms is not None and record.notice is None:
        moved(raw, record.time_ms)


@MANY
@given(bodies, st.integers(0, 4 * 10**12))
@example({"id_str": "1", "text": "\ud800", "created_at": "x"}, 5)
@example({"id_str": "1", "n": 2**70, "f": 1e22, "nan": float("nan")}, 5)
def test_a_shifted_tweet_differs_only_in_its_time(body: dict[str, object], time_ms: int) -> None:
    expected = {**body, "timestamp_ms": str(time_ms), "created_at": created_at(time_ms)}
    got = moved(json.dumps(body).encode(), time_ms)
    assert b"\n" not in got
    got.decode("utf-8")
    assert repr(json.loads(got)) == repr(expected)


@pytest.mark.parametrize(("raw", "count"), [(b"2345", 0), (b" 7 ", 0), (b"123456789", 1), (b"-5", 1), (b"[5]", 1)])
def test_only_the_length_of_a_message_is_no_record(raw: bytes, count: int) -> None:
    assert len(list(read_all(raw, 7))) == count


@pytest.mark.parametrize("pack", PACKERS.values())
def test_compression_is_detected_by_content(pack: Callable[[bytes], bytes]) -> None:
    assert unpacked([pack(b"x")], "tweets.jsonl") == b"x"
    assert unpacked([gzip.compress(pack(b"x"))], "tweets") == b"x"
    assert unpacked([b"x"], "tweets.jsonl.gz") == b"x"
