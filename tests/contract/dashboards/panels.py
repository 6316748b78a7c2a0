"""Which values belong to which panel of Grafana, and how a panel's query is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.contract.dashboards import expected as e
from tests.contract.dashboards import seeds as s
from tests.contract.dashboards.expected import Asked, Found
from tools.dashboards.grafana.check import parse
from tools.dashboards.grafana.expand import ALL, Target, Zoom, expand, seconds_of, step_ms
from twitter_topics.backends.influx import NS_PER_MS, InfluxStore

ZOOMS = {
    "1 h": Zoom(s.DAY + 9 * s.HOUR + 37 * s.MINUTE + 5_000, s.DAY + 10 * s.HOUR + 37 * s.MINUTE + 5_000),
    "6 h": Zoom(s.DAY + 7 * s.HOUR + 30 * s.MINUTE, s.DAY + 13 * s.HOUR + 30 * s.MINUTE),
    "14 d": Zoom(s.DAY - 3 * 24 * s.HOUR, s.DAY + 11 * 24 * s.HOUR),
}
"""The first begins and ends between two window ends and has the promotion in it, the others all of the day."""

QUERIES = ("archiver", "classifier", "aggregator")
PRODUCERS = ("producer-bluesky",)
GATE = ("version", "passed", "documents", "topics", "perplexity", "coherence", "diversity", "coverage", "reasons")
FINDING = {"hop": "archive", "kind": "lost", "records": 3, "text": "3 records are missing between archived ones"}

EXPECTED: Mapping[tuple[str, str], Callable[[Asked], Found]] = {
    ("topics", "Topics, last hour"): e.rolling(e.by_topic),
    ("topics", "Chosen topics, last hour"): e.rolling(e.by_topic),
    ("topics", "Top movers"): e.movers,
    ("topics", "Exact hours"): e.final,
    ("topics", "Exact hours of the chosen topics"): e.final,
    ("topics", "All tweets, last hour"): e.rolling(e.together),
    ("topics", "Speed layer against exact hours"): e.speed_error,
    ("sentiment", "Mean sentiment, last hour"): e.felt(e.together),
    ("sentiment", "Mean sentiment by topic, last hour"): e.felt(e.by_topic),
    ("sentiment", "Sentiment by topic at the end of the range"): e.felt(e.by_topic),
    ("pipeline", "Rates"): e.health("rate", e.mean),
    ("pipeline", "Lag of the queries"): e.health("lag", max, QUERIES),
    ("pipeline", "Lag of the producers"): e.health("lag", max, PRODUCERS),
    ("pipeline", "Batch time"): e.health("batch_seconds", max, QUERIES),
    ("pipeline", "View behind the counts"): e.measured((at, {"seconds": value}) for at, value in s.VIEW_BEHIND),
    ("pipeline", "Dead letters of the last hour, by reason"): e.dead_letters,
    ("pipeline", "Gaps of the sources"): e.gaps,
    ("pipeline", "Restarts"): e.health("restarts", max),
    ("pipeline", "What waits for what"): e.waiting,
    ("models", "Champion's age"): e.measured((at, {"age_seconds": age}) for at, _, age in e.champions()),
    ("models", "Champion"): e.measured((at, {"version": version}) for at, version, _ in e.champions()),
    ("models", "Promotions"): e.measured(e.promotions()),
    ("models", "Gate results"): e.gate(*GATE),
    ("models", "Perplexity of the versions"): e.gate("perplexity", "unigram_perplexity", by_version=True),
    ("models", "Quality of the topics"): e.gate("coherence", "diversity", "coverage", by_version=True),
    ("models", "State of the audit"): e.measured(e.only(e.audits(), "state")),
    ("models", "Records by hop"): e.measured(
        e.only(e.audits(), "produced", "archived", "indexed", "counted", "dead_letters")
    ),
    ("models", "Findings of the audit"): e.measured((at, FINDING) for at, lost in s.AUDITED.items() if lost),
}

PROMOTIONS = e.measured(e.only(e.promotions(), "version", "reason"))
"""The marks that every dashboard shows."""


def asked(target: Target, zoom: Zoom, topics: Sequence[str] = ALL) -> Asked:
    """What a committed query asks for at a zoom level. Without GROUP BY time, one value for the range."""
    text = target.query["query"]
    step = None
    if "$__interval" in text:  # of the query itself, or of an inner one on whose values it rests
        step = step_ms(zoom, target.shortest)
    elif fixed := parse(text).step:
        step = 1_000 * seconds_of(fixed)
    return Asked(zoom, step, topics, _is_single(text))


def _is_single(text: str) -> bool:
    query = parse(text)
    return not query.step and bool(query.calls)


def found(store: InfluxStore, target: Target, zoom: Zoom, topics: Sequence[str] = ALL) -> Found:
    """Ask the store what Grafana would ask it."""
    return rows(store, expand(target.query["query"], zoom, target.shortest, topics))


def rows(store: InfluxStore, query: str) -> Found:
    """Return the answer to a query, without the columns that have no value. The time of a single row is 0."""
    answer: Found = {}
    single = _is_single(query)
    for tags, row in store.rows(query):
        columns: dict[str, Any] = {name: value for name, value in row.items() if name != "time" and value is not None}
        if columns:
            answer.setdefault(tuple(sorted(tags.items())), {})[0 if single else row["time"] // NS_PER_MS] = columns
    return answer
