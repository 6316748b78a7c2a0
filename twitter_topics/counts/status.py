"""The state of the counts in a few words."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twitter_topics.counts.state import CountsState


def describe(state: CountsState, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """Plain values: `database`, and when anything was counted `topic`, `tweets`, `rejected`, `newest` (UTC, ISO 8601),
    `revision`, `owner`, `lanes`, `raw_topics`, `restoring` (what is still to be counted from the archive: `expired` or
    `all`) and `view_behind_seconds`."""
    position = state.position()
    if position is None:
        return {"database": state.where, "tweets": 0}
    since = state.unpublished_since()
    newest = position.newest_ms
    return {
        "database": state.where,
        "topic": position.topic,
        "tweets": position.tweets,
        "rejected": position.rejected,
        "newest": datetime.fromtimestamp(newest / 1000, UTC).isoformat() if newest is not None else None,
        "revision": position.revision,
        "owner": position.owner or None,
        "lanes": len(position.lanes),
        "raw_topics": len({lane.raw_topic_id for lane in position.lanes}),
        "restoring": position.restoration.scope.value if position.restoration else None,
        "view_behind_seconds": 0.0 if since is None else round(max(0.0, clock() - since), 1),
    }
