"""When the tweets of a made-up stream happen, and what people talk about at that minute.

Every UTC day has a plan: each theme has its background share, and possibly an event that builds up, bursts and fades.
The plan is scaled so that a full day holds exactly `rate * 86,400` tweets. That makes the time of tweet i a pure
function of i: find the day by division, the minute by bisection, the moment by interpolation. Nothing has to be
replayed after a restart.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from producer.sources.synthetic.chance import dice
from producer.sources.synthetic.themes import Phase, Theme

MINUTES = 1440
DAY_MS = 86_400_000
MINUTE_MS = 60_000
PEAK_HOUR_UTC = 19
"""The hour when most people are awake and online; twelve hours later is the quietest."""


class Talk(NamedTuple):
    """A share of the talk in a minute. `phase` is None for background talk without an event."""

    theme: Theme
    phase: Phase | None


class Moment(NamedTuple):
    """When a tweet is written (Unix milliseconds), and the talks of that minute with cumulative weights."""

    time_ms: int
    day: int
    talks: Sequence[Talk]
    weights: Sequence[float]


class _Burst(NamedTuple):
    theme: Theme
    start: int
    end: int
    strength: float
    spikes: Sequence[int]


class _Day(NamedTuple):
    cumulative: Sequence[float]
    talks: Sequence[Sequence[Talk]]
    weights: Sequence[Sequence[float]]


class Schedule:
    """The times of a stream that begins at `begin_ms` and has `rate` tweets a second on average."""

    def __init__(self, seed: int, rate: float, begin_ms: int, themes: Sequence[Theme]) -> None:
        self._seed = seed
        self._themes = themes
        self._per_day = rate * 86_400
        self._first_day, into_day_ms = divmod(begin_ms, DAY_MS)
        self._day = lru_cache(maxsize=8)(self._plan)
        self._before_begin = self._tweets_until(self._first_day, into_day_ms)

    def moment(self, index: int, jitter: float) -> Moment:
        """Return when tweet `index` happens. `jitter` in [0, 1) spreads the tweets; moments still rise with `index`."""
        day, rest = divmod(self._before_begin + index + jitter, self._per_day)
        day += self._first_day
        plan = self._day(int(day))
        minute = min(bisect_right(plan.cumulative, rest), MINUTES - 1)
        begin = plan.cumulative[minute - 1] if minute else 0.0
        share = (rest - begin) / (plan.cumulative[minute] - begin)
        time_ms = int(day) * DAY_MS + int((minute + min(share, 1.0)) * MINUTE_MS)
        return Moment(time_ms, int(day), plan.talks[minute], plan.weights[minute])

    def _tweets_until(self, day: int, into_day_ms: int) -> float:
        minute, into_minute_ms = divmod(into_day_ms, MINUTE_MS)
        cumulative = self._day(day).cumulative
        begin = cumulative[minute - 1] if minute else 0.0
        return begin + (cumulative[minute] - begin) * into_minute_ms / MINUTE_MS

    def _plan(self, day: int) -> _Day:
        """Plan all 1,440 minutes of a day, including events that spill over from the days before and after."""
        quiet = [Talk(theme, None) for theme in self._themes]
        talks: list[list[Talk]] = [list(quiet) for _ in range(MINUTES)]
        weights = [[theme.weight * _awake(minute) for theme in self._themes] for minute in range(MINUTES)]
        for burst in self._bursts(day):
            for minute in range(max(0, _first_minute(burst)), min(MINUTES, _last_minute(burst))):
                talks[minute].append(Talk(burst.theme, _phase(burst, minute)))
                weights[minute].append(_strength(burst, minute))
        total = sum(sum(row) for row in weights)
        cumulative = list(accumulate(sum(row) / total * self._per_day for row in weights))
        return _Day(cumulative, talks, [list(accumulate(row)) for row in weights])

    def _bursts(self, day: int) -> list[_Burst]:
        near = ((theme, other) for other in (day - 1, day, day + 1) for theme in self._themes)
        return [burst for theme, other in near if (burst := self._burst(theme, other, (other - day) * MINUTES))]

    def _burst(self, theme: Theme, day: int, offset: int) -> _Burst | None:
        """Return a theme's event on a day, in minutes from the day being planned; None on days without one."""
        chance = dice(self._seed, "event", theme.name, day)
        event = theme.event
        if event is None or chance.random() >= event.probability:
            return None
        start = offset + chance.choice(event.start_hours) * 60 + chance.randrange(45)
        strength = event.strength * chance.lognormvariate(0, 0.35)
        spikes = [chance.randrange(start, start + event.minutes) for _ in range(4)]
        return _Burst(theme, start, start + event.minutes, strength, spikes)


def _awake(minute: int) -> float:
    """Return the share of people online: 1 at the peak hour, 0.3 twelve hours later."""
    return 0.65 + 0.35 * math.cos(2 * math.pi * (minute / MINUTES - PEAK_HOUR_UTC / 24))


def _first_minute(burst: _Burst) -> int:
    return burst.start - (burst.theme.event.build_up_minutes if burst.theme.event else 0)


def _last_minute(burst: _Burst) -> int:
    """Return the minute after which less than 1 % of the talk is left."""
    return burst.end + round(4.6 * (burst.theme.event.fade_minutes if burst.theme.event else 0))


def _phase(burst: _Burst, minute: int) -> Phase:
    if minute < burst.start:
        return "before"
    return "during" if minute < burst.end else "after"


def _strength(burst: _Burst, minute: int) -> float:
    """Return the strength: it rises to 0.6 until the start, stays at 1 with short spikes (goals, announcements), then
    fades."""
    event = burst.theme.event
    if event is None:
        return 0.0
    if minute < burst.start:
        return burst.strength * 0.6 * (1 - (burst.start - minute) / event.build_up_minutes) ** 2
    if minute >= burst.end:
        return burst.strength * math.exp((burst.end - minute) / event.fade_minutes)
    spikes = sum(math.exp(-(((minute - spike) / 4) ** 2)) for spike in burst.spikes)
    return burst.strength * (1 + spikes)
