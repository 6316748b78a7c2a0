"""Which rows belong to which Lens panel and Discover session of Kibana, computed from the seeds alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.publish import edited, has_link, hashtags, old_tweets
from tools.dashboards.grafana.expand import Zoom
from tools.dashboards.kibana.aggregations import OTHER, Row, Span

SPANS = {
    "1 h": Span(s.DAY + 9 * s.HOUR + 37 * s.MINUTE, s.DAY + 10 * s.HOUR + 37 * s.MINUTE, "1m"),
    "6 h": Span(s.DAY + 7 * s.HOUR + 30 * s.MINUTE, s.DAY + 13 * s.HOUR + 30 * s.MINUTE, "10m"),
    "2 d": Span(s.DAY - 24 * s.HOUR, s.DAY + 24 * s.HOUR, "1h"),
}
"""The last one has documents of both mapping versions."""

_STEPS = {"1m": s.MINUTE, "10m": 10 * s.MINUTE, "1h": s.HOUR}
NEUTRAL = 0.05
"""The threshold of VADER's authors."""


def inside(span: Span) -> list[s.Seed]:
    """The tweets of a time range, of both days."""
    return [one for one in [*s.tweets(), *old_tweets()] if span.from_ms <= one.at_ms <= span.to_ms]


def feeling(one: s.Seed) -> str | None:
    """The label of a tweet's sentiment."""
    if one.compound is None:
        return None
    return "neutral" if abs(one.compound) < NEUTRAL else "positive" if one.compound > 0 else "negative"


def mean(tweets: Iterable[s.Seed]) -> float | None:
    """Mean compound of those that have one."""
    felt = [one.compound for one in tweets if one.compound is not None]
    return sum(felt) / len(felt) if felt else None


Values = Callable[[s.Seed], Sequence[str]]


def over_time(values: Values, size: int, *, other: bool = False) -> Callable[[Span], list[Row]]:
    """Tweets by value and step; values beyond the most frequent are left out or, with `other`, added up."""

    def expected(span: Span) -> list[Row]:
        counts: Counter[tuple[str, int]] = Counter()
        totals: Counter[str] = Counter()
        for one in inside(span):
            step = _STEPS[span.step]
            for value in values(one):
                counts[value, one.at_ms // step * step] += 1
                totals[value] += 1
        kept = {value for value, _ in totals.most_common(size)}
        rows: Counter[tuple[str, int]] = Counter()
        for (value, at), number in counts.items():
            if value in kept or other:
                rows[value if value in kept else OTHER, at] += number
        return [{"split": value, "time": at, "tweets": number} for (value, at), number in rows.items()]

    return expected


def by_value(name: str, values: Values, *, felt: bool) -> Callable[[Span], list[Row]]:
    """Tweets by value, with `felt` also the number that have a sentiment, and its mean."""

    def expected(span: Span) -> list[Row]:
        groups: dict[str, list[s.Seed]] = defaultdict(list)
        for one in inside(span):
            for value in values(one):
                groups[value].append(one)
        return [
            {name: value, "tweets": len(tweets)}
            | ({"scored": sum(one.compound is not None for one in tweets), "mean": mean(tweets)} if felt else {})
            for value, tweets in groups.items()
        ]

    return expected


def single(value: Callable[[list[s.Seed]], Any]) -> Callable[[Span], list[Row]]:
    """One number."""
    return lambda span: [{"value": value(inside(span))}]


def languages(zoom: Zoom) -> list[Row]:
    """Tweets, scored tweets and mean compound by language, as Grafana asks for them."""
    felt = by_value("lang", lambda one: [one.lang], felt=True)(Span(zoom.from_ms, zoom.to_ms, ""))
    return [{"lang": row["lang"], "tweets": row["tweets"], "n": row["scored"], "mean": row["mean"]} for row in felt]


PANELS: Mapping[str, Callable[[Span], list[Row]]] = {
    "Tweets": single(len),
    "Mean sentiment": single(mean),
    "Users": single(lambda tweets: len({one.user for one in tweets})),
    "Tweets by sentiment": over_time(lambda one: [label] if (label := feeling(one)) else [], 3),
    "Topics over time": over_time(lambda one: [one.label], 10, other=True),
    "Topics and how they feel": by_value("topic", lambda one: [one.label], felt=True),
    "Models": over_time(lambda one: [one.model], 5),
    "Sources over time": over_time(lambda one: [one.source], 10),
    "Languages": by_value("language", lambda one: [one.lang], felt=True),
    "Hashtags": by_value("hashtag", hashtags, felt=False),
}

SESSIONS: Mapping[str, Callable[[s.Seed], bool]] = {
    "Newest tweets": lambda _one: True,
    "Edited tweets": lambda one: one in edited(),
    "Tweets without a topic": lambda one: one.topic == -1,
    "Tweets with links": lambda one: has_link(one) and one.number < 8_000,
}
"""Which tweets a session shows. Documents of the first mapping version have no `link_domains`."""
