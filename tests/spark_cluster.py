"""A standalone Spark cluster: a master, and a worker on each of two addresses of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pyspark

from tests.waiting import until
from twitter_topics.local.java import find_java
from twitter_topics.settings import PROJECT
from twitter_topics.testing.broker import free_ports

HOSTS = ("127.0.0.1", "127.0.0.2")
CORES, MEMORY = 3, "2g"
_FAST = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


class Cluster(NamedTuple):
    """`master` is its URL, `variables` those of every program on it."""

    master: str
    ui_port: int
    folder: Path
    variables: dict[str, str]

    def state(self) -> dict[str, Any]:
        """What the master says about workers and apps."""
        # the only address is our own
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ui_port}/json/", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    @contextmanager
    def running(
        self, name: str, command: list[str], variables: Mapping[str, str], executors: int = 1
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a driver until the end of the block, its log in the cluster's folder. An executor has one core."""
        conf = self.folder / f"conf-{name}"
        conf.mkdir()
        options = {
            "spark.cores.max": executors,
            "spark.executor.cores": 1,
            "spark.executor.memory": "512m",
            "spark.executor.extraJavaOptions": _FAST,
            "spark.driver.extraJavaOptions": _FAST,
        }
        (conf / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in options.items()))
        environment = {**self.variables, **variables, "SPARK_CONF_DIR": str(conf)}
        with _running(name, command, environment, self.folder) as process:
            yield process

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-4000:]


@contextmanager
def spark_cluster(folder: Path) -> Iterator[Cluster]:
    """Start the cluster. Its workers have the project's code."""
    port, ui_port = free_ports()
    home = Path(pyspark.__file__).parent
    variables = {
        "SPARK_HOME": str(home),
        "JAVA_HOME": str(find_java().home),
        "SPARK_DAEMON_MEMORY": "128m",
        "SPARK_DAEMON_JAVA_OPTS": _FAST,
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(PROJECT),
    }
    cluster = Cluster(f"spark://127.0.0.1:{port}", ui_port, folder, variables)
    launcher, deploy = str(home / "bin" / "spark-class"), "org.apache.spark.deploy"
    with ExitStack() as stack:
        master = [launcher, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port)]
        stack.enter_context(_running("master", [*master, "--webui-port", str(ui_port)], variables, folder))
        for host in HOSTS:
            worker = [launcher, f"{deploy}.worker.Worker", "--host", host, "--webui-port", "0", cluster.master]
            size = ["--cores", str(CORES), "--memory", MEMORY, "--work-dir", str(folder / "work")]
            stack.enter_context(_running(f"worker-{host}", [*worker, *size], variables, folder))
        until(lambda: _alive(cluster) == len(HOSTS), 180, "the workers are registered", pause=0.3)
        yield cluster


def _alive(cluster: Cluster) -> int:
    try:
        return int(cluster.state()["aliveworkers"])
    except (OSError, ValueError):  # it serves a page of HTML before it knows the path
        return 0


@contextmanager
def _running(name: str, command: list[str], variables: Mapping[str, str], folder: Path) -> Iterator[Any]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**os.environ, **variables}, stdout=log, stderr=subprocess.STDOUT, cwd=folder
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
