"""Which daily indices to delete: decided by name only; a plan that looks like a mistake is rejected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.search.index import index_day

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_DAYS, MAX_DAYS = 1, 36500

MAX_SHARE = 0.5
"""A plan that deletes more than this share of the indices needs `allow_all`."""

CLOCK_BEHIND = timedelta(days=2)
"""A tweet more than SPEED_MAX_FUTURE_MINUTES ahead is rejected, so an index of the day after tomorrow means that the
clock is wrong."""

CLOCK_AHEAD = timedelta(days=60)
"""A clock that jumped ahead makes every index look old. So does a replay of old tweets with their original times."""


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """Index names, sorted. `ignored` are names that are not daily indices; they are never touched."""

    delete: tuple[str, ...]
    keep: tuple[str, ...]
    ignored: tuple[str, ...]


def plan_retention(
    names: Iterable[str], *, prefix: str, days: int, today: date, allow_all: bool = False
) -> RetentionPlan:
    """Plan the deletion of daily indices `<prefix>-YYYY.MM.DD` more than `days` days older than `today` (UTC).

    Args:
        names: names of all indices, in any order.
        prefix: prefix of the daily indices, without the dash.
        days: an index exactly this old is kept.
        today: UTC.
        allow_all: a person has checked the plan; deleting most indices, or indices that are all old, is intended.

    Raises:
        ConfigurationError: `days` is outside 1 … 36500.
        IntegrityError: the clock contradicts the names, or more than half of the indices would go, without
            `allow_all`. A clock that is behind is never allowed.
    """
    if not MIN_DAYS <= days <= MAX_DAYS:
        msg = f"days={days} is not between {MIN_DAYS} and {MAX_DAYS}; correct ELASTICSEARCH_RETENTION_DAYS or the form"
        raise ConfigurationError(msg)
    ordered = sorted(set(names))
    dated = {name: day for name in ordered if (day := index_day(name, prefix)) is not None}
    _check_clock(dated, today, allow_all=allow_all)
    oldest_kept = today - timedelta(days=days)
    delete = tuple(name for name, day in dated.items() if day < oldest_kept)
    if len(delete) > MAX_SHARE * len(dated) and not allow_all:
        msg = (
            f"{len(delete)} of {len(dated)} daily indices are older than {days} days, more than {MAX_SHARE:.0%}: "
            "nothing is deleted. Check the list with dry_run and allow_all; if it is right, run with allow_all only."
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
        msg = f"the clock says {today}, but there is an index of {newest}: nothing is deleted. Set the clock."
        raise IntegrityError(msg)
    if today > newest + CLOCK_AHEAD and not allow_all:
        msg = (
            f"the clock says {today}, but the newest index is of {newest}: nothing is deleted. Either the clock is "
            "wrong or no tweet has arrived since; to delete old tweets on purpose, run with allow_all."
        )
        raise IntegrityError(msg)
