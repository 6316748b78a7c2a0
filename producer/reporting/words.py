"""The producer's numbers as text: the log line, the terminal line, and `twitter-topics status`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from producer.status import Spend, Status

_KIBI = 1024


@dataclass(frozen=True)
class Snapshot:
    """The producer at one moment.

    `total`: records acknowledged since the source was first opened; `rate`: of them per second, recently; `lag`:
    seconds behind post time; `backlog`: records and bytes received and not acknowledged; `done`: share of what a source
    with an end has, None without an end; `remaining_s`: estimate of the time to the end, None while there is none.
    """

    state: str
    total: int = 0
    rate: float = 0.0
    lag: int = 0
    sentence: str = ""
    backlog: tuple[int, int] = (0, 0)
    status: Status = field(default_factory=Status)
    done: float | None = None
    remaining_s: float | None = None


def log_line(now: Snapshot) -> str:
    """Return `running: 1,234 records, 56.7/s, newest tweet 3 s old, 2 reconnects, …`"""
    first = f"{now.state}: {now.total:,} records, {now.rate:,.1f}/s, newest tweet {duration_text(now.lag)} old"
    end = _until_the_end(now)
    return ", ".join([first, *([end] if end else []), *_details(now)]) + (f"; {now.sentence}" if now.sentence else "")


def terminal_line(now: Snapshot) -> str:
    """Return the same for one line of a terminal, most important first."""
    first = [
        f"{now.state}: {now.total:,}",
        f"{now.rate:,.1f}/s",
        _until_the_end(now) or f"{duration_text(now.lag)} old",
    ]
    return " · ".join([*first, *([now.sentence] if now.sentence else []), *_details(now)])


def _until_the_end(now: Snapshot) -> str:
    """Return `43 %, about 2 min 5 s left`; empty for a source without an end, and when it has ended."""
    if now.done is None or now.state not in ("running", "waiting"):
        return ""
    left = "" if now.remaining_s is None else f", about {duration_text(round(now.remaining_s))} left"
    return f"{math.floor(100 * now.done)} %{left}"


def details_sentence(now: Snapshot) -> str:
    """Return what matters beyond state, rate and lag; empty when nothing does."""
    return ", ".join(_details(now))


def _details(now: Snapshot) -> list[str]:
    records, size_bytes = now.backlog
    details = [f"{records:,} in flight ({size_text(size_bytes)})"] if records else []
    if reconnects := sum(dict(now.status.reconnects).values()):
        details.append(f"{reconnects:,} reconnect{'' if reconnects == 1 else 's'}")
    if now.status.gap_seconds >= 1:
        details.append(f"gaps of {duration_text(round(now.status.gap_seconds))}")
    if now.status.not_delivered:
        details.append(f"{now.status.not_delivered:,} posts not delivered by the source")
    if now.status.spend is not None:
        details.append(spend_sentence(now.status.spend))
    return details


def spend_sentence(spend: Spend) -> str:
    """Return `$1.23 of $50.00 this month, 246 of 10,000 posts`"""
    cap = f" of ${spend.monthly_cap_dollars:,.2f}" if spend.monthly_cap_dollars else ""
    month = f"{spend.posts_this_month:,}" + (f" of {spend.monthly_cap:,}" if spend.monthly_cap else "")
    today = f", {spend.posts_today:,} of {spend.daily_cap:,} today" if spend.daily_cap else ""
    paused = " (paused)" if spend.paused else ""
    return f"${spend.dollars_this_month:,.2f}{cap} this month, {month} posts{today}{paused}"


def duration_text(seconds: int) -> str:
    """Return a duration in its two largest units: `3 d 4 h`, `2 min 5 s`, `0 s`."""
    minutes, s = divmod(max(0, seconds), 60)
    hours, m = divmod(minutes, 60)
    d, h = divmod(hours, 24)
    if d:
        return f"{d:,} d {h} h"
    if h:
        return f"{h} h {m} min"
    return f"{m} min {s} s" if m else f"{s} s"


def size_text(count: int) -> str:
    """Return a size in the largest unit that gives at least one: `512 B`, `1.5 MiB`."""
    value, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while value >= _KIBI and len(units) > 1:
        value, units = value / _KIBI, units[1:]
    return f"{value:,.0f} B" if units[0] == "B" else f"{value:,.1f} {units[0]}"


def printable(text: str, instead: str = "?") -> str:
    """Replace what a terminal or a log cannot show: names of files and foreign texts may have any characters."""
    return "".join(character if character.isprintable() else instead for character in text)
