"""Recognises the format of a text by its first bytes and records, and says what helps with one that is not read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from producer.sources.replay.foreign import ADVICE, HYDRATE, IDS, ONE_FIELD, OTHER, ROUNDED_IDS
from producer.sources.replay.lines import Line, is_utf8, numbered
from producer.sources.replay.material import DamagedError, TruncatedError
from producer.sources.replay.records import rejection
from producer.sources.replay.shapes import BULK_ACTION, NOTHING, Shape, loads, shape_of
from producer.sources.replay.tables import table_refusal
from producer.sources.replay.values import ASSIGNMENT, MAX_VALUE_BYTES, values

Splitter = Callable[[Iterable[bytes | None], str], Iterator[Line | None]]

TO_UTF8 = "convert it with `iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW.jsonl`"
BOM = b"\xef\xbb\xbf"
_LOOKED_AT = 1_000
_BLANK = b" \t\r\n\x1e,;"


@dataclass(frozen=True, slots=True)
class Format:
    """`name` as people know it. `split` turns the text into records; without it the format is not read, and `advice`
    says what helps."""

    name: str
    split: Splitter | None = None
    advice: str = ""

    @property
    def refusal(self) -> str:
        return f"{self.name}: {self.advice}" if self.advice else self.name


def lines_of(chunks: Iterable[bytes | None], _: str) -> Iterator[Line | None]:
    """Split a text of one record per line."""
    return numbered(chunks)


EMPTY = Format(NOTHING, lines_of)
EMPTY_ARRAY = Format(NOTHING, values)
_EMPTY_ARRAY = re.compile(rb"\s*([A-Za-z_$][\w$.]*\s*=)?\s*\[\s*\]\s*;?\s*", re.ASCII)

_MAGIC = (
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with `7z x FILE`"),
    (rb"Rar!\x1a\x07", "a RAR archive", "unpack it with `unrar x FILE`"),
    (rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18", "lz4-compressed", "unpack it with `lz4 -d FILE`"),
    (rb"\xff\x06\0\0sNaPpY", "snappy-compressed", "unpack it with `snzip -d FILE`"),
    (rb"\x89LZO\0\r\n\x1a\n", "LZO-compressed", "unpack it with `lzop -d FILE`"),
    (rb"\x1f\x9d", "compressed with `compress`", "unpack it with `uncompress FILE`"),
    (rb"\x5d\0\0..\xff\xff|\x5d\0\0..\0", "lzma-compressed", "unpack it with `unlzma FILE`"),
    (rb"PAR1", "Parquet", "write JSON lines of the original tweets from it"),
    (rb"ARROW1|FEA1", "Arrow", "write JSON lines of the original tweets from it"),
    (rb"ORC.{0,60}?[\0-\x08\x0e-\x1f]", "ORC", "write JSON lines of the original tweets from it"),
    (
        rb"SEQ[\x00-\x06]",
        "a SequenceFile of Hadoop",
        "write its values with `hadoop fs -text FILE | cut -f 2- > NEW.jsonl`",
    ),
    (rb"Obj\x01", "Avro", "convert it with `avro-tools tojson FILE`"),
    (rb"SQLite format 3\0", "an SQLite database", "export the original JSON of its tweets as JSON lines"),
    (rb"\x89HDF", "HDF5", "write JSON lines of the original tweets from it"),
    (rb"\xd0\xcf\x11\xe0", "an Excel workbook", f"it has no whole tweets; save its ids as text and run {HYDRATE}"),
    (rb"RD[AX][23]\n|[XA]\n\0\0\0", "R data", "write the original tweets with `jsonlite::stream_out` in R"),
    (rb"\x80[\x02-\x05][\x95\]}c(K]", "a Python pickle", "write JSON lines from it in Python"),
    (rb".{4}\x07_id\0|.{4}\x02id", "BSON (mongodump)", "convert it with `bsondump FILE`"),
    (
        rb"[\x0a-\xff][\x00-\x03]?\xa2(eroots|gversion)",
        "a repository export of Bluesky (CAR)",
        "follow the network with PRODUCER_SOURCE=bluesky",
    ),
    (rb"WARC/\d", "a WARC file", "extract its tweets first"),
    (rb"%PDF-", "a PDF", "it has no tweets"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF....WEBP|....ftyp", "an image or video", "it has no tweets"),
    (rb"version https://git-lfs", "a Git LFS pointer", "fetch the file with `git lfs pull`"),
    (rb"(?i)\s*<(!doctype html|html)", "a web page", "perhaps an error or login page: download the file again"),
    (rb"\s*<\?xml|\s*<\w+[ >]", "XML", "write JSON lines of the original tweets from it"),
    (rb"(?i)\s*(insert into|create table|-- mysql dump|--\n-- postgresql)", "an SQL dump", "export the original JSON"),
    (rb"\s*\[?\{\s*u?'", "Python dictionaries, not JSON", "print them with `json.dumps` instead of `str`"),
)
_MAGICS = tuple((re.compile(pattern, re.DOTALL), Format(name, None, advice)) for pattern, name, advice in _MAGIC)
_WIDE = re.compile(
    rb"(?P<le32>\xff\xfe\0\0|[\t-~]\0\0\0[\t-~]\0\0\0)|(?P<be32>\0\0\xfe\xff|\0\0\0[\t-~]\0\0\0[\t-~])"
    rb"|(?P<le16>\xff\xfe|[\t-~]\0[\t-~]\0)|(?P<be16>\xfe\xff|\0[\t-~]\0[\t-~])"
)
_EXPORT = re.compile(rb"\s*window\.YTD\.(\w+)\.part\d+\s*=", re.ASCII)
_TWEET_PARTS = (b"tweets", b"tweet", b"community_tweet")

_NOTES = Format(
    "the long posts of an account export",
    None,
    "data/tweets.js has these posts too, but with texts that are cut off; their whole texts are not read",
)

UNKNOWN = Format("text or data in an unknown format", None, OTHER)
_ENCODED = Format("JSON that is not in UTF-8", None, TO_UTF8)
_IN_AN_ARRAY = "in a JSON array"
_LACKING = "JSON without what a tweet needs"
_FIELDS = "rename its fields to those that docs/inputs.md lists, with ids as text"
_UNFINISHED = Format(
    f"a JSON value that does not end, or of more than {MAX_VALUE_BYTES >> 20} MiB",
    None,
    "write its tweets one per line, such as with `jq -c '.statuses[]' FILE > NEW.jsonl`",
)


def recognise(head: bytes, complete: bool) -> Format | None:
    """Return the format of a text that begins so; None if more of it is needed, unless it is `complete`."""
    text = head.removeprefix(BOM)
    if not text.strip(_BLANK):
        return EMPTY if complete else None
    refused = (
        _wide(head, complete)
        or next((format_ for magic, format_ in _MAGICS if magic.match(text)), None)
        or _export(text)
    )
    if refused is not None:
        return refused
    if _EMPTY_ARRAY.fullmatch(text):
        return EMPTY_ARRAY if complete else None
    lines = _whole_lines(text, complete)
    first, is_cut = _first_value(text)
    begins_as_lines = bool(lines) and text.lstrip(_BLANK)[:1] != b"[" and _value(lines[0]) is not None
    if not begins_as_lines and (isinstance(first, dict | list) or (first is not None and is_cut and _is_array(text))):
        how = _IN_AN_ARRAY if _is_array(text) else "as JSON objects"
        return _by_records(_raw_values(text), values, how, complete)
    if begins_as_lines or any(isinstance(_value(line), dict | int) for line in lines):
        format_ = _by_records(lines, lines_of, "one per line", complete)
        if format_ is not UNKNOWN:
            return format_
    if is_cut or not lines:
        if not complete:
            return None
        if text.lstrip(_BLANK)[:1] in (b"[", b"{"):
            return _UNFINISHED
    table = table_refusal(text, complete)
    if table is not None:
        return Format(table.name, None, table.advice)
    return UNKNOWN


def _whole_lines(text: bytes, complete: bool) -> list[bytes]:
    lines = text.split(b"\n")
    if not complete:
        lines.pop()
    return [line for line in lines if line.strip(_BLANK)][:_LOOKED_AT]


def _first_value(text: bytes) -> tuple[Any, bool]:
    """Return the first JSON value, and whether the text is JSON as far as it goes."""
    found: list[Any] = []
    try:
        for line in values((text,), ""):
            found.append(_value(line.raw) if line else None)
            if isinstance(found[0], dict | list):
                return found[0], True
    except TruncatedError:
        return (found[0] if found else None), True
    except DamagedError:
        return (found[0] if found else None), False
    return (found[0] if found else None), bool(found)


def _raw_values(text: bytes) -> Iterator[bytes]:
    with suppress(DamagedError):  # its end is not in the head
        yield from (line.raw for line in values((text,), "") if line is not None)


def _is_array(text: bytes) -> bool:
    return ASSIGNMENT.sub("", text[:1000].decode("utf-8", "replace"), count=1).lstrip()[:1] == "["


def _by_records(records: Iterable[bytes], split: Splitter, how: str, complete: bool) -> Format | None:
    """Return the format by the first record that holds something that will be accepted, else by what most records are:
    UNKNOWN if these are not JSON.

    None if no record is accepted so far, and more of them may be.
    """
    looked = list(islice(records, _LOOKED_AT))
    if _are_in_windows_1252(looked):
        return _ENCODED
    kinds, reasons, fields, empty = Counter[str](), Counter[str](), list[str](), None
    advice = dict(ADVICE)
    for raw in looked:
        body = loads(raw)
        shape = shape_of(body)
        if body is None and _is_in_windows_1252(raw):
            kinds[_ENCODED.name] += 1
        elif body is None:
            kinds[UNKNOWN.name] += 1
        elif shape is None or shape.read is None or shape.name == BULK_ACTION:
            kinds[shape.name if shape else ""] += 1
            if shape and shape.path:
                path = f"[]{shape.path}" if how == _IN_AN_ARRAY else shape.path
                advice[shape.name] = ONE_FIELD.format(path if path.startswith(".") else f".{path}")
        elif (reason := _rejection(shape, raw, body)) is None:
            empty = empty or Format(NOTHING, split)
        elif reason:
            kinds[_LACKING] += 1
            reasons[reason] += 1
        else:
            return Format(f"{shape.name}, {how}", split)
        fields = fields or list(body if isinstance(body, dict) else ())
    if kinds[_LACKING] and not complete and len(looked) < _LOOKED_AT:
        return None
    if empty is not None and not kinds:
        return empty
    if 2 * kinds[UNKNOWN.name] >= len(looked):
        return UNKNOWN
    del kinds[UNKNOWN.name]
    for ids in (IDS, ROUNDED_IDS):
        if 2 * kinds[ids] <= len(looked):
            del kinds[ids]
    name = max(kinds, key=lambda one: (bool(one), kinds[one]), default="")
    shown = f"with the fields {', '.join(field[:40] for field in fields[:6])}" if fields else ""
    if name == _LACKING:
        why = "; ".join(filter(None, (max(reasons, key=reasons.__getitem__), shown)))
        return Format(f"{_LACKING} ({why})", None, _FIELDS)
    if name == _ENCODED.name:
        return _ENCODED
    if name:
        return Format(name, None, advice.get(name, OTHER))
    return Format(f"JSON that is not a tweet ({shown})" if shown else "JSON that is not a tweet", None, OTHER)


def _rejection(shape: Shape, raw: bytes, body: Any) -> str | None:
    """Return why nothing in a record will be accepted; empty if something is, None if it holds nothing."""
    first = None
    with suppress(RecursionError):
        for part in shape.read(raw, body) if shape.read else ():
            reason = rejection(part)
            if not reason:
                return ""
            first = first or reason
    return first


def _value(raw: bytes) -> Any:
    """Return the JSON value, in UTF-8 or in Windows-1252; None for anything else."""
    return loads(raw) if is_utf8(raw) else loads(raw.decode("windows-1252", "replace").encode())


def _is_in_windows_1252(raw: bytes) -> bool:
    return not is_utf8(raw) and isinstance(_value(raw), dict | list)


def _are_in_windows_1252(records: list[bytes]) -> bool:
    """Whether all that is not ASCII is so, in two records at least: one alone may be damaged."""
    others = [raw for raw in records if not raw.isascii()]
    return not any(map(is_utf8, others)) and sum(map(_is_in_windows_1252, others)) > 1


def _wide(head: bytes, complete: bool) -> Format | None:
    found = _WIDE.match(head)
    if found is None:
        return None
    name = {"16": "UTF-16", "32": "UTF-32"}[(found.lastgroup or "")[2:]]
    order = (found.lastgroup or "")[:2].upper()
    code = name if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")) else f"{name}{order}"
    text = head.decode(f"{name}-{order}", "ignore").removeprefix("\ufeff").lstrip()
    table = None if text.startswith(("{", "[")) else table_refusal(text.encode(), complete)
    if table is not None:
        return Format(f"{table.name}, in {name}", None, table.advice)
    return Format(f"{name} text", None, f"convert it with `iconv -f {code} -t UTF-8 FILE > NEW.jsonl`")


def _export(text: bytes) -> Format | None:
    """Return the refusal of a part of an account export without tweets."""
    part = _EXPORT.match(text)
    if part is None or part[1] in _TWEET_PARTS:
        return None
    if part[1] == b"note_tweet" and not _EMPTY_ARRAY.fullmatch(text):
        return _NOTES
    return Format("another part of an account export", None, "its tweets are in data/tweets.js")
