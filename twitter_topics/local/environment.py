"""The environment of each service: an allow-list, never the caller's whole environment."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from twitter_topics.local import secrets
from twitter_topics.local.layout import JARS, PROJECT, Layout
from twitter_topics.local.ports import Ports
from twitter_topics.settings import REPLAY_ARCHIVE, Settings, inherited, provide_defaults
from twitter_topics.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import BaseSettings

    from twitter_topics.local.java import Java

_FROM_CALLER = (
    *("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
)
_PATHS = ("PRODUCER_REPLAY_FILE", "SPEED_CHECKPOINT_DIR", "X_RULES_FILE")
_LONGEST_TMPDIR = 60  # Python's multiprocessing makes sockets in it, and a socket's path holds 108 bytes
_STREAM_SETTINGS = ("KAFKA_", "S3_", "ARCHIVE_", "ELASTICSEARCH_", "INFLUXDB_", "SPEED_", "SPARK_", "TOPICS_")
_PRODUCER_SETTINGS = ("KAFKA_", "INFLUXDB_", "PRODUCER_", "SPEED_")
SETTINGS_OF = {
    **{name: (*_PRODUCER_SETTINGS, *source.settings) for name, source in SOURCES.items()},
    "stream": _STREAM_SETTINGS,
    "airflow": (*_STREAM_SETTINGS, "PRODUCER_SOURCE", "X_"),
    "server": (),
}
"""Which settings a kind of service sees: a server none, a producer (by its source) the credentials of its own network.
Airflow watches the producers, and its DAG tweet_deletions asks X."""


@dataclass(frozen=True)
class Addresses:
    """The project's variables for one stack, and which of its servers they point to."""

    variables: dict[str, str]
    local_servers: frozenset[str]
    """Of kafka, s3, elasticsearch, influxdb: those that are not somebody else's."""


def addresses(settings: Settings, layout: Layout, ports: Ports, known: Mapping[str, str]) -> Addresses:
    """Every setting that the caller gives, and this stack's own places for what is not given.

    Args:
        known: secrets by name, may be empty before the first start.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    given = _given(settings)
    variables = _places(layout) | given
    local = set()
    for server, (name, own, credentials) in _own_servers(ports, known).items():
        if given.get(name, own) == own:
            local.add(server)
            variables = {name: own} | credentials | variables
    return Addresses(variables, frozenset(local))


def _own_servers(ports: Ports, known: Mapping[str, str]) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Server → the variable of its address, the address in this stack, and its credentials here."""
    s3 = {"S3_ACCESS_KEY_ID": "local", "S3_SECRET_ACCESS_KEY": known.get("S3_SECRET_ACCESS_KEY", "")}
    influxdb = {"INFLUXDB_USERNAME": "admin", "INFLUXDB_PASSWORD": known.get("INFLUXDB_PASSWORD", "")}
    return {
        "kafka": ("KAFKA_BOOTSTRAP_SERVERS", ports.address("kafka"), {}),
        "s3": ("S3_ENDPOINT_URL", ports.url("s3"), s3),
        "elasticsearch": ("ELASTICSEARCH_URL", ports.url("elasticsearch"), {}),
        "influxdb": ("INFLUXDB_URL", ports.url("influxdb"), influxdb),
    }


def _places(layout: Layout) -> dict[str, str]:
    return {
        "ARCHIVE_CATALOG_URI": f"sqlite:///{layout.state / 'archive' / 'catalog.db'}",
        "SPEED_CHECKPOINT_DIR": str(layout.state / "checkpoints"),
        "SPEED_HEALTH_DIR": str(layout.health),
        "PRODUCER_STATE_DIR": str(layout.state / "producer"),
        "SPARK_JARS_DIR": str(JARS / "spark"),
    }


def _given(settings: Settings) -> dict[str, str]:
    """The variables that the environment or `.env` sets, checked. Paths are absolute: a service has its own folder."""
    sections: list[BaseSettings] = [
        *(settings.kafka, settings.s3, settings.archive, settings.elasticsearch, settings.influx),
        *(settings.producer, settings.twitter, settings.x, settings.bluesky, settings.mastodon),
        *(settings.speed, settings.topics, settings.spark),
    ]
    given = {}
    for section in sections:
        prefix = section.model_config.get("env_prefix", "")
        for field in section.model_fields_set:
            name = f"{prefix}{field}".upper()
            given[name] = _text(name, getattr(section, field))
    return given


def _text(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return str(value.expanduser().resolve())
    text = str(value)
    if name == "ARCHIVE_CATALOG_URI" and text.startswith("sqlite:///"):
        return f"sqlite:///{Path(text.removeprefix('sqlite:///')).resolve()}"
    if name in _PATHS and text and "://" not in text and (name, text) != ("PRODUCER_REPLAY_FILE", REPLAY_ARCHIVE):
        return str(Path(text).expanduser().resolve())
    return text


def marker(layout: Layout) -> str:
    """NAME=value that every process of the stack carries in its environment."""
    return f"TWITTER_TOPICS_STACK={layout.stack_id}"


def base(layout: Layout, java: Java) -> dict[str, str]:
    """What every process of the stack sees."""
    name, _, value = marker(layout).partition("=")
    tmp = str(layout.tmp)
    short = {"TMPDIR": tmp} if len(tmp) <= _LONGEST_TMPDIR else {}
    spark = importlib.util.find_spec("pyspark")
    spark_home = str(Path(spark.origin).parent) if spark and spark.origin else ""
    return (
        inherited(_FROM_CALLER)
        | short
        | {
            "PATH": f"{Path(sys.executable).parent}:{java.home}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "NO_PROXY": "127.0.0.1,localhost",
            "JAVA_HOME": str(java.home),
            "SPARK_HOME": spark_home,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": tmp,
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(PROJECT),
            "NUMBA_CACHE_DIR": str(layout.state / "work" / "numba"),
            "TWITTER_TOPICS_HOME": str(PROJECT),
            name: value,
        }
    )


def airflow_variables(
    settings: Settings, layout: Layout, ports: Ports, known: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, str]:
    """What airflow.cfg refers to, and the connections of the DAGs."""
    database = settings.local.airflow_database_url.get_secret_value() or f"sqlite:///{layout.airflow / 'airflow.db'}"
    own = {
        "AIRFLOW_HOME": str(layout.airflow),
        "AIRFLOW_PORT": str(ports["airflow"]),
        "AIRFLOW_DATABASE_URL": database,
        "AIRFLOW_FERNET_KEY": known.get("AIRFLOW_FERNET_KEY", ""),
        "AIRFLOW_API_SECRET": known.get("AIRFLOW_API_SECRET", ""),
        "AIRFLOW_JWT_SECRET": known.get("AIRFLOW_JWT_SECRET", ""),
    }
    # a Spark connection must be JSON: a URL that Airflow cannot parse, such as spark://local[*], silently becomes yarn
    spark = {"conn_type": "spark", "host": settings.local.spark_jobs_master, "extra": {"deploy-mode": "client"}}
    connections = {"AIRFLOW_CONN_SPARK_DEFAULT": json.dumps(spark)}
    if settings.s3.endpoint_url:
        connections["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(_aws_connection(settings, variables))
    return own | connections | inherited([], ["AIRFLOW_CONN_"])


def _aws_connection(settings: Settings, variables: Mapping[str, str]) -> dict[str, Any]:
    endpoint = variables.get("S3_ENDPOINT_URL", settings.s3.endpoint_url)
    return {
        "conn_type": "aws",
        "login": variables.get("S3_ACCESS_KEY_ID", ""),
        "password": variables.get("S3_SECRET_ACCESS_KEY", ""),
        "extra": {
            "region_name": settings.s3.region,
            "service_config": {"s3": {"endpoint_url": endpoint}},
            "config_kwargs": {"s3": {"addressing_style": "path"}},
        },
    }


def adopt(settings: Settings) -> None:
    """Let this process speak to the local stack of the settings: its addresses become the defaults of the environment.

    Nothing happens before the stack's first start. Read `Settings()` anew afterwards.
    """
    layout = Layout.of(settings.local)
    if known := secrets.load(layout.secrets):
        provide_defaults(addresses(settings, layout, Ports(settings.local.port_offset), known).variables)


def waits_for(variables: Mapping[str, str]) -> tuple[str, ...]:
    """tcp:HOST:PORT of the servers behind the variables, for the services that cannot do without them."""
    found = [variables["KAFKA_BOOTSTRAP_SERVERS"].split(",")[0]] if variables.get("KAFKA_BOOTSTRAP_SERVERS") else []
    for name in ("S3_ENDPOINT_URL", "ELASTICSEARCH_URL", "INFLUXDB_URL"):
        parts = urlsplit(variables.get(name, ""))
        if parts.hostname:
            found.append(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    return tuple(f"tcp:{address}" for address in found)
