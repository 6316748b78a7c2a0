"""Real servers that speak only TLS, each for one test module; yielded are the settings of its clients."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from pydantic import SecretStr
from sqlalchemy import create_engine, text

from tests.certificates import Authority
from tests.postgresql import USER, running_postgresql
from tests.waiting import until
from twitter_topics.backends.database import database_url
from twitter_topics.backends.influx import InfluxStore
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.local.java import find_java
from twitter_topics.local.layout import JARS, RECIPES
from twitter_topics.local.servers import find_influxd
from twitter_topics.settings import Settings
from twitter_topics.testing.broker import Broker, free_ports

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SECRET = 'a "quoted" one: 1/2+3'
"""A password with characters that configurations treat specially."""

S3_SECRET = "5ecret/of+the=bucket"

_KAFKA = """
listeners=SASL_SSL://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=SASL_SSL://127.0.0.1:$port
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
    username="broker" password="broker" user_broker="broker" user_app="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
ssl.client.auth=required
"""

_HBA = f"""
hostssl all {USER} 127.0.0.1/32 trust clientcert=verify-ca
hostssl all app 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
"""


def client_files(authority: Authority, prefix: str) -> dict[str, str]:
    """Settings of a client with a certificate: key and certificate in two files."""
    pair = authority.issue(f"{prefix.lower()}client")
    return {
        f"{prefix}CA_FILE": str(authority.file),
        f"{prefix}CLIENT_CERTIFICATE_FILE": str(pair.certificate),
        f"{prefix}CLIENT_KEY_FILE": str(pair.key),
    }


@contextmanager
def tls_kafka(folder: Path, authority: Authority) -> Iterator[dict[str, str]]:
    """A broker that requires a client certificate, and a user with PLAIN."""
    password = SECRET.replace('"', '\\\\"')  # for JAAS and for the properties file
    properties = _KAFKA.format(keystore=authority.issue("kafka").both, ca=authority.file, password=password)
    broker = Broker(folder, properties)
    broker.start()
    try:
        yield client_files(authority, "KAFKA_") | {
            "KAFKA_BOOTSTRAP_SERVERS": broker.address,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_SASL_USERNAME": "app",
            "KAFKA_SASL_PASSWORD": SECRET,
        }
    finally:
        broker.stop()


@contextmanager
def tls_s3(folder: Path, authority: Authority) -> Iterator[dict[str, str]]:
    """S3Proxy on https, with an empty bucket."""
    folder.mkdir()
    port, _ = free_ports()
    key_store = folder / "server.p12"
    authority.issue("s3").write_pkcs12(key_store, "changeit")
    recipe = Template((RECIPES / "s3proxy.conf").read_text())
    conf = recipe.substitute(port=port, access_key="tester", secret_key=S3_SECRET, data=folder)
    conf = conf.replace(
        f"s3proxy.endpoint=http://127.0.0.1:{port}", f"s3proxy.secure-endpoint=https://127.0.0.1:{port}"
    )
    conf += f"s3proxy.keystore-path={key_store}\ns3proxy.keystore-password=changeit\n"
    (folder / "s3proxy.conf").write_text(conf)
    (jar,) = (JARS / "s3").glob("s3proxy-*.jar")
    variables = {
        "S3_ENDPOINT_URL": f"https://127.0.0.1:{port}",
        "S3_ACCESS_KEY_ID": "tester",
        "S3_SECRET_ACCESS_KEY": S3_SECRET,
        "S3_CA_FILE": str(authority.file),
    }
    with _running([str(RECIPES / "s3.sh"), str(folder), str(jar), find_java().program], port, folder / "log"):
        settings = Settings(variables).s3
        with closing(s3_client(settings)) as client:
            ensure_bucket(client, settings.bucket)
        yield variables


@contextmanager
def tls_influxdb(folder: Path, authority: Authority) -> Iterator[dict[str, str]]:
    """InfluxDB on https, with an administrator. It does not ask clients for certificates."""
    folder.mkdir()
    port, rpc_port = free_ports()
    pair = authority.issue("influxdb")
    conf = Template((RECIPES / "influxdb.conf").read_text()).substitute(data=folder, port=port, rpc_port=rpc_port)
    https = f'  https-enabled = true\n  https-certificate = "{pair.certificate}"\n  https-private-key = "{pair.key}"\n'
    (folder / "influxdb.conf").write_text(conf.replace("  auth-enabled = true\n", "  auth-enabled = true\n" + https))
    variables = client_files(authority, "INFLUXDB_") | {"INFLUXDB_URL": f"https://127.0.0.1:{port}"}
    with _running([find_influxd(), "run", "-config", str(folder / "influxdb.conf")], port, folder / "log"):
        with closing(InfluxStore(Settings(variables).influx)) as store:
            store.execute(f"CREATE USER admin WITH PASSWORD '{SECRET}' WITH ALL PRIVILEGES")
        yield variables | {"INFLUXDB_USERNAME": "admin", "INFLUXDB_PASSWORD": SECRET}


@contextmanager
def tls_postgresql(authority: Authority) -> Iterator[dict[str, str]]:
    """PostgreSQL that requires a password and a client certificate, with empty databases for archive and counts."""
    server = authority.issue("postgresql")
    files = {
        "server.crt": server.certificate.read_bytes(),
        "server.key": server.key.read_bytes(),
        "ca.crt": authority.file.read_bytes(),
        "pg_hba.conf": _HBA.encode(),
    }
    archive, counts = client_files(authority, "ARCHIVE_CATALOG_"), client_files(authority, "COUNTS_DATABASE_")
    with running_postgresql({"ssl": "on", "ssl_ca_file": "ca.crt"}, files) as url:
        superuser = Settings(counts | {"COUNTS_DATABASE_URI": url.render_as_string()}).counts
        _make_databases(database_url("X", superuser.database_uri, "", SecretStr(""), superuser.tls))
        address = f"postgresql://127.0.0.1:{url.port}"
        yield (
            archive
            | counts
            | {
                "ARCHIVE_CATALOG_URI": f"{address}/catalog",
                "ARCHIVE_CATALOG_USERNAME": "app",
                "ARCHIVE_CATALOG_PASSWORD": SECRET,
                "COUNTS_DATABASE_URI": f"{address}/counts",
                "COUNTS_DATABASE_USERNAME": "app",
                "COUNTS_DATABASE_PASSWORD": SECRET,
            }
        )


def _make_databases(superuser: URL) -> None:
    engine = create_engine(superuser, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE ROLE app LOGIN PASSWORD '{SECRET}'"))
        for name in ("catalog", "counts"):
            connection.execute(text(f"CREATE DATABASE {name} OWNER app"))
    engine.dispose()


@contextmanager
def _running(command: Sequence[str], port: int, log: Path) -> Iterator[None]:
    """Run a server until the end of the block; start the block when its port is open."""

    def is_open() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            until(is_open, 60, f"port {port} is open")
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)
