"""What a source reports about itself while it runs. Written by the source's threads, read by the reporter."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Spend:
    """Posts read, and the users that came with them, against their caps; 0 means no cap. `reset_ms`: end of the month
    (or day) whose cap is reached."""

    posts_today: int = 0
    posts_this_month: int = 0
    users_this_month: int = 0
    daily_cap: int = 0
    monthly_cap: int = 0
    monthly_cap_dollars: float = 0.0
    dollars_per_post: float = 0.0
    dollars_per_user: float = 0.0
    paused: bool = False
    reset_ms: int = 0

    @property
    def dollars_this_month(self) -> float:
        return self.posts_this_month * self.dollars_per_post + self.users_this_month * self.dollars_per_user


@dataclass
class Status:
    """What the reporter shows.

    `sentence` names what keeps the source from running; empty when nothing does. `planned`: that is what its settings
    ask for, however long it takes. `reconnects` counts by cause.
    `alive_ms`: when the source was last known to deliver (Unix milliseconds, 0 = never). `rate`: posts a second
    lately. `not_delivered`: posts that the source reports as undelivered (limit notices of v1.1). `read_bytes` of
    `total_bytes` of stored files have been read; a total of 0 means that there is no end.
    """

    sentence: str = ""
    planned: bool = False
    connected: bool = False
    reconnects: Counter[str] = field(default_factory=Counter)
    gap_seconds: float = 0.0
    received_bytes: int = 0
    not_delivered: int = 0
    alive_ms: int = 0
    rate: float = 0.0
    spend: Spend | None = None
    read_bytes: int = 0
    total_bytes: int = 0
