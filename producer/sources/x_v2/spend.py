"""What reading X costs: counted as X bills it, saved on disk, and stopped before a cap.

https://docs.x.com/x-api/getting-started/pricing: every resource in a response is charged once per UTC day, so a line
costs its post and the posts and users it includes. The counts on disk are always ahead of what was read: they are
reserved in blocks, so a crash counts too much and never too little.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from producer.durable import replace_durably
from producer.receiving.http_stream import Pause
from producer.source import Context
from producer.sources.x_v2.limits import MAX_POSTS_PER_SECOND
from producer.status import Spend
from twitter_topics.errors import IntegrityError
from twitter_topics.settings import XSettings

FILE = "x_v2-spend.json"
MAX_BLOCK, MIN_BLOCK = 100, 10
"""Posts reserved in advance, renewed when half are left; a crash counts at most this many too much. More than one
socket read delivers, but at most a twentieth of a cap."""

LINES_IN_FLIGHT = 2 * MAX_POSTS_PER_SECOND
LINE_POSTS, LINE_USERS = 3, 1
"""Lines that may be in flight while we hang up, and the most expensive line: a post that replies to one post and quotes
another, and its author. Small caps keep a tenth free instead, or nothing would be left to read."""

REMEMBERED = 200_000
"""Today's ids that are not counted twice. Repeats arrive within minutes; at 250 posts a second this covers 13."""

LOOK_AGAIN_S = 3600.0
"""Longest wait before the clock and the caps are checked again."""

MICRO = 1_000_000


class SpendGuard:
    """Counts in the thread that reads the stream.

    Args:
        path: file of the counts.
        settings: caps and prices.
        context: clock, and the status whose `spend` is set.

    Raises:
        IntegrityError: the file contains something else.
    """

    def __init__(self, path: Path, settings: XSettings, context: Context) -> None:
        self._path = path
        self._now_ms = context.now_ms
        self._settings = settings
        self._day, self._posts_today, self._posts, self._users = _load(path) or ("", 0, 0, 0)
        self._promised = (0, 0)
        self._block = _block(settings)
        self._seen: dict[str, None] = {}
        self.spend = context.status.spend = Spend(
            daily_cap=settings.daily_cap_posts,
            monthly_cap=settings.monthly_cap_posts,
            monthly_cap_dollars=settings.monthly_cap_dollars,
            dollars_per_post=settings.dollars_per_post,
            dollars_per_user=settings.dollars_per_user,
        )
        self._roll()
        self._show()

    def pause(self) -> Pause | None:
        """Return how long not to connect; None when reading may continue, with a block reserved on disk.

        Raises:
            OSError: the counts cannot be saved. Nothing must be read then.
        """
        self._roll()
        self._show()
        used = self._used_up()
        self.spend.paused = used is not None
        self.spend.reset_ms = _ms(used[1]) if used else 0
        if used is None:
            self._reserve()
            return None
        reason, end = used
        seconds = max(1.0, (_ms(end) - self._now_ms()) / 1000)
        sentence = f"paused before reaching a cap: {reason}; resumes at {end:%Y-%m-%d %H:%M} UTC"
        return Pause(min(seconds, LOOK_AGAIN_S), "spend-cap", sentence)

    def received(self, posts: Iterable[str], users: Iterable[str]) -> str:
        """Count the posts and users of a line; return why to hang up now, empty to continue.

        Raises:
            OSError: the counts cannot be saved.
        """
        self._roll()
        new_posts = self._count_new("p", posts)
        self._posts_today += new_posts
        self._posts += new_posts
        self._users += self._count_new("u", users)
        self._show()
        if self._promised[0] - self._posts < self._block // 2 or self._promised[1] - self._users < self._block // 2:
            self._reserve()
        used = self._used_up()
        return "" if used is None else f"pausing before reaching a cap: {used[0]}"

    def learn(self, used_by_day: dict[str, int]) -> None:
        """Merge the posts that X counted for the project, by UTC day. The larger number wins.

        Raises:
            OSError: the counts cannot be saved.
        """
        self._roll()
        this_month = sum(used for day, used in used_by_day.items() if day[:7] == self._day[:7])
        self._posts_today = max(self._posts_today, used_by_day.get(self._day, 0))
        self._posts = max(self._posts, this_month, self._posts_today)
        self._reserve()
        self._show()

    def close(self) -> None:
        """Save the exact counts in place of the reserved ones."""
        if self._promised != (0, 0):
            self._promised = (0, 0)
            self._save(0)

    def _roll(self) -> None:
        """Start a new day or month. A clock that was set back changes nothing."""
        day = datetime.fromtimestamp(self._now_ms() / 1000, UTC).date().isoformat()
        if day <= self._day:
            return
        if day[:7] != self._day[:7]:
            self._posts = self._users = 0
        self._day, self._posts_today, self._promised = day, 0, (0, 0)
        self._seen.clear()

    def _count_new(self, kind: str, ids: Iterable[str]) -> int:
        new = [key for key in (kind + one for one in ids) if key not in self._seen]
        self._seen.update(dict.fromkeys(new))
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return len(set(new))

    def _used_up(self) -> tuple[str, datetime] | None:
        """Return the cap that is reached, counting posts in flight, and when its period ends."""
        settings = self._settings
        midnight = datetime.fromisoformat(self._day).replace(tzinfo=UTC) + timedelta(days=1)
        month_end = (midnight.replace(day=1) + timedelta(days=31)).replace(day=1) if midnight.day > 1 else midnight
        if _is_near(self._posts, settings.monthly_cap_posts, LINE_POSTS):
            used = f"{self._posts:,} of {settings.monthly_cap_posts:,} posts this month (X_MONTHLY_CAP_POSTS)"
            return used, month_end
        dollars, cap = self.spend.dollars_this_month, settings.monthly_cap_dollars
        line = LINE_POSTS * settings.dollars_per_post + LINE_USERS * settings.dollars_per_user
        if _is_near(round(dollars * MICRO), round(cap * MICRO), round(line * MICRO)):
            return f"${dollars:,.2f} of ${cap:,.2f} this month (X_MONTHLY_CAP_DOLLARS)", month_end
        if _is_near(self._posts_today, settings.daily_cap_posts, LINE_POSTS):
            used = f"{self._posts_today:,} of {settings.daily_cap_posts:,} posts today (X_DAILY_CAP_POSTS)"
            return used, midnight
        return None

    def _show(self) -> None:
        self.spend.posts_today, self.spend.posts_this_month = self._posts_today, self._posts
        self.spend.users_this_month = self._users

    def _reserve(self) -> None:
        self._save(self._block)
        self._promised = (self._posts + self._block, self._users + self._block)

    def _save(self, ahead: int) -> None:
        numbers = {
            "day": self._day,
            "posts_today": self._posts_today + ahead,
            "posts_this_month": self._posts + ahead,
            "users_this_month": self._users + ahead,
        }
        replace_durably(self._path, json.dumps(numbers))


def _load(path: Path) -> tuple[str, int, int, int] | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        numbers = json.loads(content)
        day = datetime.fromisoformat(numbers["day"]).date().isoformat()
        counts = [numbers[name] for name in ("posts_today", "posts_this_month", "users_this_month")]
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            raise ValueError("a count is not a number")
        return day, *counts
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{path} does not contain the X spend ({error!r}). Restore it, or delete it to count from zero."
        raise IntegrityError(msg) from error


def _is_near(used: int, cap: int, line: int) -> bool:
    """Whether the lines in flight, of at most `line` each, may exceed the cap."""
    return cap > 0 and used >= cap - min(LINES_IN_FLIGHT * line, max(line, cap // 10))


def _block(settings: XSettings) -> int:
    price = settings.dollars_per_post
    affordable = settings.monthly_cap_dollars / price if price else 0
    caps = [cap for cap in (settings.daily_cap_posts, settings.monthly_cap_posts, affordable) if cap]
    return min(MAX_BLOCK, max(MIN_BLOCK, int(min(caps) / 20))) if caps else MAX_BLOCK


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
