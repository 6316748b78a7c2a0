"""Fields of foreign JSON: of the expected type, or empty."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def as_object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def objects(value: object) -> list[Object]:
    """Return the objects in a list, without its other elements."""
    return [one for one in as_list(value) if isinstance(one, dict)]


def as_text(value: object) -> str:
    return value if isinstance(value, str) else ""


def as_count(value: object) -> int:
    """Return a count from a JSON number or digits; else 0."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else 0


def first(fields: Object, *names: str) -> object:
    """Return the first of these fields that exists and is not null."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)
