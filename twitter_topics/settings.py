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
from pydantic_settings import BaseSettings, SettingsConfigDict

from twitter_topics.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(:\d+)?(/.*)?$")]
HostPorts = Annotated[str, StringConstraints(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def _section(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(env_prefix=prefix, env_file=".env", frozen=True, extra="ignore", env_ignore_empty=True)


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


class ProducerSettings(BaseSettings):
    """What the producer follows."""

    model_config = _section("PRODUCER_")

    source: Literal["synthetic", "replay", "twitter_v1"] = "synthetic"
    limit: int = Field(0, ge=0, description="stop after so many tweets; 0 = never")
    state_dir: Path = Path(".local/producer")
    metrics_port: int = Field(0, ge=0, le=65535, description="Prometheus port on 127.0.0.1; 0 = off")

    synthetic_seed: int = 1
    synthetic_rate: float = Field(0.5, gt=0, le=10_000, description="mean tweets a second")
    synthetic_history_hours: float = Field(24, ge=0, le=24 * 29, description="hours made up before the live part")

    replay_file: str = ""
    replay_speed: str = Field("max", pattern=r"^(max|\d+(\.\d+)?)$", description="factor of real time, or max")
    replay_times: Literal["keep", "shift"] = Field(
        "keep", description="shift: the newest tweet of the file happens now"
    )


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
    prefix = section.model_config.get("env_prefix", "")
    keys = {name: f"{prefix}{name}".upper() for name in section.model_fields}
    values: dict[str, Any] = {name: given[key] for name, key in keys.items() if key in given}
    try:
        return section(**values)
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


class Settings:
    """All sections, each read when first asked for.

    Args:
        given: variables that beat the environment, by their full names (`KAFKA_BOOTSTRAP_SERVERS`).

    Raises:
        ConfigurationError: on first use of a section with a wrong value; names the variable and the fix.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = given or {}

    @cached_property
    def kafka(self) -> KafkaSettings:
        return _read(KafkaSettings, self._given)

    @cached_property
    def s3(self) -> S3Settings:
        return _read(S3Settings, self._given)

    @cached_property
    def archive(self) -> ArchiveSettings:
        return _read(ArchiveSettings, self._given)

    @cached_property
    def elasticsearch(self) -> ElasticsearchSettings:
        return _read(ElasticsearchSettings, self._given)

    @cached_property
    def influx(self) -> InfluxSettings:
        return _read(InfluxSettings, self._given)

    @cached_property
    def producer(self) -> ProducerSettings:
        return _read(ProducerSettings, self._given)

    @cached_property
    def twitter(self) -> TwitterSettings:
        return _read(TwitterSettings, self._given)

    @cached_property
    def speed(self) -> SpeedSettings:
        return _read(SpeedSettings, self._given)

    @cached_property
    def topics(self) -> TopicsSettings:
        return _read(TopicsSettings, self._given)

    @cached_property
    def spark(self) -> SparkSettings:
        return _read(SparkSettings, self._given)

    @cached_property
    def local(self) -> LocalSettings:
        return _read(LocalSettings, self._given)


def inherited(names: Iterable[str], prefixes: Iterable[str] = ()) -> dict[str, str]:
    """What of the caller's environment a child process is meant to see: variables by name and by prefix."""
    chosen, starts = set(names), tuple(prefixes)
    return {name: value for name, value in os.environ.items() if name in chosen or name.startswith(starts)}


def provide_defaults(values: Mapping[str, str]) -> None:
    """Settings for this process and its children that neither the environment nor `.env` gives."""
    for name, value in values.items():
        os.environ.setdefault(name, value)
