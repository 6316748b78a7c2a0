"""Every setting: its name, type, default and meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator
from pydantic_settings import SettingsConfigDict

from twitter_topics.settings.env_file import Section
from twitter_topics.settings.paths import IsPath
from twitter_topics.sources import SOURCES

HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(:\d+)?(/.*)?$")]
HostPorts = Annotated[str, StringConstraints(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

PathOrUrl = Annotated[str, IsPath()]


def _section(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True)


class SecretsSettings(Section):
    """Settings in files, as Docker and Kubernetes mount secrets: one file per setting, named like its variable."""

    model_config = _section("TWITTER_TOPICS_")

    secrets_dir: PathOrUrl = Field(
        "", description="folder such as /run/secrets; the environment and .env override its files"
    )


class LogSettings(Section):
    """Log lines of producers, streaming apps and batch jobs."""

    model_config = _section("TWITTER_TOPICS_LOG_")

    format: Literal["text", "json"] = Field("text", description="json: one JSON object per line")


class KafkaSettings(Section):
    """The Kafka cluster and its topics."""

    model_config = _section("KAFKA_")

    bootstrap_servers: HostPorts = Field("127.0.0.1:19092", description="HOST:PORT of the brokers, comma-separated")
    partitions: int = Field(4, ge=1, le=1000, description="partitions of each new topic")
    replication: int = Field(1, ge=1, le=5, description="replicas of each new topic")
    raw_topic: Name = Field("raw_tweets", description="tweets as they arrive")
    processed_topic: Name = Field("processed_tweets", description="topics and sentiment of each tweet")
    dead_letter_topic: Name = Field("tweet_dead_letters", description="rejected records, each with a reason")
    deletion_topic: Name = Field("tweet_deletions", description="deletion notices")
    gap_topic: Name = Field("source_gaps", description="periods in which a source delivered nothing")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security of the connection to the brokers"
    )
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "", description="needed with SASL_PLAINTEXT and SASL_SSL"
    )
    sasl_username: str = Field("", description="user for SASL")
    sasl_password: SecretStr = Field(SecretStr(""), description="password for SASL")


class S3Settings(Section):
    """The object store for archive and models. An empty endpoint means AWS."""

    model_config = _section("S3_") | SettingsConfigDict(env_ignore_empty=False)

    endpoint_url: str = Field("http://127.0.0.1:19000", description="URL of the server; empty = AWS")
    region: str = Field("us-east-1", description="region of the bucket")
    bucket: Name = Field("tweets", description="bucket for archive and models")
    access_key_id: str = Field("", description="empty = the AWS SDK's own credential chain")
    secret_access_key: SecretStr = Field(SecretStr(""), description="secret of S3_ACCESS_KEY_ID")

    @field_validator("endpoint_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = "give a URL such as https://s3.example.org, or leave it empty for AWS"
            raise ValueError(msg)
        return value.rstrip("/")


class ArchiveSettings(Section):
    """The Iceberg catalog of the archive. The warehouse is a folder in the bucket."""

    model_config = _section("ARCHIVE_")

    catalog_uri: PathOrUrl = Field(
        "sqlite:///.local/archive/catalog.db", description="sqlite:///PATH or postgresql://…"
    )
    catalog_username: str = Field("", description="user of a PostgreSQL catalog")
    catalog_password: SecretStr = Field(SecretStr(""), description="password of a PostgreSQL catalog")
    warehouse_prefix: Name = Field("lake", description="folder of the tables in the bucket")
    catalog_name: Name = Field("lake", description="name of the catalog in Spark and in the catalog database")


class ElasticsearchSettings(Section):
    """The search index."""

    model_config = _section("ELASTICSEARCH_")

    url: HttpUrl = Field("http://127.0.0.1:19200", description="URL of the cluster")
    username: str = Field("", description="user, unless there is an API key")
    password: SecretStr = Field(SecretStr(""), description="password of ELASTICSEARCH_USERNAME")
    api_key: SecretStr = Field(SecretStr(""), description="API key; overrides user and password")
    index_prefix: Name = Field("tweets", description="the index of a day is PREFIX-YYYY.MM.DD")
    retention_days: int = Field(14, ge=1, le=3650, description="age in days at which a daily index is deleted")
    shards: int = Field(1, ge=1, le=100, description="primary shards of each daily index")
    replicas: int = Field(0, ge=0, le=5, description="replicas of each shard")


class CountsSettings(Section):
    """The database with the state of the counts; InfluxDB shows them."""

    model_config = _section("COUNTS_")

    database_uri: PathOrUrl = Field("sqlite:///.local/counts/counts.db", description="sqlite:///PATH or postgresql://…")
    database_username: str = Field("", description="user, when the address names none")
    database_password: SecretStr = Field(SecretStr(""), description="password of that user")


class InfluxSettings(Section):
    """The time series of counts."""

    model_config = _section("INFLUXDB_")

    url: HttpUrl = Field("http://127.0.0.1:18086", description="URL of a server with the 1.x API")
    database: Name = Field("twitter_topics", description="database of the series")
    username: str = Field("", description="user; empty = no authentication")
    password: SecretStr = Field(SecretStr(""), description="password of INFLUXDB_USERNAME")


REPLAY_ARCHIVE = "archive"
"""Value of PRODUCER_REPLAY_FILE that replays the archive."""


class ProducerSettings(Section):
    """The producer's source."""

    model_config = _section("PRODUCER_")

    source: str = Field(
        "synthetic", description=f"one of {', '.join(SOURCES)}; several, comma-separated, run side by side"
    )
    limit: int = Field(0, ge=0, description="stop after this many tweets; 0 = never")
    state_dir: Path = Field(Path(".local/producer"), description="folder for positions and spools")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Prometheus port on 127.0.0.1; further sources use the next ports; 0 = off"
    )
    spool_max_mb: int = Field(
        4096,
        ge=1,
        description="disk for posts of a live source that Kafka has not acknowledged; when full, reading stops",
    )

    synthetic_seed: int = Field(1, description="the same seed generates the same tweets")
    synthetic_rate: float = Field(0.5, gt=0, le=10_000, description="mean tweets per second")
    synthetic_history_hours: float = Field(
        24, ge=0, le=24 * 29, description="hours of generated history before the live part"
    )

    replay_file: Annotated[str, IsPath(unless=REPLAY_ARCHIVE)] = Field(
        "", description="file or folder of .jsonl, .jsonl.gz or .jsonl.zst; s3://BUCKET/PREFIX; or archive"
    )
    replay_from: str = Field("", description="archive only: first hour, such as 2026-11-01T00:00Z")
    replay_to: str = Field("", description="archive only: end, exclusive")
    replay_speed: str = Field("max", pattern=r"^(max|\d+(\.\d+)?)$", description="multiple of real time, or max")
    replay_times: Literal["keep", "shift"] = Field(
        "keep", description="shift: the newest tweet of the file happens now"
    )

    @field_validator("source")
    @classmethod
    def _known(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        unknown = [name for name in names if name not in SOURCES]
        if unknown or len(set(names)) < len(names):
            msg = f"use one or more of {', '.join(SOURCES)}, each at most once"
            raise ValueError(msg)
        return ",".join(names)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources to follow, one producer each."""
        return tuple(self.source.split(","))

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the producers, in the order of their sources."""
        return tuple(self.part(name) for name in self.sources)

    def part(self, name: str) -> str:
        """Return the name of a source's producer, as a service, in its health and of its log."""
        return "producer" if len(self.sources) == 1 else f"producer-{name}"

    def metrics_port_of(self, name: str) -> int:
        """Return the Prometheus port of a source's producer; 0 = off."""
        return self.metrics_port and self.metrics_port + self.sources.index(name)


class TwitterSettings(Section):
    """Credentials and filter of a v1.1 stream."""

    model_config = _section("TWITTER_")

    consumer_key: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    consumer_secret: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    access_token: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    access_token_secret: SecretStr = Field(SecretStr(""), description="OAuth 1.0a credential")
    track: str = Field("", description="comma-separated phrases")
    languages: str = Field("", description="comma-separated BCP 47 codes")
    stream_url: HttpUrl = Field("https://stream.twitter.com/1.1", description="base URL of the stream")
    api_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="base of account/verify_credentials.json; empty = TWITTER_STREAM_URL with api. instead of stream.",
    )


class XSettings(Section):
    """X API v2: the filtered stream, its rules and spending caps."""

    model_config = _section("X_")

    bearer_token: SecretStr = Field(SecretStr(""), description="app-only bearer token of a paid project")
    api_url: HttpUrl = Field("https://api.x.com", description="base URL of the API")
    rules_file: PathOrUrl = Field(
        "", description="YAML file of stream rules; `twitter-topics sources rules` applies it"
    )
    backfill_minutes: int = Field(0, ge=0, le=5, description="minutes to request after a short gap; Enterprise only")
    daily_cap_posts: int = Field(0, ge=0, description="maximum posts per UTC day; 0 = no cap")
    monthly_cap_posts: int = Field(0, ge=0, description="maximum posts per UTC month; 0 = no cap")
    monthly_cap_dollars: float = Field(50.0, ge=0, description="maximum spending per UTC month; 0 = no cap")
    dollars_per_post: float = Field(0.005, ge=0, description="price per post read (pay-per-use, 2026)")
    dollars_per_user: float = Field(0.01, ge=0, description="price per user read: an author delivered with a post")
    authors: bool = Field(True, description="request each post's author (name and followers) at the price of a user")
    compliance: bool = Field(False, description="let tweet_deletions ask X daily which archived tweets no longer exist")


class BlueskySettings(Section):
    """Bluesky's Jetstream: free, live, no key."""

    model_config = _section("BLUESKY_")

    hosts: str = Field(
        "wss://jetstream1.us-east.bsky.network,wss://jetstream2.us-east.bsky.network,"
        "wss://jetstream1.us-west.bsky.network,wss://jetstream2.us-west.bsky.network",
        pattern=r"^wss?://[^\s,]+(,wss?://[^\s,]+)*$",
        description="tried in this order; fails over to the next when one is down",
    )
    wire: Literal["v1", "v2"] = Field("v1", description="protocol version; v2 reports a cursor that is too old")
    collections: str = Field("app.bsky.feed.post", description="comma-separated; only posts become tweets")
    languages: str = Field(
        "", description="comma-separated BCP 47 codes; empty = all, including posts without a language"
    )
    dids: str = Field("", description="comma-separated accounts; empty = all")
    compress: bool = Field(True, description="v1: permessage-deflate, v2: zstd with the host's dictionary")
    rewind_seconds: int = Field(5, ge=0, le=3600, description="seconds to rewind after changing host")


class MastodonSettings(Section):
    """A Mastodon server's streaming API. Needs a token since 4.2."""

    model_config = _section("MASTODON_")

    url: HttpUrl = Field("https://mastodon.social", description="URL of the server")
    access_token: SecretStr = Field(SecretStr(""), description="token of an account there, with scope read:statuses")
    stream: str = Field(
        "public",
        pattern=r"^(public|public/local|public/remote|hashtag/\w+|hashtag/local/\w+)$",
        description="public, public/local, public/remote, hashtag/NAME, hashtag/local/NAME",
    )
    languages: str = Field("", description="comma-separated codes; empty = all")


class SpeedSettings(Section):
    """The two streaming apps."""

    model_config = _section("SPEED_")

    checkpoint_dir: PathOrUrl = Field(".local/checkpoints", description="folder or s3a:// prefix")
    health_dir: Path = Field(Path(".local/health"), description="folder of the status reports")
    archive_trigger_seconds: int = Field(10, ge=1, le=3600, description="interval between the archiver's batches")
    classify_trigger_seconds: int = Field(2, ge=1, le=3600, description="interval between the classifier's batches")
    aggregate_trigger_seconds: int = Field(5, ge=1, le=3600, description="interval between the aggregator's batches")
    max_tweets_per_batch: int = Field(
        20_000, ge=100, description="maximum tweets per batch of the archiver and of the classifier"
    )
    max_records_per_aggregation: int = Field(200_000, ge=1000, description="maximum processed tweets per batch")
    max_future_minutes: int = Field(5, ge=0, le=1440, description="a tweet further ahead of its arrival is rejected")
    max_age_days: int = Field(30, ge=1, le=36500, description="a tweet older than this on arrival is rejected")
    max_dead_letter_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="maximum rejected share of the last ten minutes' records before the classifier stops",
    )
    wedged_seconds: float = Field(
        600,
        ge=1,
        description="a query with a lag that finishes no batch for so long, while no store is unavailable, starts "
        "again; if that does not help, its process",
    )
    driver_memory: str = Field("1g", pattern=r"^\d+[mg]$", description="heap of each app's JVM")
    java_options: str = Field(
        "-XX:TieredStopAtLevel=1", description="for the JVM; the work is done in Python, so a fast compiler is enough"
    )


class TopicsSettings(Section):
    """Training and promotion of topic models."""

    model_config = _section("TOPICS_")

    trainer: Literal["gsdmm", "spark-lda"] = Field("gsdmm", description="training algorithm; spark-lda is the baseline")
    k: int = Field(20, ge=2, le=200, description="number of topics")
    iterations: int = Field(30, ge=1, le=1000, description="passes over the corpus")
    seed: int = Field(1, description="the same seed and tweets train the same model")
    window_hours: int = Field(24 * 14, ge=1, le=24 * 3650, description="train on the newest hours of the archive")
    max_documents: int = Field(1_000_000, ge=1000, description="maximum tweets for a training")
    min_documents: int = Field(2_000, ge=100, description="minimum tweets for a training")
    min_new_tweets: int = Field(20_000, ge=1, description="new tweets since the newest model that trigger a retraining")
    promotion: Literal["automatic", "never"] = Field(
        "automatic", description="never: only a manual run of model_promotion promotes"
    )


class SparkSettings(Section):
    """The project's Spark sessions."""

    model_config = _section("SPARK_")

    jars_dir: Path = Field(Path(".local/jars/spark"), description="folder of the connector jars")
    shuffle_partitions: int = Field(2, ge=1, description="partitions after a shuffle")
    master: str = Field(
        "local[3]",
        description="for the streaming apps, one slot of which is the archiver's; Airflow's jobs use the connection "
        "spark_default",
    )


class LocalSettings(Section):
    """The local stack: real servers as supervised processes on this machine."""

    model_config = _section("LOCAL_")

    state_dir: Path = Field(Path(".local"), description="data, logs and secrets of the stack")
    port_offset: int = Field(
        0, ge=-10_000, le=45_000, description="added to every port, to run a second stack next to the first"
    )
    min_memory_gib: float = Field(6, ge=0, description="free memory required for a full start")
    elasticsearch_heap: str = Field("512m", pattern=r"^\d+[mg]$", description="heap of the local Elasticsearch")
    airflow_database_url: SecretStr = Field(SecretStr(""), description="empty = SQLite in the state folder")
    spark_jobs_master: str = Field(
        "local[2]", description="for Airflow's Spark jobs; AIRFLOW_CONN_SPARK_DEFAULT overrides it"
    )
