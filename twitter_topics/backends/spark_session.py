"""Spark sessions of streaming apps, batch jobs and tests."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pyspark.sql import SparkSession

from twitter_topics.errors import ConfigurationError
from twitter_topics.logs import SPARK_LOGGING
from twitter_topics.settings import inherited, provide_defaults

if TYPE_CHECKING:
    from twitter_topics.settings import ArchiveSettings, S3Settings, Settings


def build_session(
    settings: Settings, app_name: str, *, driver_memory: str = "", streaming: bool = False
) -> SparkSession:
    """Return a session with the archive's catalog, S3 and Kafka.

    Under spark-submit, master, jars and memory come from its command line; with `python app.py` they come from the
    settings. (Streaming apps are started as plain Python, because spark-submit does not forward SIGTERM.)

    Raises:
        ConfigurationError: SPARK_JARS_DIR has no jars.
    """
    provide_defaults({"PYSPARK_PYTHON": sys.executable})  # otherwise workers use whatever `python3` is on the PATH
    builder = SparkSession.builder.appName(app_name)
    if not _under_spark_submit():
        builder = builder.master(settings.spark.master).config("spark.jars", ",".join(jars(settings.spark.jars_dir)))
        if driver_memory:
            builder = builder.config("spark.driver.memory", driver_memory)
    options = _common_options(settings) | s3a_options(settings.s3) | catalog_options(settings.archive, settings.s3)
    if streaming:
        java_options = f"-Dlog4j2.configurationFile={SPARK_LOGGING.as_uri()} {settings.speed.java_options}"
        options |= _STREAMING_OPTIONS | {"spark.driver.extraJavaOptions": java_options}
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session


def jars(folder: Path) -> list[str]:
    """Return the absolute paths of the connector jars.

    Raises:
        ConfigurationError: the folder is missing or empty.
    """
    found = sorted(str(path.resolve()) for path in Path(folder).glob("*.jar"))
    if not found:
        msg = f"SPARK_JARS_DIR: no jars in {folder}; run `make up` to download them, or set the folder that has them"
        raise ConfigurationError(msg)
    return found


def _under_spark_submit() -> bool:
    # spark-submit passes the port of its running JVM to the Python driver
    return bool(inherited(["PYSPARK_GATEWAY_PORT"]))


def _common_options(settings: Settings) -> dict[str, str]:
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.speculation": "false",  # a second copy of a task would write to Elasticsearch concurrently
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key",
    }


_STREAMING_OPTIONS = {
    "spark.scheduler.mode": "FAIR",  # a long batch of one query must not block the other
    "spark.sql.streaming.metricsEnabled": "false",
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.stopTimeout": "5000",
    "spark.sql.streaming.forceDeleteTempCheckpointLocation": "true",
}


def s3a_options(settings: S3Settings) -> dict[str, str]:
    """Return the options of Hadoop's S3A for the bucket in the settings."""
    prefix = "spark.hadoop.fs.s3a."
    options = {
        prefix + "endpoint.region": settings.region,
        prefix + "multipart.size": "16M",
        prefix + "connection.establish.timeout": "5000",
        prefix + "attempts.maximum": "5",
    }
    if settings.endpoint_url:
        options |= {
            prefix + "endpoint": settings.endpoint_url,
            prefix + "path.style.access": "true",
            prefix + "connection.ssl.enabled": str(settings.endpoint_url.startswith("https")).lower(),
        }
    if settings.access_key_id:
        options |= {
            prefix + "access.key": settings.access_key_id,
            prefix + "secret.key": settings.secret_access_key.get_secret_value(),
            prefix + "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        }
    return options


def catalog_options(archive: ArchiveSettings, s3: S3Settings) -> dict[str, str]:
    """Return the options of the archive's Iceberg catalog: tables in JDBC, data in the bucket."""
    prefix = f"spark.sql.catalog.{archive.catalog_name}"
    options = {
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "jdbc",
        f"{prefix}.uri": jdbc_uri(archive.catalog_uri),
        f"{prefix}.jdbc.schema-version": "V1",
        f"{prefix}.warehouse": f"s3a://{s3.bucket}/{archive.warehouse_prefix}",
        f"{prefix}.cache-enabled": "false",
    }
    if archive.catalog_username:
        options |= {
            f"{prefix}.jdbc.user": archive.catalog_username,
            f"{prefix}.jdbc.password": archive.catalog_password.get_secret_value(),
        }
    return options


def jdbc_uri(uri: str) -> str:
    """Return the JDBC form of a catalog URI: `sqlite:///PATH` or `postgresql://HOST/DB`.

    Raises:
        ConfigurationError: the URI has another scheme.
    """
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///")).resolve()
        with contextlib.suppress(OSError):  # the catalog's user reports it, and nobody else stops because of it
            path.parent.mkdir(parents=True, exist_ok=True)
        return f"jdbc:sqlite:{path}?busy_timeout=10000&journal_mode=WAL"
    if uri.startswith("postgresql://"):
        parts = urlsplit(uri)
        return f"jdbc:postgresql://{parts.hostname}:{parts.port or 5432}{parts.path}"
    msg = (
        f"ARCHIVE_CATALOG_URI: {uri.split('://')[0]}:// is not supported; "
        "use sqlite:///PATH or postgresql://HOST/DATABASE"
    )
    raise ConfigurationError(msg)
