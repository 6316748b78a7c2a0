"""The dashboards Pipeline, and Models and audit."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.dashboards.grafana import panels as p
from tools.dashboards.grafana.influxql import STEP, last, newest, select
from tools.dashboards.grafana.queries import Influx
from twitter_topics.records import measurements as m

QUERIES = '"part" =~ /^(archiver|classifier|aggregator)$/'
PRODUCERS = '"part" =~ /^producer/'
MAX_VIEW_SECONDS = 120
MAX_CHAMPION_SECONDS = 7 * 86_400


def worst(field: str, where: str = "") -> str:
    """Return the highest value of a health field in each step, by part."""
    return select(f'max("{field}") AS "{field}"', m.PIPELINE_HEALTH, where=where, step=STEP, by=("part",))


def pipeline() -> Dashboard:
    """Return the dashboard Pipeline."""
    by_part = "$tag_part"
    rates = select('mean("rate") AS "rate"', m.PIPELINE_HEALTH, step=STEP, by=("part",))
    gaps = select('sum("seconds") AS "seconds"', m.SOURCE_GAP, step=STEP, by=("source", "cause"))
    waiting = select(last("state", "error", "detail"), m.PIPELINE_HEALTH, by=("part",))
    return p.dashboard(
        "pipeline",
        "Pipeline",
        "Whether the stream keeps up, from the producers to the counts.",
        [
            p.lines(
                "Rates",
                "How many records per second does each part process?",
                [Influx("A", rates, by_part)],
            ),
            p.lines(
                "Lag of the queries",
                "How many records is each streaming query behind?",
                [Influx("A", worst("lag", QUERIES), by_part)],
            ),
            p.lines(
                "Lag of the producers",
                "How old was the newest acknowledged post?",
                [Influx("A", worst("lag", PRODUCERS), by_part)],
                unit="s",
            ),
            p.lines(
                "Batch time",
                "How long does a batch of each streaming query take?",
                [Influx("A", worst("batch_seconds", QUERIES), by_part)],
                unit="s",
            ),
            p.lines(
                "View behind the counts",
                "For how long has InfluxDB lacked a change that is counted?",
                [Influx("A", select('max("seconds") AS "seconds"', m.VIEW_BEHIND, step=STEP), "seconds")],
                points=True,
                unit="s",
            ),
            p.lines(
                "Dead letters of the last hour, by reason",
                "What was rejected, and why?",
                [Influx("A", newest(m.DEAD_LETTERS, last("records"), step=STEP), "$tag_stage: $tag_reason")],
                bars=True,
            ),
            p.lines(
                "Gaps of the sources",
                "For how long was nothing received from each source, and why?",
                [Influx("A", gaps, "$tag_source: $tag_cause")],
                unit="s",
                bars=True,
            ),
            p.lines(
                "Restarts",
                "How often has each part been restarted since it last ended on purpose?",
                [Influx("A", worst("restarts"), by_part)],
            ),
            p.rows(
                "What waits for what",
                "What does each part do now, and what keeps it from working?",
                [Influx("A", waiting, as_table=True)],
                span=p.FULL,
            ),
        ],
    )


def models() -> Dashboard:
    """Return the dashboard Models and audit."""
    metrics = last("perplexity", "unigram_perplexity")
    quality = last("coherence", "diversity", "coverage")
    gate = '"version", "passed", "documents", "topics", "perplexity", "coherence", "diversity", "coverage", "reasons"'
    stores = last("produced", "archived", "indexed", "counted", "dead_letters")
    return p.dashboard(
        "models",
        "Models and audit",
        "Which model serves, how its successors did, and whether every tweet is where it should be, once.",
        [
            p.number(
                "Champion's age",
                "How long has the model been in production?",
                Influx("A", select(last("age_seconds"), m.MODEL_CHAMPION)),
                unit="s",
                warn_at=MAX_CHAMPION_SECONDS,
            ),
            p.states(
                "Champion",
                "Which version served when?",
                Influx("A", select(last("version"), m.MODEL_CHAMPION, step=STEP), "champion"),
                span=18,
            ),
            p.events(
                "Promotions",
                "Which versions were promoted, by whom, and why?",
                [Influx("A", select('"version", "previous", "by", "reason"', m.MODEL_PROMOTION), as_table=True)],
                span=p.FULL,
            ),
            p.events(
                "Gate results",
                "How did each registered version do on held-out tweets, and did it pass the gate?",
                [Influx("A", select(gate, m.MODEL_GATE), as_table=True)],
                span=p.FULL,
            ),
            p.lines(
                "Perplexity of the versions",
                "Are new versions better than a model without topics? Lower is better.",
                [Influx("A", select(metrics, m.MODEL_GATE, by=("version",), step=STEP), "$tag_version $col")],
                points=True,
            ),
            p.lines(
                "Quality of the topics",
                "Are the topics of new versions coherent, distinct and complete?",
                [Influx("A", select(quality, m.MODEL_GATE, by=("version",), step=STEP), "$tag_version $col")],
                points=True,
                low=None,
            ),
            p.states(
                "State of the audit",
                "Was every tweet archived, indexed and counted once?",
                Influx("A", select(last("state"), m.AUDIT_RESULT, step=STEP), "audit"),
            ),
            p.lines(
                "Records by hop",
                "How many records had each store at each audit?",
                [Influx("A", select(stores, m.AUDIT_RESULT, step=STEP), "$col")],
                points=True,
            ),
            p.events(
                "Findings of the audit",
                "What was lost, duplicated, wrong or on its way?",
                [Influx("A", select('"hop", "kind", "records", "text"', m.AUDIT_FINDING), as_table=True)],
                span=p.FULL,
            ),
        ],
    )
