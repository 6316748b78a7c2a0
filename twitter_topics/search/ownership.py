"""Who owns a document, and what a record does to a document that exists.

The first record with a tweet id owns the document. What was counted when it was written never changes. An edit that
comes later changes what is shown; of several edits the one with the highest offset is shown, in whatever order and
however often they are processed. An edit that is sent again keeps the offset that it had first.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from twitter_topics.records.processed import processed_value


class Outcome(Enum):
    """What happened to a document."""

    OWNED = "owned"
    """This record owns the document: it is new, or a repeated batch brought it again."""
    DUPLICATE = "duplicate"
    """Another record with the same tweet came first."""
    EDITED = "edited"
    """Another record owns the document, which shows this edit now."""
    REJECTED = "rejected"
    """Elasticsearch cannot index it (mapping, size). A retry would not help."""


class Written(NamedTuple):
    """The outcome of one document. `reason` explains a rejection; `counted` is the owner's value of `processed_tweets`,
    as first written."""

    outcome: Outcome
    reason: str = ""
    counted: bytes = b""


OWNER_FIELDS = ("raw_partition", "raw_offset", "counted", "counted_topic_id", "counted_model_version")
"""What an edit never changes."""

HELD_FIELDS = (*OWNER_FIELDS, "edit_offset", "topic_id", "model_version")
"""What `resolve` reads of a document that exists."""


def resolve(mine: Mapping[str, Any], held: Mapping[str, Any]) -> tuple[Written, dict[str, Any] | None]:
    """Decide about a document whose id exists; return the outcome, and what replaces the document, if anything.

    A document of mapping version 1 does not say what was counted, so its owner writes it again, unless it shows an
    edit.
    """
    if place(mine) == place(held):
        if "counted" in held:
            return _owner(held), None
        return _owner(mine), None if "edit_offset" in held else dict(mine)
    if mine.get("edit_offset", -1) > held.get("edit_offset", -1):
        shown = {name: value for name, value in mine.items() if name not in OWNER_FIELDS}
        return Written(Outcome.EDITED), shown | _owner_fields(held)
    return Written(Outcome.DUPLICATE), None


def _owner_fields(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an edit keeps. Version 1 did not say what was counted, but showed it."""
    kept = {name: held[name] for name in OWNER_FIELDS if name in held}
    if "counted_topic_id" not in kept and "topic_id" in held:
        kept |= {"counted_topic_id": held["topic_id"], "counted_model_version": held["model_version"]}
    return kept


def _owner(document: Mapping[str, Any]) -> Written:
    return Written(Outcome.OWNED, counted=processed_value(document["counted"]))


def place(document: Mapping[str, Any]) -> tuple[int, int]:
    """Return partition and offset of the owning record."""
    return document["raw_partition"], document["raw_offset"]
