"""Spark sessions of streaming apps, batch jobs and tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from twitter_topics.backends import tls, worker_daemon
from twitter_topics.backends.database import catalog_url, jdbc_uri
from twitter_topics.backends.private_files import private_file
from twitter_topics.errors import ConfigurationError
from twitter_topics.logs import SPARK_LOGGING
from twitter_topics.settings import inherited, provide_defaults
from twitter_topics.settings.sections import is_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twitter_topics.settings import ArchiveSettings, S3Settings, Settings, SparkSettings


def build_session(
    settings: Settings, app_name: str, *, driver_memory: str = "", streaming: bool = False, worker_modules: str = ""
) -> SparkSession:
    """Return a session with the archive's catalog, S3 and Kafka.

    Under spark-submit, master, jars and memory come from its command line; with `python app.py` they come from the
    settings. (Streaming apps are started as plain Python, because spark-submit does not forward SIGTERM.)

    The JVM starts first, and gets the other options, with their secrets, over its socket: pyspark would put them on
    the JVM's command line, which everybody on the machine can read (docs/adr/0011).

    Args:
        worker_modules: as of worker_daemon.MODULES.

    Raises:
        ConfigurationError: a setting is wrong or SPARK_JARS_DIR has no jars; no JVM was started.
    """
    provide_defaults({"PYSPARK_PYTHON": sys.executable})  # otherwise workers use whatever `python3` is on the PATH
    launch = {} if _under_spark_submit() else _launch_options(settings, driver_memory, streaming=streaming)
    options = launch | _common_options(settings) | s3a_options(settings.s3)
    options |= catalog_options(settings.archive, settings.s3)
    options |= _STREAMING_OPTIONS | checkpoint_options(settings.speed.checkpoint_dir) if streaming else {}
    options[f"spark.executorEnv.{worker_daemon.MODULES}"] = worker_modules
    jvm = _start_jvm(launch)
    given = jvm.org.apache.spark.SparkConf(True)
    options |= network_options(settings.spark, launch.get("spark.master") or given.get("spark.master", ""))
    if settings.s3.tls.ca:
        options |= _trust(jvm, settings.s3, given)
    builder = SparkSession.builder.appName(app_name)
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session


def streaming_session(settings: Settings, app_name: str, worker_modules: str) -> SparkSession:
    """Return the session of a streaming app; see `build_session`."""
    return build_session(
        settings,
        app_name,
        driver_memory=settings.speed.driver_memory,
        streaming=True,
        worker_modules=worker_modules,
    )


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


def _launch_options(settings: Settings, driver_memory: str, *, streaming: bool) -> dict[str, str]:
    """Return the options that a JVM needs on its command line. No secrets."""
    options = {"spark.master": settings.spark.master, "spark.jars": ",".join(jars(settings.spark.jars_dir))}
    if driver_memory:
        options["spark.driver.memory"] = driver_memory
    java_options = settings.speed.java_options if streaming else settings.spark.java_options
    if streaming:
        java_options = f"-Dlog4j2.configurationFile={SPARK_LOGGING.as_uri()} {java_options}"
    options["spark.driver.extraJavaOptions"] = java_options
    return options


def _start_jvm(options: Mapping[str, str]) -> Any:
    """Start the JVM, or connect to the one of spark-submit."""
    SparkContext._ensure_initialized(conf=SparkConf(loadDefaults=False).setAll(list(options.items())))
    return SparkContext._jvm


def _common_options(settings: Settings) -> dict[str, str]:
    return {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.python.daemon.module": worker_daemon.__name__,
        "spark.speculation": "false",  # a second copy of a task would write to Elasticsearch concurrently
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|keystore[.]key",
    }


_STREAMING_OPTIONS = {
    # what a Python worker computes at once: the classifier sends it to Elasticsearch while it computes the next
    "spark.sql.execution.arrow.maxRecordsPerBatch": "2500",
    "spark.scheduler.mode": "FAIR",  # a long batch of one query must not block the other
    "spark.sql.streaming.metricsEnabled": "false",
    "spark.sql.ui.explainMode": "simple",  # for a page that is off, Spark describes the plan of every batch
    "spark.sql.streaming.minBatchesToRetain": "20",
    "spark.sql.streaming.stopTimeout": "5000",
    "spark.sql.streaming.forceDeleteTempCheckpointLocation": "true",
}

_FILE_SYSTEM_MANAGER = "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"


def checkpoint_options(folder: str) -> dict[str, str]:
    """Return how Spark writes checkpoints to a folder or a URL.

    By default Spark renames their files with Hadoop's FileContext, which is atomic on HDFS. In a local folder neither
    way is, and this one runs `readlink` four times a file unless Hadoop's native libraries are there: a third of what
    a small batch costs.
    """
    is_local = urlsplit(folder).scheme in ("", "file")
    return {"spark.sql.streaming.checkpointFileManagerClass": _FILE_SYSTEM_MANAGER} if is_local else {}


def network_options(settings: SparkSettings, master: str) -> dict[str, str]:
    """Return where the driver listens: on the loopback address, unless executors run on other machines."""
    own = is_local(master)
    options = {
        "spark.driver.host": "127.0.0.1" if own else settings.driver_host,
        "spark.driver.bindAddress": "127.0.0.1" if own else settings.driver_bind_address,
    }
    return {key: value for key, value in options.items() if value}


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


_TRUST_STORE = "javax.net.ssl.trustStore"


def _trust(jvm: Any, settings: S3Settings, given: Any) -> dict[str, str]:
    """Make the CA file the trust store of the driver's JVM, and return the options that do so in executors.

    S3A has no option for it. Kafka's and PostgreSQL's clients have trust stores of their own.
    """
    store = private_file("s3-trust.p12", tls.java_trust_store(settings.tls.ca))
    for name, value in ((_TRUST_STORE, str(store)), (f"{_TRUST_STORE}Type", "PKCS12")):
        jvm.java.lang.System.setProperty(name, value)
    # an executor finds files of the driver in its current folder
    java_options = f"-D{_TRUST_STORE}={store.name} -D{_TRUST_STORE}Type=PKCS12"
    files = [given.get("spark.files", ""), store.as_uri()]
    return {
        "spark.files": ",".join(one for one in files if one),
        "spark.executor.extraJavaOptions": f"{given.get('spark.executor.extraJavaOptions', '')} {java_options}".strip(),
    }


def catalog_options(archive: ArchiveSettings, s3: S3Settings) -> dict[str, str]:
    """Return the options of the archive's Iceberg catalog: tables in JDBC, data in the bucket.

    Raises:
        ConfigurationError: ARCHIVE_CATALOG_URI is not supported.
    """
    prefix = f"spark.sql.catalog.{archive.catalog_name}"
    url = catalog_url(archive)
    options = {
        prefix: "org.apache.iceberg.spark.SparkCatalog",
        f"{prefix}.type": "jdbc",
        f"{prefix}.uri": jdbc_uri(url),
        f"{prefix}.jdbc.schema-version": "V1",
        f"{prefix}.warehouse": f"s3a://{s3.bucket}/{archive.warehouse_prefix}",
        f"{prefix}.cache-enabled": "false",
        f"{prefix}.jdbc.user": url.username or "",
        f"{prefix}.jdbc.password": str(url.password or ""),
    }
    return {key: value for key, value in options.items() if value}
