"""Turns chunks of text into JSON values: elements of arrays of any size, objects one after the other."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec

from producer.sources.replay.lines import Line
from producer.sources.replay.material import DamagedError, TruncatedError

MAX_VALUE_BYTES = 16 * 1024 * 1024
"""A larger element or object is not read."""

_BETWEEN = re.compile(r"[\s,;\x1e\ufeff]*")
ASSIGNMENT = re.compile(r"\s*[A-Za-z_$][\w$.]*\s*=\s*(?=[\[{])", re.ASCII)
_LONGEST_ASSIGNMENT = 1024
_LONGEST_WORD = len("-Infinity")
_END = b""
_LINE_ENDS_AS_SPACES = bytes.maketrans(b"\r\n", b"  ")

_decoder = json.JSONDecoder()


def values(chunks: Iterable[bytes | None], name: str) -> Iterator[Line | None]:
    """Yield the elements of top-level arrays, and all other top-level values, as their bytes on one line.

    An assignment in front (`window.YTD.tweets.part0 = [`) and commas between values are skipped. At most a chunk and
    `MAX_VALUE_BYTES` are held.

    Raises:
        DamagedError: not JSON, truncated, or a value that is too large; everything before is yielded.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")  # invalid bytes stay what they are
    text, number, in_array, wanted = "", 0, False, _LONGEST_ASSIGNMENT
    for chunk in chain(chunks, (_END,)):
        if chunk is None:
            yield None
            continue
        last = chunk is _END
        text += decoder.decode(chunk, last)
        if len(text) < wanted and not last:
            continue
        at = 0 if number or in_array else _after(ASSIGNMENT, text, 0)
        while (at := _after(_BETWEEN, text, at)) < len(text):
            if text[at] == ("]" if in_array else "["):
                in_array, at = not in_array, at + 1
                continue
            try:
                end = _end(text, at, last)
            except (ValueError, RecursionError) as error:
                why = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
                raise DamagedError(f"{name} is damaged after record {number}: {why}") from error
            if end is None:
                break
            number += 1
            yield Line(number, _on_one_line(text[at:end].encode("utf-8", "surrogateescape")))
            at = end
        text = text[at:]
        wanted = min(2 * len(text), MAX_VALUE_BYTES)  # a value in many chunks is not parsed again with each of them
        if len(text) > MAX_VALUE_BYTES:
            raise DamagedError(f"{name} is damaged after record {number}: a value of more than {MAX_VALUE_BYTES} bytes")
    if text or in_array:
        raise TruncatedError(f"{name} is truncated after record {number}")


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where a match at `at` ends; `at` without a match."""
    found = pattern.match(text, at)
    return found.end() if found else at


def _end(text: str, at: int, last: bool) -> int | None:
    """Return where the value at `at` ends; None if it is not complete yet. Raises ValueError, RecursionError."""
    try:
        _, end = _decoder.raw_decode(text, at)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LONGEST_WORD:
            return None
        raise
    is_cut = end == len(text) and text[at] not in '{["' and not last
    return None if is_cut else end


def _on_one_line(raw: bytes) -> bytes:
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    try:
        return msgspec.json.format(raw, indent=-1)
    except msgspec.MsgspecError:  # NaN, half a surrogate pair
        return raw.translate(_LINE_ENDS_AS_SPACES)  # a string has none
