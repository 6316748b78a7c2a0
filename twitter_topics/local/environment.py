"""The environment of each service: an allow-list, never the caller's whole environment."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from twitter_topics.backends import tls
from twitter_topics.local import followed, secrets
from twitter_topics.local.layout import JARS, Layout
from twitter_topics.local.ports import Ports
from twitter_topics.settings import PROJECT, Settings, inherited, provide_defaults
from twitter_topics.settings.env_file import ENV_FILE_VARIABLE, path_marker
from twitter_topics.settings.paths import absolute
from twitter_topics.settings.sections import is_local
from twitter_topics.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import BaseSettings

    from twitter_topics.local.java import Java
    from twitter_topics.settings.paths import IsPath

_FROM_CALLER = (
    *("HOME", "USER", "LOGNAME", "TZ"),
    *("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"),
    "SPARK_CONF_DIR",
)
INFLUXDB_READER = "reader"
_NOT_FOR_SERVICES = ("secrets", "local")
_LOCKED_SECONDS = 60
_LONGEST_TMPDIR = 60  # Python's multiprocessing creates sockets there, and a socket's path is limited to 108 bytes
_STREAM_SETTINGS = (
    *("KAFKA_", "S3_", "ARCHIVE_", "ELASTICSEARCH_", "COUNTS_", "INFLUXDB_"),
    *("SPEED_", "SPARK_", "TOPICS_", "SENTIMENT_"),
    "TWITTER_TOPICS_LOG_",
)
_PAGE_SETTINGS = (
    *("S3_", "INFLUXDB_URL", "INFLUXDB_DATABASE", "INFLUXDB_READ_", "INFLUXDB_CA_FILE", "INFLUXDB_CLIENT_"),
    *("SPEED_", "TOPICS_", "SENTIMENT_", "TWITTER_TOPICS_LOG_"),
)
_PRODUCER_SETTINGS = ("TWITTER_TOPICS_LOG_", "KAFKA_", "INFLUXDB_", "PRODUCER_", "SPEED_")
SETTINGS_OF = {
    **{name: (*_PRODUCER_SETTINGS, *source.settings) for name, source in SOURCES.items()},
    "stream": _STREAM_SETTINGS,
    "airflow": (*_STREAM_SETTINGS, "MODELS_", "PRODUCER_SOURCE", "X_"),
    "page": _PAGE_SETTINGS,
    "server": (),
}
"""Which settings a kind of service sees: a server none, a producer (by its source) the credentials of its own network.
Airflow watches the producers, and its DAG tweet_deletions asks X. The page, in Airflow's api-server, only reads."""


@dataclass(frozen=True)
class Addresses:
    """The settings variables for one stack, and which servers are its own."""

    variables: dict[str, str]
    local_servers: frozenset[str]
    """Those of kafka, s3, elasticsearch, influxdb that this stack runs itself."""


def addresses(settings: Settings, layout: Layout, ports: Ports, known: Mapping[str, str]) -> Addresses:
    """Return every setting the caller gives, and this stack's own addresses and paths for the rest. Empty credentials
    for a server of its own, such as those of .env.example, count as not given.

    Args:
        known: secrets by name; empty before the first start.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    given = _given_variables(settings)
    variables = _own_paths(layout) | given
    local = set()
    for server, (name, own, credentials) in _own_servers(ports, known).items():
        if given.get(name, own) == own:
            local.add(server)
            missing = {one: value for one, value in credentials.items() if not variables.get(one)}
            variables |= {name: own} | missing
    return Addresses(_reader(variables) | variables, frozenset(local))


def _reader(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the user as which the page reads: where there is no own one, the one of all others."""
    if variables.get("INFLUXDB_READ_USERNAME") or "INFLUXDB_USERNAME" not in variables:
        return {}
    names = ("USERNAME", "PASSWORD")
    return {f"INFLUXDB_READ_{name}": variables.get(f"INFLUXDB_{name}", "") for name in names}


def _own_servers(ports: Ports, known: Mapping[str, str]) -> dict[str, tuple[str, str, dict[str, str]]]:
    """Return, by server, the variable of its address, the address in this stack, and the credentials."""
    s3 = {"S3_ACCESS_KEY_ID": "local", "S3_SECRET_ACCESS_KEY": known.get("S3_SECRET_ACCESS_KEY", "")}
    influxdb = {"INFLUXDB_USERNAME": "admin", "INFLUXDB_PASSWORD": known.get("INFLUXDB_PASSWORD", "")}
    if password := known.get("INFLUXDB_READ_PASSWORD"):  # a stack of an older version has none before its next `up`
        influxdb |= {"INFLUXDB_READ_USERNAME": INFLUXDB_READER, "INFLUXDB_READ_PASSWORD": password}
    return {
        "kafka": ("KAFKA_BOOTSTRAP_SERVERS", ports.address("kafka"), {}),
        "s3": ("S3_ENDPOINT_URL", ports.url("s3"), s3),
        "elasticsearch": ("ELASTICSEARCH_URL", ports.url("elasticsearch"), {}),
        "influxdb": ("INFLUXDB_URL", ports.url("influxdb"), influxdb),
    }


def _own_paths(layout: Layout) -> dict[str, str]:
    return {
        "ARCHIVE_CATALOG_URI": f"sqlite:///{layout.state / 'archive' / 'catalog.db'}",
        "COUNTS_DATABASE_URI": f"sqlite:///{layout.state / 'counts' / 'counts.db'}",
        "SPEED_CHECKPOINT_DIR": str(layout.state / "checkpoints"),
        "SPEED_HEALTH_DIR": str(layout.health),
        "PRODUCER_STATE_DIR": str(layout.state / "producer"),
        "SPARK_JARS_DIR": str(JARS / "spark"),
    }


def _given_variables(settings: Settings) -> dict[str, str]:
    """Return the variables that the environment or `.env` sets, validated. Paths are absolute, because services run in
    another folder."""
    given = {}
    for attribute, kind in Settings.sections().items():
        if attribute in _NOT_FOR_SERVICES:
            continue
        section: BaseSettings = getattr(settings, attribute)
        for field in section.model_fields_set:
            name = f"{kind.model_config.get('env_prefix', '')}{field}".upper()
            given[name] = _as_variable(getattr(section, field), path_marker(kind.model_fields[field]))
    return given


def _as_variable(value: Any, marker: IsPath | None) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return absolute(str(value), Path.cwd(), marker) if marker else str(value)


def marker(layout: Layout) -> str:
    """Return NAME=value, which every process of the stack has in its environment."""
    return f"TWITTER_TOPICS_STACK={layout.stack_id}"


def base_variables(layout: Layout, java: Java) -> dict[str, str]:
    """Return the variables of every process of the stack."""
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
            "LC_ALL": "C.UTF-8",  # in an ASCII locale a JVM cannot open a path with an umlaut
            "NO_PROXY": _no_proxy(),
            "JAVA_HOME": str(java.home),
            "SPARK_HOME": spark_home,
            "SPARK_LOCAL_DIRS": tmp,
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(PROJECT),
            "NUMBA_CACHE_DIR": str(layout.state / "work" / "numba"),
            "TWITTER_TOPICS_HOME": str(PROJECT),
            ENV_FILE_VARIABLE: "",  # it would give every service all credentials
            name: value,
        }
    )


def _no_proxy() -> str:
    """Return the hosts that the caller reaches without a proxy, and this machine."""
    given = ",".join(inherited(("NO_PROXY", "no_proxy")).values())
    names = [name.strip() for name in given.split(",") if name.strip()]
    # an asterisk means all hosts, but only alone
    return "*" if "*" in names else ",".join(dict.fromkeys([*names, "127.0.0.1", "localhost"]))


def sdk_variables(prefixes: tuple[str, ...], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's settings of the AWS SDK for a service that sees S3, while S3_ACCESS_KEY_ID does not replace
    them.

    Args:
        prefixes: of the settings that the service sees.
        variables: settings of the stack.
    """
    return {} if "S3_" not in prefixes or variables.get("S3_ACCESS_KEY_ID") else inherited((), ("AWS_",))


def spark_variables(settings: Settings) -> dict[str, str]:
    """Return the address of this machine for Spark, which cannot start where the host name has none. A cluster's
    executors need another one."""
    masters = (settings.spark.master, settings.local.spark_jobs_master)
    on_a_cluster = not all(map(is_local, masters)) or inherited(["AIRFLOW_CONN_SPARK_DEFAULT"])
    return {} if on_a_cluster else {"SPARK_LOCAL_IP": "127.0.0.1"}


def airflow_variables(
    settings: Settings, layout: Layout, ports: Ports, known: Mapping[str, str], variables: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that airflow.cfg refers to, and the connections of the DAGs."""
    # Airflow's processes wait for each other's writes: on a slow machine for longer than SQLite's five seconds
    own_database = f"sqlite:///{layout.airflow / 'airflow.db'}?timeout={_LOCKED_SECONDS}"
    database = settings.local.airflow_database_url.get_secret_value() or own_database
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
            **tls.boto3(settings.s3.tls),
        },
    }


def adopt(settings: Settings) -> None:
    """Point this process to the local stack: its addresses and its source become defaults in the environment.

    Does nothing before the stack's first start. Create `Settings()` again afterwards.
    """
    layout = Layout.of(settings.local)
    if known := secrets.load(layout.secrets):
        own = addresses(settings, layout, Ports(settings.local.port_offset), known).variables
        kept = followed.kept(layout, settings)
        # not the files of a replay: `twitter-topics replay` has its own
        source = {followed.SOURCE: kept[followed.SOURCE]} if kept else {}
        provide_defaults(source | own)
