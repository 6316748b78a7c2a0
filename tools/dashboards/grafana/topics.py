"""The dashboards Topics and Sentiment."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from tools.dashboards.grafana import panels as p
from tools.dashboards.grafana.influxql import STEP, last, newest, select
from tools.dashboards.grafana.queries import ELASTICSEARCH, Influx, per_language
from twitter_topics.records import measurements as m

CHOSEN = '"topic_label" =~ /^$topic$/'
TOPIC = ("topic_id", "topic_label")
LANGUAGES = 50
N = "(^| )n$"
"""Names of the series that count the tweets of a mean."""


def rolling(by: tuple[str, ...] = (), where: str = "") -> str:
    """Return the tweets of the rolling hour, added up over the series that share the tags `by`."""
    hours = newest(m.TOPIC_LAST_HOUR, last("tweets"), where=where, step=STEP)
    return select('sum("tweets") AS "tweets"', hours, step=STEP, by=by)


def final(by: tuple[str, ...] = (), where: str = "") -> str:
    """Return the exact tweets of each hour, added up over the series that share the tags `by`."""
    hours = newest(m.TOPIC_HOUR_FINAL, last("tweets"), where=where, step="1h")
    return select('sum("tweets") AS "tweets"', hours, step="1h", by=by)


def mean_sentiment(by: tuple[str, ...] = (), where: str = "", *, step: str = STEP) -> str:
    """Return the mean compound of the scored tweets and their number. Each series counts as much as its tweets."""
    hours = newest(m.TOPIC_LAST_HOUR, last("compound", "scored"), where=where, step=step)
    columns = 'sum("compound") / sum("scored") AS "mean", sum("scored") AS "n"'
    return select(columns, hours, where='"scored" > 0', step=step, by=by)


def movers() -> str:
    """Return for each topic the rolling hour at the end of the range, and what it has gained since the beginning."""
    columns = 'last("tweets") AS "now", last("tweets") - first("tweets") AS "change"'
    return select(columns, rolling(TOPIC), by=TOPIC)


def topics() -> Dashboard:
    """Return the dashboard Topics."""
    return p.dashboard(
        "topics",
        "Topics",
        "What people are talking about: tweets of the last hour by topic, and the exact hours.",
        [
            p.lines(
                "Topics, last hour",
                "How many tweets of the last hour are about each topic? The stack is all tweets.",
                [Influx("A", rolling(TOPIC), "$tag_topic_label")],
                stacked=True,
                span=p.FULL,
            ),
            p.lines(
                "Chosen topics, last hour",
                "How does one topic develop? Choose it above; all models together.",
                [Influx("A", rolling(TOPIC, CHOSEN), "$tag_topic_label")],
            ),
            p.rows(
                "Top movers",
                "Which topics have gained or lost most tweets of the last hour within the time range? One that is new "
                "counts from its first value.",
                [Influx("A", movers(), as_table=True)],
                sort_by="change",
            ),
            p.lines(
                "Exact hours",
                "How many tweets had each topic in each whole hour, counted from the archive by a recount?",
                [Influx("A", final(TOPIC), "$tag_topic_label")],
                stacked=True,
                bars=True,
            ),
            p.lines(
                "Exact hours of the chosen topics",
                "The same for the topics chosen above.",
                [Influx("A", final(TOPIC, CHOSEN), "$tag_topic_label")],
                points=True,
            ),
            p.lines(
                "All tweets, last hour",
                "How many tweets of the last hour are counted, whatever their topic?",
                [Influx("A", rolling(), "tweets")],
            ),
            p.lines(
                "Speed layer against exact hours",
                "How far was the rolling hour off where a recount has counted the same hour? `moved` tweets are in "
                "another topic.",
                [Influx("A", select(last("exact", "speed", "moved"), m.SPEED_LAYER_ERROR, step="1h"), "$col")],
                points=True,
            ),
        ],
    ).with_variable(p.topic_variable())


def sentiment() -> Dashboard:
    """Return the dashboard Sentiment."""
    return p.dashboard(
        "sentiment",
        "Sentiment",
        "How people feel about it: mean VADER compound, from -1 to 1, always with the number of tweets it rests on.",
        [
            p.lines(
                "Mean sentiment, last hour",
                "How do all tweets of the last hour feel, and how many have a sentiment (n)?",
                [Influx("A", mean_sentiment(), "$col")],
                right=N,
                span=p.FULL,
                low=None,
            ),
            p.lines(
                "Mean sentiment by topic, last hour",
                "How do tweets about the chosen topics feel, and on how many does each mean rest (n)?",
                [Influx("A", mean_sentiment(TOPIC, CHOSEN), "$tag_topic_label $col")],
                right=N,
                low=None,
            ),
            p.rows(
                "Sentiment by topic at the end of the range",
                "Which topics feel best and worst now? A topic without scored tweets has no row.",
                [Influx("A", mean_sentiment(TOPIC, step=""), as_table=True)],
                sort_by="mean",
            ),
            p.rows(
                "Sentiment by language",
                "How do tweets of each language feel in the time range? A language without sentiment has a count of 0 "
                "and no mean.",
                [per_language("A", LANGUAGES)],
                sort_by="Count",
                span=p.FULL,
                data_source=str(ELASTICSEARCH.uid),
            ),
        ],
    ).with_variable(p.topic_variable())
