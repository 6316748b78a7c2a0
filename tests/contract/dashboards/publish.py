"""Bring the seeds into the stores, through the project's own writers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import SecretStr

from tests.contract.dashboards import seeds as s
from twitter_topics.audit.measured import (
    audit_lines,
    champion_lines,
    dead_letter_lines,
    gate_line,
    promotion_line,
    view_line,
)
from twitter_topics.backends.database import Database, database_url
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.classification.document import search_document
from twitter_topics.classification.sentiment import Sentiment
from twitter_topics.counts.aggregation import Aggregation
from twitter_topics.counts.aggregator import to_counts
from twitter_topics.counts.panes import MILLION, WINDOW_MS, HourPoint, Series, Sums
from twitter_topics.counts.partial_sums import RECORD_SCHEMA, sums_of_all
from twitter_topics.counts.publication import Publisher
from twitter_topics.counts.state import CountsState
from twitter_topics.counts.view import CountsView
from twitter_topics.health.points import HealthPoints
from twitter_topics.records.content import Content
from twitter_topics.records.tweet import Tweet
from twitter_topics.search.index import MAPPINGS
from twitter_topics.search.store import SearchStore, elasticsearch_client
from twitter_topics.settings import Settings
from twitter_topics.testing.aggregation import NoPublication
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.testing.search import encoded
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.files import EVALUATION, GOLDEN, TOPICS, TRAINING
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore

RECOUNTED = (s.DAY + 8 * s.HOUR, s.DAY + 11 * s.HOUR)
"""Hours that start in this range are recounted, twice."""


def into_influxdb(settings: Settings, folder: Path) -> None:
    """Fill a database with everything that Grafana shows of the day."""
    _rolling_hours(settings, folder)
    _final_hours(settings)
    _health(settings)
    lines = []
    for at_ms, seconds in s.VIEW_BEHIND:
        lines.append(view_line(at_ms / 1000 - seconds if seconds else None, at_ms))
    for at_ms, raw, reasons in s.DEAD_LETTERS:
        lines += dead_letter_lines(s.letters(reasons, at_ms), raw, at_ms)
    for at_ms, lost in s.AUDITED.items():
        lines += audit_lines(s.report(lost), at_ms)
    lines += _model_lines(settings)
    store = InfluxStore(settings.influx)
    store.write(lines)
    store.close()


def _rolling_hours(settings: Settings, folder: Path) -> None:
    address = database_url("COUNTS_DATABASE_URI", f"sqlite:///{folder}/counts.db", "", SecretStr(""))
    state = CountsState(Database("COUNTS_DATABASE_URI", address), "processed", clock=lambda: s.DAY / 1000)
    view = CountsView(settings.influx)
    publisher, aggregation = Publisher(state, view), Aggregation(state, NoPublication())
    aggregation.open("processed-1", "raw-1")
    for batch in s.batches():
        records = pa.RecordBatch.from_pylist([_record(one) for one in batch], schema=RECORD_SCHEMA)
        aggregation.count(to_counts(pa.Table.from_batches(list(sums_of_all([records])))))
        publisher.publish()
    view.close()
    state.close()


def _record(one: s.Seed) -> dict[str, Any]:
    """A processed tweet as the aggregator reads it."""
    value = one.processed()
    return {
        "partition": 0,
        "offset": one.number,
        "compound": value.get("sentiment", {}).get("compound"),
        **{name: value[name] for name in RECORD_SCHEMA.names if name in value},
    }


def _final_hours(settings: Settings) -> None:
    """A first recount with the first model, and a second one that finds more."""
    view = CountsView(settings.influx)
    from_ms, to_ms = RECOUNTED
    view.write_final_hours(exact_hours(s.tweets()[::2]), from_ms, to_ms, 1_000)
    view.write_final_hours(exact_hours([*s.tweets(), *s.EXTRA]), from_ms, to_ms, 2_000)
    view.write_speed_layer_error(from_ms, to_ms, 2_000)
    view.close()


def exact_hours(tweets: Sequence[s.Seed]) -> list[HourPoint]:
    """What a recount with the second model counts in closed hours; some of topic 1 are topic 3 for it."""
    moved = [one.number for one in tweets if one.topic == 1 and one.at_ms >= s.DAY + 9 * s.HOUR][: s.MOVED]
    counts: Counter[tuple[int, int]] = Counter()
    for one in tweets:
        start = one.at_ms - one.at_ms % s.HOUR
        if RECOUNTED[0] <= start < RECOUNTED[1]:
            counts[start, 3 if one.number in moved else one.topic] += 1
    return [
        HourPoint(
            start + WINDOW_MS, Series(topic, s.LABELS[s.M2][topic], s.M2), Sums(number, number, number * MILLION, 0)
        )
        for (start, topic), number in sorted(counts.items())
    ]


def _health(settings: Settings) -> None:
    points = HealthPoints(settings.influx)
    for one in s.health():
        points.write_health(
            one.part,
            at=one.at_ms / 1000,
            ok=not one.error,
            state=one.state,
            rate=one.rate,
            lag=one.lag,
            batch_seconds=one.batch_seconds,
            restarts=one.restarts,
            error=one.error,
            detail="",
        )
    for gap in s.GAPS:
        points.write_gap(gap)
    points.close()


def _model_lines(settings: Settings) -> list[str]:
    """Register and promote both models, and measure the champion's age in between."""
    now = [0]
    models = ModelStore(settings, objects=MemoryObjects(), clock=lambda: datetime.fromtimestamp(now[0] / 1000, tz=UTC))
    lines: list[str] = []
    due = sorted([*((at, version) for version, at in s.PROMOTED.items()), *((at, "") for at in s.CHAMPION_SEEN)])
    for at_ms, version in due:
        now[0] = at_ms
        champion = models.champion()
        if version:
            _register(models, version)
            reason = s.REASONS[version]
            models.promote(version, champion.etag if champion else None, reason=reason, by="model_promotion")
        elif champion is not None:
            lines += champion_lines(champion, at_ms)
    lines += [promotion_line(one) for one in models.history()]
    return lines + [gate_line(models.manifest(version)) for version in models.versions()]


def _register(models: ModelStore, version: str) -> None:
    metrics = {"topics": s.TOPICS, "vocabulary": 900, "documents": s.DOCUMENTS, "held_out": 250}
    evaluation = {
        "metrics": metrics | {"unigram_perplexity": s.UNIGRAM} | s.METRICS[version],
        "comparison": None,
        "champion": None,
        "verdict": {"promote": True, "reasons": [s.REASONS[version]]},
    }
    training = {
        "request": {"trainer": "gsdmm"},
        "snapshot": 1,
        "tweets": s.DOCUMENTS,
        "documents": s.DOCUMENTS,
        "next_topic_id": s.TOPICS,
    }
    files: dict[str, dict[str, Any]] = {TRAINING: training, EVALUATION: evaluation, GOLDEN: {}, TOPICS: {"topics": []}}
    models.put_files(version, {ARRAYS: b"-"} | {name: json_objects.encode(value) for name, value in files.items()})
    register_version(models, version)


# --- Elasticsearch

OLD_DAY = s.DAY - 86_400_000
"""The day before has an index of mapping version 1."""


def old_tweets() -> list[s.Seed]:
    """Tweets of the day before, indexed by an older version of this program."""
    noon = OLD_DAY + 12 * s.HOUR
    return [s.Seed(8_000 + at, noon + at * s.MINUTE, 1 + at % 2, s.M1, compound=0.1 * (at % 4)) for at in range(9)]


def into_elasticsearch(settings: Settings) -> SearchStore:
    """Index the tweets of both days: the day before in the old form, then the day itself, and a few edits."""
    client = elasticsearch_client(settings.elasticsearch)
    store = SearchStore(settings.elasticsearch, patience_seconds=20)
    old_index = f"{settings.elasticsearch.index_prefix}-{datetime.fromtimestamp(OLD_DAY / 1000, UTC):%Y.%m.%d}"
    nested = {"topic_id": {"type": "integer"}, "label": {"type": "keyword"}, "share": {"type": "float"}}
    new = ("topic_ids", "links", "link_domains", "counted", "counted_topic_id", "counted_model_version")
    since_then = (*new, "edited_at", "edit_offset")
    properties = {name: field for name, field in MAPPINGS["properties"].items() if name not in since_then}
    properties["topics"] = {"type": "nested", "properties": nested}
    client.indices.create(index=old_index, mappings={"dynamic": "strict", "properties": properties})
    for one in old_tweets():
        document = {name: value for name, value in _document(one).items() if name not in since_then}
        document["topics"] = [
            {"topic_id": topic, "label": s.LABELS[one.model][topic], "share": share} for topic, share in one.shares
        ]
        client.index(index=old_index, id=document["tweet_id"], document=document)
    store.prepare()
    store.create(encoded(*[_document(one) for one in s.tweets()]))
    store.create(encoded(*[_document(one, edited_at=one.at_ms + s.MINUTE) for one in edited()]))
    store.count()  # makes everything visible to a search
    client.close()
    return store


def edited() -> list[s.Seed]:
    """Tweets that were edited a minute later."""
    return s.tweets()[10:40:10]


def hashtags(one: s.Seed) -> list[str]:
    """Hashtags of a tweet, by its topic."""
    return {1: ["storm", "weather"], 2: ["football"]}.get(one.topic, [])


def has_link(one: s.Seed) -> bool:
    """Whether a tweet has a link."""
    return one.number % 50 == 0


def _document(one: s.Seed, *, edited_at: int | None = None) -> dict[str, Any]:
    text = f"tweet {one.number}" + (" https://www.example.org/a" if has_link(one) else "")
    body = {
        "text": text,
        "lang": one.lang,
        "user": {"id_str": str(one.user), "screen_name": f"user{one.user}"},
        "entities": {"hashtags": [{"text": name} for name in hashtags(one)]},
    }
    counted, edit = one.processed(), None
    if edited_at is not None:
        counted |= {"raw_offset": 100_000 + one.number}
        edit = edited_at, counted["raw_offset"]
    return search_document(
        Tweet(counted["tweet_id"], one.at_ms, one.source, body),
        Content(body),
        topics=one.shares,
        labels=s.LABELS[one.model],
        sentiment=None if one.compound is None else Sentiment(**one.felt),
        counted=counted,
        edit=edit,
    )
