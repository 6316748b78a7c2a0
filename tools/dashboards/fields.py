"""Fields of the search documents, by the mapping in twitter_topics/search/index.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twitter_topics.search.index import MAPPINGS


def fields() -> dict[str, str]:
    """Return the type of each indexed field by its full name."""
    return dict(_leaves(MAPPINGS["properties"], ""))


def aggregatable() -> set[str]:
    """Return the fields that can be aggregated and sorted by: all but texts."""
    return {name for name, kind in fields().items() if kind != "text"}


def _leaves(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in properties.items():
        if "properties" in field:
            yield from _leaves(field["properties"], f"{prefix}{name}.")
        elif field.get("enabled", True):
            yield f"{prefix}{name}", field["type"]
