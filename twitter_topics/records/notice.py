"""Values of the topic `tweet_deletions`: what authors and networks withdrew."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

NoticeEvent = Literal["delete", "account", "scrub_geo", "withheld"]
AccountStatus = Literal["", "deleted", "suspended", "protected", "deactivated", "active"]

EVERYWHERE = frozenset({"XX", "XY"})
"""X's country codes for "withheld in every country" (XX) and "withheld due to a copyright notice" (XY)."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One deletion notice.

    Attributes:
        event: `delete` of a tweet; `account` when a whole account changed its `status`; `scrub_geo` when locations must
            be removed (from one tweet, or from a user's tweets up to `up_to_tweet_id`); `withheld` in `countries`.
        source: the network, as in the header `source`.
        tweet_id, user_id: `id_str` of the tweet and of its user; empty where the notice does not concern one.
        at_ms: time of the event, Unix milliseconds; 0 if the source does not give it.
        payload: the notice as received.
    """

    event: NoticeEvent
    source: str
    tweet_id: str = ""
    user_id: str = ""
    status: AccountStatus = ""
    up_to_tweet_id: str = ""
    countries: tuple[str, ...] = ()
    at_ms: int = 0
    payload: Any = field(default=None, compare=False)

    def key(self) -> bytes:
        """Return the record key. The topic is compacted: the newest notice per event and tweet or user is kept."""
        about = f"user:{self.user_id}" if not self.tweet_id else self.tweet_id
        text = about if self.event == "delete" else f"{self.event}:{about}"
        return text.encode("utf-8", "replace")

    def value(self) -> bytes:
        fields = {
            "event": self.event,
            "source": self.source,
            "tweet_id": self.tweet_id,
            "user_id": self.user_id,
            "status": self.status,
            "up_to_tweet_id": self.up_to_tweet_id,
            "countries": list(self.countries),
            "at_ms": self.at_ms,
            "source_payload": self.payload,
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

    @classmethod
    def from_value(cls, value: bytes) -> Notice:
        """Parse a value. Raises ValueError for anything else."""
        try:
            fields = json.loads(value)
            for name in ("event", "source", "tweet_id", "user_id", "status", "up_to_tweet_id"):
                str.encode(fields[name])  # a text that every store accepts
            return cls(
                event=fields["event"],
                source=fields["source"],
                tweet_id=fields["tweet_id"],
                user_id=fields["user_id"],
                status=fields["status"],
                up_to_tweet_id=fields["up_to_tweet_id"],
                countries=tuple(str(country) for country in fields["countries"]),
                at_ms=int(fields["at_ms"]),
                payload=fields["source_payload"],
            )
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            msg = f"not a deletion notice: {error!r}"
            raise ValueError(msg) from error
