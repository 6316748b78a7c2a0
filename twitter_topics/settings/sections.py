"""Every setting, except the networks' and those of topics and sentiment: its name, type, default and meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from twitter_topics.settings.env_file import Section, section_config
from twitter_topics.settings.paths import IsPath
from twitter_topics.settings.values import (
    CaFile,
    CatalogName,
    ClientCertificateFile,
    ClientKeyFile,
    DatabaseUri,
    HostPorts,
    HttpUrl,
    IndexPrefix,
    Name,
    PathOrUrl,
    S3Endpoint,
    TlsFiles,
    TopicName,
)
from twitter_topics.sources import SOURCES

_CA_FILE = "PEM file of the CAs that the server's certificate is checked with; empty = the system's"
_KEY_FILE = "PEM file of the client certificate's key, unencrypted; empty = it is in the certificate's file"
_CERTIFICATE_FILE = "PEM file of the client certificate; empty = none"


class SecretsSettings(Section):
    """Settings in files, as Docker and Kubernetes mount secrets: one file per setting, named like its variable."""

    model_config = section_config("TWITTER_TOPICS_")

    secrets_dir: PathOrUrl = Field(
        "", description="folder such as /run/secrets; the environment and .env override its files"
    )


class LogSettings(Section):
    """Log lines of producers, streaming apps and batch jobs."""

    model_config = section_config("TWITTER_TOPICS_LOG_")

    format: Literal["text", "json"] = Field("text", description="json: one JSON object per line")


class KafkaSettings(Section):
    """The Kafka cluster and its topics."""

    model_config = section_config("KAFKA_")

    bootstrap_servers: HostPorts = Field("127.0.0.1:19092", description="HOST:PORT of the brokers, comma-separated")
    partitions: int = Field(4, ge=1, le=1000, description="partitions of each new topic")
    replication: int = Field(1, ge=1, le=5, description="replicas of each new topic")
    raw_topic: TopicName = Field("raw_tweets", description="tweets as they arrive")
    processed_topic: TopicName = Field("processed_tweets", description="topics and sentiment of each tweet")
    dead_letter_topic: TopicName = Field("tweet_dead_letters", description="rejected records, each with a reason")
    deletion_topic: TopicName = Field("tweet_deletions", description="deletion notices")
    gap_topic: TopicName = Field("source_gaps", description="periods in which a source delivered nothing")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="security of the connection to the brokers"
    )
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "", validate_default=True, description="needed with SASL_PLAINTEXT and SASL_SSL"
    )
    sasl_username: str = Field("", validate_default=True, description="user for SASL")
    sasl_password: SecretStr = Field(SecretStr(""), description="password for SASL")
    ca_file: CaFile = Field("", description=_CA_FILE)
    client_key_file: ClientKeyFile = Field("", description=_KEY_FILE)
    client_certificate_file: ClientCertificateFile = Field("", validate_default=True, description=_CERTIFICATE_FILE)

    @field_validator("sasl_mechanism", "sasl_username")
    @classmethod
    def _needed_with_sasl(cls, value: str, info: ValidationInfo) -> str:
        protocol = info.data.get("security_protocol", "")
        if not value and protocol.startswith("SASL_"):
            raise ValueError(f"needed with KAFKA_SECURITY_PROTOCOL={protocol}")
        return value

    @property
    def tls(self) -> TlsFiles:
        """Files for TLS."""
        return TlsFiles.of(self.ca_file, self.client_certificate_file, self.client_key_file)


class S3Settings(Section):
    """The object store for archive and models. An empty endpoint means AWS."""

    model_config = section_config("S3_") | SettingsConfigDict(env_ignore_empty=False)

    endpoint_url: S3Endpoint = Field("http://127.0.0.1:19000", description="URL of the server; empty = AWS")
    region: str = Field("us-east-1", description="region of the bucket")
    bucket: Name = Field("tweets", description="bucket for archive and models")
    access_key_id: str = Field("", description="empty = the AWS SDK's own credential chain")
    secret_access_key: SecretStr = Field(SecretStr(""), description="secret of S3_ACCESS_KEY_ID")
    ca_file: CaFile = Field("", description=_CA_FILE)

    @property
    def tls(self) -> TlsFiles:
        """Files for TLS. There is no client certificate: S3 identifies a client by its key."""
        return TlsFiles(self.ca_file)


class ArchiveSettings(Section):
    """The Iceberg catalog of the archive. The warehouse is a folder in the bucket."""

    model_config = section_config("ARCHIVE_")

    catalog_uri: DatabaseUri = Field(
        "sqlite:///.local/archive/catalog.db", description="sqlite:///PATH or postgresql://…"
    )
    catalog_username: str = Field("", description="user of a PostgreSQL catalog")
    catalog_password: SecretStr = Field(SecretStr(""), description="password of a PostgreSQL catalog")
    catalog_ca_file: CaFile = Field("", description=_CA_FILE)
    catalog_client_key_file: ClientKeyFile = Field("", description=_KEY_FILE)
    catalog_client_certificate_file: ClientCertificateFile = Field(
        "", validate_default=True, description=_CERTIFICATE_FILE
    )
    warehouse_prefix: Name = Field("lake", description="folder of the tables in the bucket")
    catalog_name: CatalogName = Field(
        "lake", description="name of the catalog in Spark and in the catalog database: letters, digits and _"
    )

    @property
    def tls(self) -> TlsFiles:
        """Files for TLS."""
        return TlsFiles.of(self.catalog_ca_file, self.catalog_client_certificate_file, self.catalog_client_key_file)


class ElasticsearchSettings(Section):
    """The search index."""

    model_config = section_config("ELASTICSEARCH_")

    url: HttpUrl = Field("http://127.0.0.1:19200", description="URL of the cluster")
    username: str = Field("", description="user, unless there is an API key")
    password: SecretStr = Field(SecretStr(""), description="password of ELASTICSEARCH_USERNAME")
    api_key: SecretStr = Field(SecretStr(""), description="API key; overrides user and password")
    ca_file: CaFile = Field("", description=_CA_FILE)
    client_key_file: ClientKeyFile = Field("", description=_KEY_FILE)
    client_certificate_file: ClientCertificateFile = Field("", validate_default=True, description=_CERTIFICATE_FILE)
    index_prefix: IndexPrefix = Field("tweets", description="the index of a day is PREFIX-YYYY.MM.DD; in lower case")
    retention_days: int = Field(14, ge=1, le=36500, description="daily indices older than this many days are deleted")
    shards: int = Field(1, ge=1, le=100, description="primary shards of each daily index")
    replicas: int = Field(0, ge=0, le=5, description="replicas of each shard")

    @property
    def tls(self) -> TlsFiles:
        """Files for TLS."""
        return TlsFiles.of(self.ca_file, self.client_certificate_file, self.client_key_file)


class CountsSettings(Section):
    """The database with the state of the counts; InfluxDB shows them."""

    model_config = section_config("COUNTS_")

    database_uri: DatabaseUri = Field(
        "sqlite:///.local/counts/counts.db", description="sqlite:///PATH or postgresql://…"
    )
    database_username: str = Field("", description="user, when the address names none")
    database_password: SecretStr = Field(SecretStr(""), description="password of that user")
    database_ca_file: CaFile = Field("", description=_CA_FILE)
    database_client_key_file: ClientKeyFile = Field("", description=_KEY_FILE)
    database_client_certificate_file: ClientCertificateFile = Field(
        "", validate_default=True, description=_CERTIFICATE_FILE
    )

    @property
    def tls(self) -> TlsFiles:
        """Files for TLS."""
        return TlsFiles.of(self.database_ca_file, self.database_client_certificate_file, self.database_client_key_file)


class InfluxSettings(Section):
    """The time series of counts."""

    model_config = section_config("INFLUXDB_")

    url: HttpUrl = Field("http://127.0.0.1:18086", description="URL of a server with the 1.x API")
    database: Name = Field("twitter_topics", description="database of the series")
    username: str = Field("", description="user; empty = no authentication")
    password: SecretStr = Field(SecretStr(""), description="password of INFLUXDB_USERNAME")
    read_username: str = Field(
        "",
        description="user that may only read, for the page Topics and `twitter-topics topics`; empty = the other one",
    )
    read_password: SecretStr = Field(SecretStr(""), description="password of INFLUXDB_READ_USERNAME")
    ca_file: CaFile = Field("", description=_CA_FILE)
    client_key_file: ClientKeyFile = Field("", description=_KEY_FILE)
    client_certificate_file: ClientCertificateFile = Field("", validate_default=True, description=_CERTIFICATE_FILE)

    @property
    def tls(self) -> TlsFiles:
        """Files for TLS."""
        return TlsFiles.of(self.ca_file, self.client_certificate_file, self.client_key_file)

    def for_reading(self) -> InfluxSettings:
        """Return the settings of the user that may only read, if there is one."""
        if not self.read_username:
            return self
        return self.model_copy(update={"username": self.read_username, "password": self.read_password})


REPLAY_ARCHIVE = "archive"
"""Value of PRODUCER_REPLAY_FILE that replays the archive."""


REPLAY_SPEED = r"^(max|\d+(\.\d+)?)$"
"""Pattern of PRODUCER_REPLAY_SPEED."""

SYNTHETIC_LANGUAGES = ("en", "es", "pt", "fr", "ja", "de")


class ProducerSettings(Section):
    """The producer's source."""

    model_config = section_config("PRODUCER_")

    source: str = Field(
        "synthetic",
        description=f"one of {', '.join(SOURCES)}; several, comma-separated, run side by side; where none is named, "
        "the local stack keeps that of its last start, and its limit",
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
    synthetic_languages: str = Field(
        "",
        description=f"of {', '.join(SYNTHETIC_LANGUAGES)}, comma-separated, each of equal share, so that everybody "
        "writes one; empty = mostly English, with some Spanish, Portuguese and French",
    )

    replay_file: Annotated[str, IsPath(unless=REPLAY_ARCHIVE)] = Field(
        "", description="file or folder of tweets in any format of docs/inputs.md; s3://BUCKET/PREFIX; or archive"
    )
    replay_from: str = Field("", description="archive only: first hour, such as 2026-11-01T00:00Z")
    replay_to: str = Field("", description="archive only: end, exclusive")
    replay_speed: str = Field("max", pattern=REPLAY_SPEED, description="multiple of real time, or max")
    replay_times: Literal["keep", "shift"] = Field(
        "keep", description="shift: the newest tweet of the file happens now"
    )
    replay_strict: bool = Field(False, description="stop at a damaged file instead of going on after a gap")

    @field_validator("source")
    @classmethod
    def _known(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",")]
        unknown = [name for name in names if name not in SOURCES]
        if unknown or len(set(names)) < len(names):
            msg = f"use one or more of {', '.join(SOURCES)}, each at most once"
            raise ValueError(msg)
        return ",".join(names)

    @field_validator("synthetic_languages")
    @classmethod
    def _spoken(cls, value: str) -> str:
        codes = [code.strip() for code in value.split(",")] if value.strip() else []
        unknown = [code for code in codes if code not in SYNTHETIC_LANGUAGES]
        if unknown or len(set(codes)) < len(codes):
            wrong = f"{', '.join(map(repr, unknown))}: " if unknown else ""
            msg = f"{wrong}use some of {', '.join(SYNTHETIC_LANGUAGES)}, each at most once"
            raise ValueError(msg)
        return ",".join(sorted(codes, key=SYNTHETIC_LANGUAGES.index))

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


class SpeedSettings(Section):
    """The two streaming apps."""

    model_config = section_config("SPEED_")

    checkpoint_dir: PathOrUrl = Field(".local/checkpoints", description="folder or s3a:// prefix")
    health_dir: Path = Field(
        Path(".local/health"), description="folder of the status reports; the local stack's is LOCAL_STATE_DIR/health"
    )
    archive_trigger_seconds: int = Field(
        10, ge=1, le=3600, description="interval between the archiver's batches; none while full ones wait"
    )
    classify_trigger_seconds: int = Field(
        2,
        ge=1,
        le=3600,
        description="interval between the classifier's batches; half a second from 50 tweets/s on",
    )
    aggregate_trigger_seconds: int = Field(5, ge=1, le=3600, description="interval between the aggregator's batches")
    max_tweets_per_batch: int = Field(
        50_000, ge=100, description="maximum tweets per batch of the archiver and of the classifier"
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
        description="seconds after which a query that is behind but finishes no batch is started again, then its "
        "process; not while a store is unavailable",
    )
    driver_memory: str = Field("1g", pattern=r"^\d+[mg]$", description="heap of each app's JVM")
    java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=128m -XX:MetaspaceSize=192m -Xmn256m",
        description="for the JVM; the work is done in Python, so a fast compiler and a small collector are enough. "
        "With the default sizes, compiled code is thrown away and compiled again, and the whole heap is collected",
    )


class SparkSettings(Section):
    """The project's Spark sessions."""

    model_config = section_config("SPARK_")

    jars_dir: Path = Field(Path(".local/jars/spark"), description="folder of the connector jars")
    shuffle_partitions: int = Field(2, ge=1, description="partitions after a shuffle")
    java_options: str = Field(
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        description="for the driver's JVM of Airflow's jobs: most take a minute, which a fast compiler and a small "
        "collector shorten; where they take hours, -XX:+UseG1GC",
    )
    master: str = Field(
        "local[3]",
        description="for the streaming apps, one slot of which is the archiver's; Airflow's jobs use the connection "
        "spark_default",
    )
    max_job_hours: int = Field(
        6, ge=1, le=744, description="a job of Airflow that takes longer is killed, and tried once more"
    )
    job_niceness: int = Field(
        10,
        ge=0,
        le=19,
        description="of Airflow's jobs; 0 = as much CPU time for them as for the streaming apps",
    )
    driver_host: str = Field(
        "", description="on a cluster: name or address at which executors reach this machine; empty = its host name"
    )
    driver_bind_address: str = Field(
        "", description="on a cluster: address at which drivers listen; empty = SPARK_DRIVER_HOST"
    )


def is_local(master: str) -> bool:
    """Return whether a Spark master runs everything in the driver's process."""
    return master.startswith("local")


class LocalSettings(Section):
    """The local stack: real servers as supervised processes on this machine."""

    model_config = section_config("LOCAL_")

    state_dir: Path = Field(Path(".local"), description="data, logs and secrets of the stack")
    port_offset: int = Field(
        0,
        ge=-10_000,
        le=45_000,
        description="added to every port, to run a second stack next to the first, with another LOCAL_STATE_DIR",
    )
    min_memory_gib: float = Field(6, ge=0, description="free memory required for a full start")
    elasticsearch_heap: str = Field("512m", pattern=r"^\d+[mg]$", description="heap of the local Elasticsearch")
    airflow_database_url: SecretStr = Field(SecretStr(""), description="empty = SQLite in the state folder")
    spark_jobs_master: str = Field(
        "local[2]", description="for Airflow's Spark jobs; AIRFLOW_CONN_SPARK_DEFAULT overrides it"
    )
