"""Files in the bucket that the tasks of tweet_deletions pass to each other. Each run overwrites the previous one's.

deletions/ids.txt        ids to ask X about, one per line
deletions/applied.json   {run, summary}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twitter_topics.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twitter_topics.backends.objects import ObjectStore

IDS, APPLIED = "deletions/ids.txt", "deletions/applied.json"


class DeletionFiles:
    """All methods raise RetryableError if the store is unavailable, and IntegrityError for a missing file."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def put_ids(self, ids: bytes) -> None:
        self._objects.put(IDS, ids)

    def ids(self) -> bytes:
        return self._get(IDS)

    def put_summary(self, run: str, summary: Mapping[str, int]) -> None:
        self._objects.put(APPLIED, json.dumps({"run": run, "summary": dict(summary)}, indent=2).encode())

    def summary(self, run: str) -> dict[str, Any]:
        """Return the summary that the job of this run wrote."""
        held = json.loads(self._get(APPLIED))
        if held["run"] != run:
            raise IntegrityError(f"{APPLIED} belongs to run {held['run']}, not to {run}")
        return dict(held["summary"])

    def _get(self, key: str) -> bytes:
        held = self._objects.get(key)
        if held is None:
            raise IntegrityError(f"{key} is not in the bucket")
        return held.body
