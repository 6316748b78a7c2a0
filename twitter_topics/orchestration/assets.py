"""Assets that the DAGs produce and wait for. A URI is only a name: it does not depend on bucket or machine."""

from __future__ import annotations

from airflow.sdk import Asset

TWEETS_ARCHIVE = Asset(name="tweets_archive", uri="twitter-topics://archive/tweets")
"""Closed hours of the archive, compacted."""

TOPIC_MODEL = Asset(name="topic_model", uri="twitter-topics://models/versions")
"""A registered version, named in the event's extra: {"version": …}."""

TOPIC_CHAMPION = Asset(name="topic_champion", uri="twitter-topics://models/champion")
"""The version in production."""
