"""MongoDB's Extended JSON, in which mongoexport writes numbers and times as objects: `{"$numberLong": "42"}`.

https://www.mongodb.com/docs/manual/reference/mongodb-extended-json
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

SIGN = b'"$'
"""In every such object."""

_NUMBERS = {"$numberLong": int, "$numberInt": int, "$numberDouble": float, "$numberDecimal": float}


def plain(value: Any) -> Any:
    """Return the value with numbers as numbers and times in ISO 8601. What else begins with `$` stays."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(name, inner)] = value.items()
        with suppress(ValueError, TypeError, OverflowError, OSError):
            if name in _NUMBERS:
                return _NUMBERS[name](inner)
            if name == "$date":
                return _time(plain(inner))
    return {name: plain(inner) for name, inner in value.items()}


def _time(value: Any) -> str:
    """Return a time that is text or in Unix milliseconds."""
    return value if isinstance(value, str) else datetime.fromtimestamp(value / 1000, UTC).isoformat()
