"""The one way in for settings: environment variables, and a local `.env` file for development.

Every section is frozen and read once. docs/settings.md lists all of them. Nothing else in the project reads the
environment.
"""

from twitter_topics.settings.analysis import ModelsSettings, SentimentSettings, TopicsSettings
from twitter_topics.settings.loading import Settings, inherited, provide_defaults
from twitter_topics.settings.networks import BlueskySettings, MastodonSettings, TwitterSettings, XSettings
from twitter_topics.settings.paths import PROJECT
from twitter_topics.settings.sections import (
    REPLAY_ARCHIVE,
    ArchiveSettings,
    ElasticsearchSettings,
    InfluxSettings,
    KafkaSettings,
    LocalSettings,
    ProducerSettings,
    S3Settings,
    SparkSettings,
    SpeedSettings,
)
from twitter_topics.settings.values import masked

__all__ = [
    "PROJECT",
    "REPLAY_ARCHIVE",
    "ArchiveSettings",
    "BlueskySettings",
    "ElasticsearchSettings",
    "InfluxSettings",
    "KafkaSettings",
    "LocalSettings",
    "MastodonSettings",
    "ModelsSettings",
    "ProducerSettings",
    "S3Settings",
    "SentimentSettings",
    "Settings",
    "SparkSettings",
    "SpeedSettings",
    "TopicsSettings",
    "TwitterSettings",
    "XSettings",
    "inherited",
    "masked",
    "provide_defaults",
]
