"""Every service of the local stack: its command, its dependencies and its readiness."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from twitter_topics.local import readiness
from twitter_topics.local.environment import SETTINGS_OF
from twitter_topics.local.layout import ELASTICSEARCH, JARS, RECIPES
from twitter_topics.local.servers import find_influxd
from twitter_topics.settings import PROJECT

if TYPE_CHECKING:
    from twitter_topics.local.java import Java
    from twitter_topics.local.layout import Layout
    from twitter_topics.local.ports import Ports
    from twitter_topics.settings import ProducerSettings

Group = Literal["services", "speed", "batch"]
GROUPS: tuple[Group, ...] = ("services", "speed", "batch")
MEMORY_GIB: dict[Group, float] = {"services": 1.5, "speed": 3.0, "batch": 1.5}
"""Share of the memory that a full start needs."""

_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Service:
    """One supervised program."""

    name: str
    group: Group
    command: tuple[str, ...]
    ready: readiness.Readiness
    settings: str = "server"
    """Key of environment.SETTINGS_OF."""
    ports: tuple[str, ...] = ()
    grace_seconds: int = 20
    finishes: bool = False
    """Exit code 0 means done: it is not restarted."""
    url: str = ""
    reports: tuple[str, ...] = ()
    """Parts for which it writes health files."""

    @property
    def tier(self) -> int:
        """Services of a tier start together, the next tier when they are ready."""
        return 0 if self.group == "services" else 1

    @property
    def variables(self) -> tuple[str, ...]:
        return SETTINGS_OF[self.settings]

    @property
    def full_name(self) -> str:
        """The name in supervisord."""
        return f"{self.group}:{self.name}"


def runner_command(service: Service, layout: Layout) -> str:
    """Return the command for supervisord: the runner, then `--` and the service."""
    options = ["--state", str(layout.service_state(service.name))]
    options += ["--environment", str(layout.service_environment(service.name)), "--grace", str(service.grace_seconds)]
    options += ["--finishes"] if service.finishes else []
    runner = [sys.executable, "-S", "-m", "twitter_topics.local.runner", service.name, *options, "--"]
    return shlex.join([*runner, *service.command])


def servers(layout: Layout, ports: Ports, java: Java) -> list[Service]:
    """Return the backing servers.

    Raises:
        ConfigurationError: influxd is missing.
    """
    return [
        Service(
            "kafka",
            "services",
            (str(RECIPES / "kafka.sh"), str(layout.data / "kafka"), str(JARS / "kafka"), java.program),
            readiness.port_open(ports["kafka"]),
            ports=("kafka", "kafka_controller"),
            url=ports.address("kafka"),
        ),
        Service(
            "elasticsearch",
            "services",
            (
                *(str(RECIPES / "elasticsearch.sh"), str(layout.data / "elasticsearch")),
                *(str(ELASTICSEARCH), str(java.home)),
            ),
            readiness.answers(ports["elasticsearch"], "/_cluster/health?wait_for_status=yellow&timeout=2s"),
            ports=("elasticsearch", "elasticsearch_transport"),
            url=ports.url("elasticsearch"),
        ),
        Service(
            "s3",
            "services",
            (str(RECIPES / "s3.sh"), str(layout.data / "s3"), _s3_jar(), java.program),
            readiness.answers(ports["s3"], "/"),
            ports=("s3",),
            url=ports.url("s3"),
        ),
        Service(
            "influxdb",
            "services",
            (find_influxd(), "run", "-config", str(layout.data / "influxdb" / "influxdb.conf")),
            readiness.answers(ports["influxdb"], "/ping"),
            ports=("influxdb", "influxdb_rpc"),
            url=ports.url("influxdb"),
        ),
    ]


def _s3_jar() -> str:
    found = sorted(str(path) for path in (JARS / "s3").glob("s3proxy-*.jar"))
    return found[-1] if found else str(JARS / "s3" / "s3proxy.jar")


def producers(layout: Layout, settings: ProducerSettings) -> list[Service]:
    """Return a producer for each source. They wait for no server: while Kafka is down they keep posts on disk."""
    return [
        Service(
            part,
            "speed",
            (sys.executable, "-m", "producer", source),
            readiness.reports(layout.health / f"{part}.json"),
            settings=source,
            grace_seconds=40,
            finishes=True,
            reports=(part,),
        )
        for source, part in zip(settings.sources, settings.parts, strict=True)
    ]


def streaming_apps(layout: Layout) -> list[Service]:
    """Return the streaming apps. They wait for no server: their health names what each query waits for."""
    apps = PROJECT / "spark_apps" / "speed"
    health = layout.health
    return [
        # plain Python: spark-submit does not pass SIGTERM on to the app
        Service(
            "classify-tweets",
            "speed",
            (sys.executable, str(apps / "classify_tweets.py")),
            readiness.reports(health / "archiver.json"),
            settings="stream",
            grace_seconds=40,
            reports=("archiver", "classifier"),
        ),
        Service(
            "aggregate-topics",
            "speed",
            (sys.executable, str(apps / "aggregate_topics.py")),
            readiness.reports(health / "aggregator.json"),
            settings="stream",
            grace_seconds=40,
            reports=("aggregator",),
        ),
    ]


def airflow(ports: Ports) -> list[Service]:
    """Return Airflow's four processes. (`airflow standalone` leaves three behind when stopped, and has no users.)"""
    program, port = str(_BIN / "airflow"), ports["airflow"]

    def component(name: str, *options: str, grace: int = 20) -> Service:
        ready = readiness.airflow(port, name.replace("-", "_"))
        return Service(name, "batch", (program, name, *options), ready, settings="airflow", grace_seconds=grace)

    # the log servers would listen on all addresses; here the api-server reads the files itself
    return [
        Service(
            "api-server",
            "batch",
            (program, "api-server"),
            readiness.airflow(port),
            settings="page",
            ports=("airflow",),
            url=ports.url("airflow"),
        ),
        component("scheduler", "--skip-serve-logs", grace=60),  # it waits for running tasks
        component("dag-processor"),
        component("triggerer", "--skip-serve-logs"),
    ]
