"""The one way in for settings: environment variables, and a local `.env` file for development.

Every section is frozen and read once. `.env.example` lists all of them with their defaults. Nothing else in the project
reads the environment.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, StringConstraints, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from twitter_topics.errors import ConfigurationError
from twitter_topics.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(:\d+)?(/.*)?$")]
HostPorts = Annotated[str, StringConstraints(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _section(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(env_prefix=prefix, env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True)


class SecretsSettings(BaseSettings):
    """Settings in files, as Docker and Kubernetes mount secrets: one file for each, named like its variable."""

    model_config = _section("TWITTER_TOPICS_")

    secrets_dir: str = Field("", description="folder such as /run/secrets; the environment and .env beat its files")


class KafkaSettings(BaseSettings):
    """Where the topics are."""

    model_config = _section("KAFKA_")

    bootstrap_servers: HostPorts = "127.0.0.1:19092"
    partitions: int = Field(4, ge=1, le=1000, description="partitions of each topic when it is created")
    replication: int = Field(1, ge=1, le=5)
    raw_topic: Name = "raw_tweets"
    processed_topic: Name = "processed_tweets"
    dead_letter_topic: Name = "tweet_dead_letters"
    deletion_topic: Name = "tweet_deletions"
    gap_topic: Name = "source_gaps"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")


class S3Settings(BaseSettings):
    """The object store of archive and models. An empty endpoint means AWS itself."""

    model_config = _section("S3_")

    endpoint_url: str = "http://127.0.0.1:19000"
    region: str = "us-east-1"
    bucket: Name = "tweets"
    access_key_id: str = ""
    secret_access_key: SecretStr = SecretStr("")

    @field_validator("endpoint_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not value.startswith(("http://", "https://")):
            msg = "give a URL such as https://s3.example.org, or leave it empty for AWS"
            raise ValueError(msg)
        return value.rstrip("/")


class ArchiveSettings(BaseSettings):
    """The Iceberg catalog of the archive. The warehouse is a folder in the bucket."""

    model_config = _section("ARCHIVE_")

    catalog_uri: str = Field("sqlite:///.local/archive/catalog.db", description="sqlite:///PATH or postgresql://…")
    catalog_username: str = ""
    catalog_password: SecretStr = SecretStr("")
    warehouse_prefix: Name = "lake"
    catalog_name: Name = "lake"


class ElasticsearchSettings(BaseSettings):
    """Where analysts search."""

    model_config = _section("ELASTICSEARCH_")

    url: HttpUrl = "http://127.0.0.1:19200"
    username: str = ""
    password: SecretStr = SecretStr("")
    api_key: SecretStr = SecretStr("")
    index_prefix: Name = "tweets"
    retention_days: int = Field(14, ge=1, le=3650)
    shards: int = Field(1, ge=1, le=100)
    replicas: int = Field(0, ge=0, le=5)


class InfluxSettings(BaseSettings):
    """Where the series of counts are kept."""

    model_config = _section("INFLUXDB_")

    url: HttpUrl = "http://127.0.0.1:18086"
    database: Name = "twitter_topics"
    username: str = ""
    password: SecretStr = SecretStr("")


REPLAY_ARCHIVE = "archive"
"""PRODUCER_REPLAY_FILE for what the archive holds."""


class ProducerSettings(BaseSettings):
    """What the producer follows."""

    model_config = _section("PRODUCER_")

    source: str = Field(
        "synthetic", description=f"one of {', '.join(SOURCES)}; several, comma-separated, run beside each other"
    )
    limit: int = Field(0, ge=0, description="stop after so many tweets; 0 = never")
    state_dir: Path = Path(".local/producer")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Prometheus port on 127.0.0.1, the next ones for further sources; 0 = off"
    )
    spool_max_mb: int = Field(
        4096, ge=1, description="disk for what a live source brought and Kafka has not taken; then reading stops"
    )

    synthetic_seed: int = 1
    synthetic_rate: float = Field(0.5, gt=0, le=10_000, description="mean tweets a second")
    synthetic_history_hours: float = Field(24, ge=0, le=24 * 29, description="hours made up before the live part")

    replay_file: str = Field(
        "", description="file or folder of .jsonl, .jsonl.gz or .jsonl.zst; s3://BUCKET/PREFIX; or archive"
    )
    replay_from: str = Field("", description="of the archive: first hour, such as 2026-11-01T00:00Z")
    replay_to: str = Field("", description="of the archive: end, exclusive")
    replay_speed: str = Field("max", pattern=r"^(max|\d+(\.\d+)?)$", description="factor of real time, or max")
    replay_times: Literal["keep", "shift"] = Field(
        "keep", description="shift: the newest tweet of the file happens now"
    )

    @field_validator("source")
    @classmethod
    def _known(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        unknown = [name for name in names if name not in SOURCES]
        if unknown or len(set(names)) < len(names):
            msg = f"give one or more different ones of {', '.join(SOURCES)}"
            raise ValueError(msg)
        return ",".join(names)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources to follow, each by a producer of its own."""
        return tuple(self.source.split(","))

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the producers, in the order of their sources."""
        return tuple(self.part(name) for name in self.sources)

    def part(self, name: str) -> str:
        """What the producer of the source `name` is called: as a service, in its health, and in its log's name."""
        return "producer" if len(self.sources) == 1 else f"producer-{name}"

    def metrics_port_of(self, name: str) -> int:
        """Prometheus port of the producer of the source `name`; 0 = off."""
        return self.metrics_port and self.metrics_port + self.sources.index(name)


class TwitterSettings(BaseSettings):
    """Credentials and filter of a v1.1 stream."""

    model_config = _section("TWITTER_")

    consumer_key: SecretStr = SecretStr("")
    consumer_secret: SecretStr = SecretStr("")
    access_token: SecretStr = SecretStr("")
    access_token_secret: SecretStr = SecretStr("")
    track: str = Field("", description="comma-separated phrases")
    languages: str = Field("", description="comma-separated BCP 47 codes")
    stream_url: HttpUrl = "https://stream.twitter.com/1.1"
    api_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="where account/verify_credentials.json is; empty = TWITTER_STREAM_URL with api. for stream.",
    )


class XSettings(BaseSettings):
    """X API v2: the filtered stream, its rules, and what it may cost."""

    model_config = _section("X_")

    bearer_token: SecretStr = Field(SecretStr(""), description="app-only bearer token of a paid project")
    api_url: HttpUrl = "https://api.x.com"
    rules_file: str = Field("", description="YAML file of stream rules; `twitter-topics sources rules` applies it")
    backfill_minutes: int = Field(0, ge=0, le=5, description="asked for after a short gap; Enterprise only")
    daily_cap_posts: int = Field(0, ge=0, description="posts that may be read in a UTC day; 0 = no cap")
    monthly_cap_posts: int = Field(0, ge=0, description="posts that may be read in a UTC month; 0 = no cap")
    monthly_cap_dollars: float = Field(50.0, ge=0, description="money for posts in a UTC month; 0 = no cap")
    dollars_per_post: float = Field(0.005, ge=0, description="price of a post read (pay-per-use, 2026)")
    dollars_per_user: float = Field(0.01, ge=0, description="price of a user read: an author that comes with a post")
    authors: bool = Field(True, description="ask for each post's author: name and followers, at the price of a user")
    compliance: bool = Field(False, description="let tweet_deletions ask X daily which archived tweets are gone")


class BlueskySettings(BaseSettings):
    """Bluesky's Jetstream: free, live, no key."""

    model_config = _section("BLUESKY_")

    hosts: str = Field(
        "wss://jetstream1.us-east.bsky.network,wss://jetstream2.us-east.bsky.network,"
        "wss://jetstream1.us-west.bsky.network,wss://jetstream2.us-west.bsky.network",
        pattern=r"^wss?://[^\s,]+(,wss?://[^\s,]+)*$",
        description="tried in this order; the next one takes over when one is away",
    )
    wire: Literal["v1", "v2"] = Field("v1", description="of the protocol; v2 says when a cursor is too old")
    collections: str = Field("app.bsky.feed.post", description="comma-separated; only posts become tweets")
    languages: str = Field("", description="comma-separated BCP 47 codes; empty = all, also posts that name none")
    dids: str = Field("", description="comma-separated accounts; empty = all")
    compress: bool = Field(True, description="v1: permessage-deflate, v2: zstd with the host's dictionary")
    rewind_seconds: int = Field(5, ge=0, le=3600, description="asked for again after changing host")


class MastodonSettings(BaseSettings):
    """A Mastodon server's streaming API. Needs a token since 4.2."""

    model_config = _section("MASTODON_")

    url: HttpUrl = "https://mastodon.social"
    access_token: SecretStr = SecretStr("")
    stream: str = Field(
        "public",
        pattern=r"^(public|public/local|public/remote|hashtag/\w+|hashtag/local/\w+)$",
        description="public, public/local, public/remote, hashtag/NAME, hashtag/local/NAME",
    )
    languages: str = Field("", description="comma-separated codes; empty = all")


class SpeedSettings(BaseSettings):
    """The two streaming apps."""

    model_config = _section("SPEED_")

    checkpoint_dir: str = Field(".local/checkpoints", description="folder or s3a:// prefix")
    health_dir: Path = Path(".local/health")
    archive_trigger_seconds: int = Field(10, ge=1, le=3600)
    classify_trigger_seconds: int = Field(2, ge=1, le=3600)
    aggregate_trigger_seconds: int = Field(5, ge=1, le=3600)
    max_tweets_per_batch: int = Field(20_000, ge=100)
    max_records_per_aggregation: int = Field(200_000, ge=1000, description="processed tweets that one batch counts")
    max_future_minutes: int = Field(5, ge=0, le=1440, description="a tweet further ahead of its arrival is refused")
    max_age_days: int = Field(30, ge=1, le=36500, description="a tweet older than this at its arrival is refused")
    max_dead_letter_share: float = Field(
        0.5, gt=0, le=1, description="share of a batch (of 1,000 and more) that may be refused before the app stops"
    )
    driver_memory: str = Field("1g", pattern=r"^\d+[mg]$")
    java_options: str = Field(
        "-XX:TieredStopAtLevel=1", description="of the JVM; the work is done in Python, so a quick compiler is enough"
    )


class TopicsSettings(BaseSettings):
    """Training and promotion of topic models."""

    model_config = _section("TOPICS_")

    trainer: Literal["gsdmm", "spark-lda"] = "gsdmm"
    k: int = Field(20, ge=2, le=200, description="number of topics")
    iterations: int = Field(30, ge=1, le=1000)
    seed: int = 1
    window_hours: int = Field(24 * 14, ge=1, le=24 * 3650, description="train on the archive's newest hours")
    max_documents: int = Field(1_000_000, ge=1000)
    min_documents: int = Field(2_000, ge=100, description="fewer tweets than this train nothing")
    min_new_tweets: int = Field(20_000, ge=1, description="new tweets since the champion that start a retraining")
    promotion: Literal["automatic", "never"] = "automatic"


class SparkSettings(BaseSettings):
    """How the project's Spark sessions are built."""

    model_config = _section("SPARK_")

    jars_dir: Path = Path(".local/jars/spark")
    shuffle_partitions: int = Field(2, ge=1)
    master: str = Field(
        "local[2]", description="of the streaming apps; Airflow's jobs take the spark_default connection"
    )


class LocalSettings(BaseSettings):
    """The local stack: real servers as supervised processes of this machine."""

    model_config = _section("LOCAL_")

    state_dir: Path = Field(Path(".local"), description="data, logs and secrets of the stack")
    port_offset: int = Field(0, ge=-10_000, le=45_000, description="added to every port: a second stack beside a first")
    min_memory_gib: float = Field(6, ge=0, description="free memory that a full start demands")
    elasticsearch_heap: str = Field("512m", pattern=r"^\d+[mg]$")
    airflow_database_url: SecretStr = Field(SecretStr(""), description="empty = SQLite in the state folder")
    spark_jobs_master: str = Field(
        "local[2]", description="of Airflow's Spark jobs; AIRFLOW_CONN_SPARK_DEFAULT beats it"
    )


_Section = TypeVar("_Section", bound=BaseSettings)


def _read(section: type[_Section], given: Mapping[str, str]) -> _Section:
    secrets_dir = "" if section is SecretsSettings else _read(SecretsSettings, given).secrets_dir
    prefix = section.model_config.get("env_prefix", "")
    keys = {name: f"{prefix}{name}".upper() for name in section.model_fields}
    values: dict[str, Any] = {name: given[key] for name, key in keys.items() if key in given}
    try:
        if secrets_dir and not Path(secrets_dir).expanduser().is_dir():
            raise NotADirectoryError(f"there is no folder {secrets_dir}")
        return section(**values, _secrets_dir=secrets_dir or None)
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        msg = f"wrong TWITTER_TOPICS_SECRETS_DIR: {error}; give a folder of readable files, or leave it empty"
        raise ConfigurationError(msg) from None
    except ValidationError as error:
        lines = [
            f"{prefix}{'_'.join(str(part) for part in e['loc'])}".upper() + f": {e['msg']} (got {_shown(e)})"
            for e in error.errors()
        ]
        msg = (
            "wrong setting\n  "
            + "\n  ".join(lines)
            + "\n  Fix it in the environment or in .env; .env.example lists all."
        )
        raise ConfigurationError(msg) from None


def _shown(error: Any) -> str:
    secret = any(word in str(error["loc"]).lower() for word in ("password", "secret", "key", "token"))
    return "a hidden value" if secret else repr(error.get("input"))


class _Part(cached_property[_Section]):
    """A section as an attribute of Settings, read when first asked for."""

    def __init__(self, section: type[_Section]) -> None:
        super().__init__(lambda settings: _read(section, settings._given))


class Settings:
    """All sections, each read when first asked for.

    Args:
        given: variables that beat the environment, by their full names (`KAFKA_BOOTSTRAP_SERVERS`).

    Raises:
        ConfigurationError: on first use of a section with a wrong value; names the variable and the fix.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given or {}

    kafka = _Part(KafkaSettings)
    s3 = _Part(S3Settings)
    archive = _Part(ArchiveSettings)
    elasticsearch = _Part(ElasticsearchSettings)
    influx = _Part(InfluxSettings)
    producer = _Part(ProducerSettings)
    twitter = _Part(TwitterSettings)
    x = _Part(XSettings)
    bluesky = _Part(BlueskySettings)
    mastodon = _Part(MastodonSettings)
    speed = _Part(SpeedSettings)
    topics = _Part(TopicsSettings)
    spark = _Part(SparkSettings)
    local = _Part(LocalSettings)


def inherited(names: Iterable[str], prefixes: Iterable[str] = ()) -> dict[str, str]:
    """What of the caller's environment a child process is meant to see: variables by name and by prefix."""
    chosen, starts = set(names), tuple(prefixes)
    return {name: value for name, value in os.environ.items() if name in chosen or name.startswith(starts)}


def provide_defaults(values: Mapping[str, str]) -> None:
    """Settings for this process and its children that neither the environment nor `.env` gives."""
    for name, value in values.items():
        os.environ.setdefault(name, value)
