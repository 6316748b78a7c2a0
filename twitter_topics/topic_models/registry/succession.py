"""How a champion follows another one: of those who promote at the same time one wins, and what a killed one began is
finished by the next.

models/claims/<token>.json            successor of the champion with that token; created once, so a race has one winner
models/claims/<token>-<token>.json    the next one, if a person has put that champion back after it was succeeded
"""

from __future__ import annotations

from datetime import datetime

from twitter_topics import failpoints
from twitter_topics.backends.objects import ObjectStore, StoredObject
from twitter_topics.errors import ConflictError, IntegrityError
from twitter_topics.topic_models.registry.promotion import Promotion, decode

CHAMPION_KEY = "models/champion.json"
CLAIMS = "models/claims/"
HISTORY = "models/history/"


class Succession:
    """Reads and replaces `models/champion.json`. Every method raises RetryableError while S3 is unavailable."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def champion(self) -> StoredObject | None:
        """Return the champion's object; None before the first promotion.

        Raises:
            IntegrityError: it is missing although there have been promotions.
        """
        found = self._objects.get(CHAMPION_KEY)
        if found is not None or not self._objects.keys(HISTORY):
            return found
        found = self._objects.get(CHAMPION_KEY)  # the first promotion may have come between the two looks
        if found is None:
            raise IntegrityError(f"{CHAMPION_KEY} is missing: copy the promotion that is to serve from {HISTORY} to it")
        return found

    def succeed(self, promotion: Promotion, previous: Promotion | None, expected_etag: str | None) -> str:
        """Replace the champion `previous`, which has this ETag; return the new one.

        Raises:
            ConflictError: another promotion came first.
        """
        self._claim(promotion, previous, expected_etag)
        failpoints.reach("promoter.claimed")
        etag = self._swap(promotion, expected_etag)
        failpoints.reach("promoter.swapped")
        self.record(promotion)
        return etag

    def record(self, promotion: Promotion) -> None:
        """Add a promotion to the history, unless it is there."""
        self._objects.put(_history_key(promotion), promotion.encoded())

    def _claim(self, promotion: Promotion, previous: Promotion | None, expected_etag: str | None) -> None:
        """Claim the succession. If-Match is not atomic on every S3 server; creating an object is."""
        claimed = self._claimed(previous.token if previous else "first", promotion)
        while previous is not None and claimed.token != promotion.token and self._was_champion(claimed):
            current = self._objects.get(CHAMPION_KEY)
            if current is None or current.etag != expected_etag:
                raise conflict(promotion, claimed)
            claimed = self._claimed(f"{previous.token}-{claimed.token}", promotion)
        if claimed.token != promotion.token:
            self._swap(claimed, expected_etag)  # the claimant may have been killed before this step
            raise conflict(promotion, claimed)

    def _claimed(self, name: str, promotion: Promotion) -> Promotion:
        """Claim a succession if nobody has; return who has it now."""
        key = f"{CLAIMS}{name}.json"
        try:
            self._objects.put_new(key, promotion.encoded())
        except ConflictError:  # also if our own write succeeded and its response was lost
            found = self._objects.get(key)
            return promotion if found is None else decode(found.body, key)
        return promotion

    def _was_champion(self, promotion: Promotion) -> bool:
        return self._objects.get(_history_key(promotion)) is not None

    def _swap(self, promotion: Promotion, expected_etag: str | None) -> str:
        body = promotion.encoded()
        try:
            if expected_etag is None:
                return self._objects.put_new(CHAMPION_KEY, body)
            return self._objects.replace(CHAMPION_KEY, body, expected_etag)
        except ConflictError:
            # another promoter finished it for us, or our own write succeeded and its response was lost
            current = self._objects.get(CHAMPION_KEY)
            serving = None if current is None else decode(current.body, CHAMPION_KEY)
            if current is not None and serving is not None and serving.token == promotion.token:
                return current.etag
            raise conflict(promotion, serving) from None


def _history_key(promotion: Promotion) -> str:
    stamp = datetime.fromisoformat(promotion.promoted_at).strftime("%Y%m%dT%H%M%S.%fZ")
    return f"{HISTORY}{stamp}-{promotion.version}.json"


def conflict(promotion: Promotion, winner: Promotion | None) -> ConflictError:
    """Return the error of a promotion that came too late."""
    now = "none" if winner is None else winner.version
    return ConflictError(
        f"{promotion.version} was not promoted: the champion has changed since the decision (now: {now}); decide again"
    )
