"""Every Python client against a server that speaks only TLS, with a CA of the test's own.

Kafka, S3, InfluxDB and PostgreSQL speak it themselves. The local Elasticsearch is built without security, and InfluxDB
1.x asks no client for a certificate: for these two, a proxy does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from kafka import KafkaProducer
from sqlalchemy import text

from tests.certificates import Authority
from tests.fakes.tls_proxy import TlsProxy
from tests.tls_servers import client_files, tls_influxdb, tls_kafka, tls_postgresql, tls_s3
from twitter_topics.backends.database import Database, database_url
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.backends.kafka import client_options
from twitter_topics.backends.kafka_offsets import end_offsets
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.backends.objects import S3Objects
from twitter_topics.errors import RetryableError
from twitter_topics.search.store import SearchStore
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("ca")))


@pytest.fixture(scope="module")
def variables(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = Path(tmp_path_factory.mktemp("tls"))
    with ExitStack() as stack:
        servers = (
            tls_kafka(folder / "kafka", authority),
            tls_s3(folder / "s3", authority),
            tls_influxdb(folder / "influxdb", authority),
            tls_postgresql(authority),
        )
        found: dict[str, str] = {}
        for server in servers:
            found |= stack.enter_context(server)
        yield found


def without(variables: dict[str, str], *suffixes: str) -> Settings:
    return Settings({name: value for name, value in variables.items() if not name.endswith(suffixes)})


def test_kafka(variables: dict[str, str]) -> None:
    kafka = Settings(variables).kafka
    ensure_topics(kafka)
    producer = KafkaProducer(**client_options(kafka), acks="all")
    producer.send(kafka.raw_topic, b"value")
    producer.close()
    assert sum(end_offsets(kafka, kafka.raw_topic).values()) == 1
    with pytest.raises(RetryableError):
        end_offsets(without(variables, "KAFKA_CA_FILE").kafka, kafka.raw_topic)


def test_s3(variables: dict[str, str]) -> None:
    objects = S3Objects(Settings(variables).s3)
    objects.put("a", b"over TLS")
    found = objects.get("a")
    assert found is not None
    assert found.body == b"over TLS"


def test_influxdb(variables: dict[str, str]) -> None:
    with closing(InfluxStore(Settings(variables).influx)) as store:
        store.ensure_database()
        store.write(["m value=1i 1000000000"])
        assert [row["value"] for _, row in store.rows("SELECT value FROM m")] == [1]
    with pytest.raises(RetryableError, match="CERTIFICATE_VERIFY_FAILED"):
        ask_influxdb(without(variables, "INFLUXDB_CA_FILE"))


def test_postgresql(variables: dict[str, str]) -> None:
    with closing(counts_database(Settings(variables))) as database, database.transaction() as connection:
        used = connection.execute(text("SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).one()
    assert used.ssl
    assert "counts_database_client" in used.client_dn
    without_certificate = without(variables, "DATABASE_CLIENT_CERTIFICATE_FILE", "DATABASE_CLIENT_KEY_FILE")
    with pytest.raises(RetryableError, match="client certificate"):
        ask_counts_database(without_certificate)


def counts_database(settings: Settings) -> Database:
    counts = settings.counts
    user, password = counts.database_username, counts.database_password
    return Database("X", database_url("X", counts.database_uri, user, password, counts.tls))


@pytest.mark.parametrize("setting", ["S3_ENDPOINT_URL", "INFLUXDB_URL", "COUNTS_DATABASE_URI"])
def test_the_host_name_is_verified(variables: dict[str, str], setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)  # it would try for 20 s
    settings = Settings(variables | {setting: variables[setting].replace("127.0.0.1", "localhost")})
    asks = {"S3_ENDPOINT_URL": ask_s3, "INFLUXDB_URL": ask_influxdb, "COUNTS_DATABASE_URI": ask_counts_database}
    asks[setting](Settings(variables))
    with pytest.raises(RetryableError):
        asks[setting](settings)


def ask_s3(settings: Settings) -> None:
    S3Objects(settings.s3).get("a")


def ask_influxdb(settings: Settings) -> None:
    with closing(InfluxStore(settings.influx)) as store:
        store.ensure_database()


def ask_counts_database(settings: Settings) -> None:
    with closing(counts_database(settings)) as database, database.transaction():
        pass


@pytest.mark.parametrize("prefix", ["ELASTICSEARCH_", "INFLUXDB_"])
def test_a_client_certificate_for_a_proxy(services: Services, authority: Authority, prefix: str) -> None:
    port = urlsplit(services.variables[f"{prefix}URL"]).port
    assert port is not None
    with TlsProxy(authority.issue("proxy"), authority.file, port) as proxy:
        variables = services.variables | {f"{prefix}URL": proxy.url} | client_files(authority, prefix)
        use(prefix, Settings(variables))
        assert proxy.connections == 1
        with pytest.raises(RetryableError):
            use(prefix, without(variables, "CLIENT_CERTIFICATE_FILE", "CLIENT_KEY_FILE"))
        assert proxy.connections == 1


def use(prefix: str, settings: Settings) -> None:
    if prefix == "INFLUXDB_":
        ask_influxdb(settings)
    else:
        SearchStore(settings.elasticsearch, patience_seconds=0).prepare()
