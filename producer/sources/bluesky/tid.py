"""Timestamp identifiers of AT Protocol: https://atproto.com/specs/tid.

13 characters of a sortable base32: one zero bit, 53 bits of Unix microseconds, 10 bits of clock id.
"""

from __future__ import annotations

import re
from typing import Any

_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
_PLAIN = "0123456789abcdefghijklmnopqrstuv"
_TID = re.compile(r"[2-7a-j][2-7a-z]{12}")
_TO_PLAIN = str.maketrans(_ALPHABET, _PLAIN)


def tid_time_us(text: Any) -> int | None:
    """Return the Unix microseconds of a TID, None for anything else."""
    if not isinstance(text, str) or _TID.fullmatch(text) is None:
        return None
    return int(text.translate(_TO_PLAIN), 32) >> 10
