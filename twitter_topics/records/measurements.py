"""The contract of InfluxDB: every measurement, with tags and fields, who writes it, how often, and what its time is.

Dashboards, alert rules and readers name nothing else. A point is written once, or again with the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement. `fields` maps a field to its type: `i` integer, `f` float, `s` string, `b` boolean.

    `revised`: a correction is a new point of the same moment, a few nanoseconds later, so a reader takes `last` within
    all tags before adding up series. `rolling`: each point covers the hour before it, so points must never be added up
    or averaged over time.
    """

    name: str
    tags: tuple[str, ...]
    fields: Mapping[str, str]
    writer: str
    period: str
    time: str
    revised: bool = False
    rolling: bool = False


_COUNTS = {"tweets": "i", "scored": "i", "mass": "f", "compound": "f", "sentiment": "f"}
"""`scored`: tweets with a sentiment; `compound`: the sum of their VADER compounds; `sentiment`: its mean, absent
without scored tweets. Queries add up `compound`: InfluxDB loses steps when it adds up a field that a series lacks."""

_TOPIC = ("topic_id", "topic_label", "model_version")

TOPIC_LAST_HOUR = Measurement(
    "topic_last_hour",
    _TOPIC,
    _COUNTS,
    "aggregator",
    "every 10 s of event time, while a topic has tweets in the hour; one zero after that",
    "end of the hour + revision in ns",
    revised=True,
    rolling=True,
)
TOPIC_HOUR_FINAL = Measurement(
    "topic_hour_final",
    _TOPIC,
    _COUNTS,
    "topic_recount",
    "each recounted hour",
    "start of the hour + revision in ns",
    revised=True,
)
SPEED_LAYER_ERROR = Measurement(
    "speed_layer_error",
    (),
    {"exact": "i", "speed": "i", "moved": "i"},
    "topic_recount",
    "each recounted hour",
    "start of the hour + revision in ns",
    revised=True,
)
"""How far the rolling hour was off when it covered the same hour: tweets by both layers; `moved` are those that the two
layers count in different topics."""

COUNTS_VIEW = Measurement("counts_view", (), {"state_id": "s"}, "aggregator", "each new state", "revision in ns")
COUNTS_PUBLISHED = Measurement(
    "counts_published", (), {"newest_end_ms": "i"}, "aggregator", "each publication", "revision in ns"
)
VIEW_BEHIND = Measurement(
    "view_behind", (), {"seconds": "f"}, "speed_layer_watch", "every 5 minutes", "when it was measured"
)
"""Age of the oldest change of the counts that InfluxDB lacks; 0 if it lacks none."""

PIPELINE_HEALTH = Measurement(
    "pipeline_health",
    ("part",),
    {
        "ok": "b",
        "state": "s",
        "rate": "f",
        "lag": "i",
        "batch_seconds": "f",
        "restarts": "i",
        "error": "s",
        "detail": "s",
    },
    "each producer and streaming query",
    "every 5 s",
    "when it was reported",
)
"""`lag` in records, a producer's in seconds; `rate` in records per second."""

SOURCE_GAP = Measurement(
    "source_gap",
    ("source", "cause"),
    {"from_ms": "i", "to_ms": "i", "seconds": "f", "estimated_posts": "i"},
    "producer",
    "each gap",
    "start of the gap",
)
DEAD_LETTERS = Measurement(
    "dead_letters",
    ("stage", "reason"),
    {"records": "i"},
    "speed_layer_watch",
    "every 5 minutes, for each reason that occurred",
    "when it was measured",
    rolling=True,
)
"""Records rejected in the last hour, by the first word of the reason."""

DEAD_LETTER_SHARE = Measurement(
    "dead_letter_share",
    (),
    {"dead_letters": "i", "raw_records": "i", "share": "f"},
    "speed_layer_watch",
    "every 5 minutes",
    "when it was measured",
    rolling=True,
)
"""Rejected and produced records of the last hour. `share`: rejected per produced record, at most 1."""

MODEL_CHAMPION = Measurement(
    "model_champion",
    (),
    {"version": "s", "age_seconds": "f"},
    "speed_layer_watch",
    "every 5 minutes, once there is a champion",
    "when it was measured",
)
"""`age_seconds`: since the champion's promotion."""

MODEL_PROMOTION = Measurement(
    "model_promotion",
    (),
    {"version": "s", "previous": "s", "by": "s", "reason": "s"},
    "speed_layer_watch and stores_audit",
    "each promotion",
    "promotion",
)
MODEL_GATE = Measurement(
    "model_gate",
    ("version",),
    {
        "passed": "b",
        "documents": "i",
        "topics": "i",
        "perplexity": "f",
        "unigram_perplexity": "f",
        "coherence": "f",
        "diversity": "f",
        "coverage": "f",
        "reasons": "s",
    },
    "stores_audit",
    "each registered version",
    "creation of the version",
)
"""Metrics of a version on held-out tweets, and whether it passed the promotion gate at its registration."""

AUDIT_RESULT = Measurement(
    "audit_result",
    (),
    {
        "state": "s",
        "broken": "i",
        "produced": "i",
        "archived": "i",
        "indexed": "i",
        "counted": "i",
        "dead_letters": "i",
        "findings": "i",
    },
    "stores_audit",
    "every 6 hours",
    "end of the audit",
)
"""`state` as in `twitter-topics audit`; `broken` is 1 if the state is broken, else 0."""

AUDIT_FINDING = Measurement(
    "audit_finding",
    ("hop", "kind"),
    {"records": "i", "text": "s"},
    "stores_audit",
    "every 6 hours, for each finding",
    "end of the audit",
)
"""A finding of the audit, as a sentence. Findings of the same hop and kind are one point."""

MEASUREMENTS = {
    one.name: one
    for one in (
        TOPIC_LAST_HOUR,
        TOPIC_HOUR_FINAL,
        SPEED_LAYER_ERROR,
        COUNTS_VIEW,
        COUNTS_PUBLISHED,
        VIEW_BEHIND,
        PIPELINE_HEALTH,
        SOURCE_GAP,
        DEAD_LETTERS,
        DEAD_LETTER_SHARE,
        MODEL_CHAMPION,
        MODEL_PROMOTION,
        MODEL_GATE,
        AUDIT_RESULT,
        AUDIT_FINDING,
    )
}
