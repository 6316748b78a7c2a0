"""Revisions: the numbers of changes. They rise with time, so a state that is lost or restored goes on above them."""

from __future__ import annotations

_EPOCH_SECONDS = 1_767_225_600
"""2026-01-01: revisions count from here, so that they stay below the ten seconds of nanoseconds of a pane."""


def revision_at(unix_seconds: float) -> int:
    """Return a revision above all before, also those of a state that is lost: a batch takes more than a second."""
    return max(1, int(unix_seconds) - _EPOCH_SECONDS)
