"""Which model versions are kept, and why; the others expire."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from twitter_topics.topic_models.registry.version import created_at

if TYPE_CHECKING:
    from twitter_topics.topic_models.registry.promotion import Promotion


@dataclass(frozen=True, slots=True)
class ExpiryPlan:
    """keep: versions by the reason why. expire: the others, oldest first."""

    keep: dict[str, list[str]]
    expire: list[str]

    def __str__(self) -> str:
        kept = sum(map(len, self.keep.values()))
        reasons = "; ".join(f"{why}: {', '.join(versions)}" for why, versions in self.keep.items() if versions)
        return f"{kept} versions are kept ({reasons or 'there are none'})"


def plan_expiry(
    versions: Sequence[str],
    *,
    champion: str | None,
    promotions: Iterable[Promotion],
    named: Container[str],
    now: datetime,
    days: int,
    newest: int,
) -> ExpiryPlan:
    """Plan which versions expire: those for which there is no reason to stay.

    What a champion needs of earlier versions, such as the births of its topics, is in its own files.

    Args:
        versions: the registered ones, oldest first.
        promotions: the champion's, and those before it, newest first; not read further than needed.
        named: those that documents name.
        days: age in days below which a version stays, and for so long one that has been champion.
        newest: how many stay at least.
    """
    since = now - timedelta(days=days)
    served = _served(promotions, since)
    reasons: dict[str, Container[str]] = {
        "the champion": [champion] if champion else [],
        f"champions of the last {days} days and the one before": served,
        "documents name them": named,
        f"the {newest} newest": versions[-newest:],
        f"younger than {days} days": [version for version in versions if created_at(version) > since],
    }
    keep: dict[str, list[str]] = {why: [] for why in reasons}
    expire: list[str] = []
    for version in versions:
        why = next((why for why, meant in reasons.items() if version in meant), None)
        (expire if why is None else keep[why]).append(version)
    return ExpiryPlan(keep, expire)


def _served(promotions: Iterable[Promotion], since: datetime) -> set[str]:
    """Return the champion, those before it since a time, and the one before them."""
    found = set()
    for number, promotion in enumerate(promotions):
        found.add(promotion.version)
        if number and datetime.fromisoformat(promotion.promoted_at) < since:
            break
    return found
