"""What the DAGs make and wait for. A URI is a name: it does not change with the bucket or the machine."""

from __future__ import annotations

from airflow.sdk import Asset

TWEETS_ARCHIVE = Asset(name="tweets_archive", uri="twitter-topics://archive/tweets")
"""Closed hours of the archive, compacted."""

TOPIC_MODEL = Asset(name="topic_model", uri="twitter-topics://models/versions")
"""A registered version. The event's extra names it: {"version": …}."""

TOPIC_CHAMPION = Asset(name="topic_champion", uri="twitter-topics://models/champion")
"""The version that serves."""
