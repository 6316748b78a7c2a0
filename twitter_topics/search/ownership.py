"""Who owns a document, and what a record does to a document that exists.

The first record with a tweet id owns the document. What was counted when it was written never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Outcome(Enum):
    """What happened to a document."""

    OWNED = "owned"
    """This record owns the document: it is new, or a repeated batch brought it again."""
    DUPLICATE = "duplicate"
    """Another record with the same tweet came first."""
    REJECTED = "rejected"
    """Elasticsearch cannot index it (mapping, size). A retry would not help."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one document. `reason` explains a rejection; `counted` is the owner's value, as first written."""

    outcome: Outcome
    reason: str = ""
    counted: Mapping[str, Any] = field(default_factory=dict)


HELD_FIELDS = ("raw_partition", "raw_offset", "counted")
"""What `resolve` reads of a document that exists."""


def resolve(mine: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[Written, dict[str, Any] | None]:
    """Decide about a document whose id exists; return the outcome, and what replaces the document, if anything.

    A document of mapping version 1 does not say what was counted, so its owner writes it again.
    """
    if place(mine) != place(held):
        return Written(Outcome.DUPLICATE), None
    if "counted" in held:
        return Written(Outcome.OWNED, counted=held["counted"]), None
    return new_owner(mine), dict(mine)


def new_owner(mine: Mapping[str, Any]) -> Written:
    """Return the outcome of a document that was written."""
    return Written(Outcome.OWNED, counted=mine.get("counted", {}))


def place(document: Mapping[str, Any]) -> tuple[int, int]:
    """Return partition and offset of the owning record."""
    return document["raw_partition"], document["raw_offset"]
