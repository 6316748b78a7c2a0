"""Which daily indices are to be deleted: decided from their names alone, and refused where it looks like a mistake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.search.index import index_day

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_DAYS, MAX_DAYS = 1, 3650

MAX_SHARE = 0.5
"""A plan that deletes more than this share of the indices needs a person's word."""

CLOCK_BEHIND = timedelta(days=2)
"""No tweet is accepted that lies further in the future than minutes: an index of the day after tomorrow says that the
clock is wrong."""

CLOCK_AHEAD = timedelta(days=60)
"""A clock that jumped ahead makes every index look old. An archive replayed with its old times looks the same."""


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """Index names, sorted. `ignored` are names that are no daily index: never touched."""

    delete: tuple[str, ...]
    keep: tuple[str, ...]
    ignored: tuple[str, ...]


def plan_retention(
    names: Iterable[str], *, prefix: str, days: int, today: date, allow_all: bool = False
) -> RetentionPlan:
    """Daily indices `<prefix>-YYYY.MM.DD` whose UTC day lies more than `days` days before `today`.

    Args:
        names: of all indices, in any order.
        prefix: of the daily indices, without the dash.
        days: an index exactly this old is kept.
        today: UTC.
        allow_all: a person has looked at the plan: deleting most of the indices, or indices that are all old, is meant.

    Raises:
        ConfigurationError: `days` is out of 1 … 3650.
        IntegrityError: the clock contradicts the names, or more than half would go, and nobody allowed it.
    """
    if not MIN_DAYS <= days <= MAX_DAYS:
        msg = f"days={days}: keep {MIN_DAYS} to {MAX_DAYS} days (ELASTICSEARCH_RETENTION_DAYS, or the run's form)"
        raise ConfigurationError(msg)
    ordered = sorted(set(names))
    dated = {name: day for name in ordered if (day := index_day(name, prefix)) is not None}
    _check_clock(dated, today, allow_all=allow_all)
    oldest_kept = today - timedelta(days=days)
    delete = tuple(name for name, day in dated.items() if day < oldest_kept)
    if len(delete) > MAX_SHARE * len(dated) and not allow_all:
        msg = (
            f"{len(delete)} of {len(dated)} daily indices are older than {days} days, more than {MAX_SHARE:.0%}: "
            "nothing is deleted. Look at the list with dry_run and allow_all; if it is right, run without dry_run."
        )
        raise IntegrityError(msg)
    return RetentionPlan(
        delete=delete,
        keep=tuple(name for name in dated if name not in delete),
        ignored=tuple(name for name in ordered if name not in dated),
    )


def _check_clock(dated: dict[str, date], today: date, *, allow_all: bool) -> None:
    if not dated:
        return
    newest = max(dated.values())
    if today < newest - CLOCK_BEHIND:
        msg = f"the clock says {today}, but there is an index of {newest}: nothing is deleted. Set the clock right."
        raise IntegrityError(msg)
    if today > newest + CLOCK_AHEAD and not allow_all:
        msg = (
            f"the clock says {today}, but the newest index is of {newest}: nothing is deleted. Either the clock is "
            "wrong, or no new tweet came for so long; if old tweets are meant to go, run with allow_all."
        )
        raise IntegrityError(msg)
