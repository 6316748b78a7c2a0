"""The stack under test: real servers, and the real streaming apps, which reach the servers through proxies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.proxy import Proxy
from tests.waiting import until
from twitter_topics import failpoints
from twitter_topics.health.report import Health, read_health
from twitter_topics.local import processes
from twitter_topics.local.stack import Stack
from twitter_topics.settings import Settings
from twitter_topics.testing.broker import free_ports
from twitter_topics.testing.models import register_planted_model
from twitter_topics.testing.services import stack_variables
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from twitter_topics.local.services import Service

APPS = {"archiver": "classify-tweets", "classifier": "classify-tweets", "aggregator": "aggregate-topics"}
"""The app of each part that reports its health."""

_SETTINGS = {
    "SPEED_ARCHIVE_TRIGGER_SECONDS": "3",
    "SPEED_CLASSIFY_TRIGGER_SECONDS": "1",
    "SPEED_AGGREGATE_TRIGGER_SECONDS": "2",
    "SPEED_WEDGED_SECONDS": "60",
}
"""Shorter intervals than usual, so that a case is short."""

_SMALL_DISK_MB = 64


class _Servers(Stack):
    """The servers. Kafka has a second listener, whose clients are sent to a proxy."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, lambda _: None)
        self.second_port = free_ports()[0]
        self.proxy_port = 0

    def _launch(self, wanted: Sequence[Service]) -> None:
        super()._launch(wanted)
        first, controller = self.ports.address("kafka"), self.ports.address("kafka_controller")
        lines = [
            f"listeners=PLAINTEXT://{first},PROXIED://127.0.0.1:{self.second_port},CONTROLLER://{controller}",
            f"advertised.listeners=PLAINTEXT://{first},PROXIED://127.0.0.1:{self.proxy_port}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        ]
        with (self.layout.data / "kafka" / "kafka.properties").open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")  # of two equal keys the last counts


class _Apps(Stack):
    """The streaming apps, with failpoints."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, lambda _: None)
        self.points = self.layout.state / "failpoints"

    @cached_property
    def all_services(self) -> list[Service]:
        """The streaming apps alone: the kit sends its own tweets."""
        return [one for one in super().all_services if one.name in APPS.values()]

    def _environment_of(self, service: Service) -> dict[str, str]:
        return super()._environment_of(service) | {failpoints.VARIABLE: str(self.points)}


@dataclass(frozen=True)
class Moment:
    """Processes and queries at a moment, to see later which of them have been replaced."""

    pids: dict[str, int]
    restarts: dict[str, int]


class BrokenStack:
    """The stack, and everything that can be done to it. A context manager.

    `settings` reach the stores directly, `proxied` as the apps do.
    """

    def __init__(self, folder: Path, extra: dict[str, str] | None = None) -> None:
        self._folder, self._extra = folder, extra or {}
        self._stack = ExitStack()
        self._versions = 0

    def __enter__(self) -> BrokenStack:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self._servers = _Servers(Settings(stack_variables(self._folder / "servers")))
        ports = self._servers.ports
        self.kafka = self._stack.enter_context(Proxy(self._servers.second_port, http=False))
        self.s3, self.elasticsearch, self.influxdb, self.jobs_s3 = (
            self._stack.enter_context(Proxy(ports[name])) for name in ("s3", "elasticsearch", "influxdb", "s3")
        )
        self._servers.proxy_port = self.kafka.port
        self._stack.callback(self._servers.down)
        self._servers.up(["services"])
        proxied = {
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.kafka.port}",
            "S3_ENDPOINT_URL": self.s3.url,
            "ELASTICSEARCH_URL": self.elasticsearch.url,
            "INFLUXDB_URL": self.influxdb.url,
        }
        variables = self._servers.addresses.variables
        variables = {name: value for name, value in variables.items() if not name.startswith(_OWN_PATHS)}
        variables |= _SETTINGS | self._extra
        own = stack_variables(self._folder / "apps")
        self.small_disk = self._mount_small_disk()
        if self.small_disk:
            own["SPEED_CHECKPOINT_DIR"] = str(self.small_disk / "checkpoints")
            own["COUNTS_DATABASE_URI"] = f"sqlite:///{self.small_disk / 'counts.db'}"
        self._apps = _Apps(Settings(variables | proxied | own))
        self._apps.points.mkdir(parents=True, exist_ok=True)
        self.proxied = Settings(self._apps.addresses.variables)
        addresses = {name: variables[name] for name in proxied}
        self.settings = Settings(self._apps.addresses.variables | addresses)
        self.models = ModelStore(self.settings)
        self.register_model(promote=True)
        self._stack.callback(self._apps.down)
        self._apps.up(["speed"])

    def _mount_small_disk(self) -> Path | None:
        """Return a folder on a disk that can be filled; None if this user cannot mount one."""
        folder = self._folder / "small-disk"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK_MB}m,mode=0700", "faults", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return None
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(folder)], check=True)
        return folder

    # -- models ------------------------------------------------------------------------------------------------------

    def register_model(self, *, promote: bool = False) -> str:
        """Register another version of the planted model and return its name."""
        self._versions += 1
        version = f"20260101T{self._versions:06d}Z-planted"
        register_planted_model(self.models, version)
        if promote:
            champion = self.models.champion()
            self.models.promote(version, champion.etag if champion else None, "planted", "the kit")
        return version

    # -- failpoints --------------------------------------------------------------------------------------------------

    def arm(self, point: str, action: failpoints.Action) -> None:
        """Arm a failpoint of the apps and jobs."""
        self.release(point)
        (self._apps.points / point).write_text(action)

    def reached(self, point: str) -> bool:
        return (self._apps.points / f"{point}.reached").exists()

    def release(self, point: str) -> None:
        """Disarm a point; what hangs there goes on."""
        for name in (point, f"{point}.reached"):
            (self._apps.points / name).unlink(missing_ok=True)

    # -- processes ---------------------------------------------------------------------------------------------------

    def pid(self, service: str) -> int:
        """Return the pid of a server or an app; 0 while it does not run."""
        state = self._stack_of(service).state_of(service)
        return int(state.get("pid", 0)) if state.get("phase") == "running" else 0

    def kill(self, service: str) -> None:
        """kill -9, and wait until its JVM and its workers have ended too. Its runner starts it again.

        Of an app only the driver is killed, of a server everything: Elasticsearch's first process is only a launcher.
        """
        family = self._family(service)
        processes.send({self.pid(service)} if service in APPS.values() else family, signal.SIGKILL)
        until(lambda: not family & set(processes.snapshot()), 30, f"{service} has ended", pause=0.05)

    def pause(self, service: str) -> None:
        """SIGSTOP: ports stay open, nothing answers."""
        processes.send(self._family(service), signal.SIGSTOP)

    def resume(self, service: str) -> None:
        processes.send(self._family(service), signal.SIGCONT)

    @contextmanager
    def suspended(self, app: str) -> Iterator[Callable[[], object]]:
        """SIGSTOP for an app with its JVM and its workers, until the end of the block or a call of what it yields."""
        family = self._family(app)
        processes.send(family, signal.SIGSTOP)
        try:
            yield lambda: processes.send(family, signal.SIGCONT)
        finally:
            processes.send(family, signal.SIGCONT)

    def phase(self, service: str) -> str:
        """Return what its runner reports, such as `running`."""
        return str(self._stack_of(service).state_of(service).get("phase", ""))

    def stop(self, service: str) -> None:
        """Stop cleanly, and stay stopped until `start`."""
        self._stack_of(service).supervisor.stop([service])

    def start(self, service: str) -> None:
        stack = self._stack_of(service)
        stack.supervisor.start(next(one for one in stack.all_services if one.name == service))

    def restart(self, app: str) -> None:
        """Stop and start an app, and wait until it reports its health."""
        self.stop(app)
        since = time.time()
        self.start(app)
        until(lambda: self.is_ready(app, since), 300, f"{app} reports", pause=0.2)

    def is_ready(self, service: str, since: float = 0) -> bool:
        """Return whether a server or an app answers, the app with a report newer than `since` (Unix seconds)."""
        stack = self._stack_of(service)
        return bool(self.pid(service)) and next(one for one in stack.all_services if one.name == service).ready(since)

    def start_twin(self, service: str) -> Program:
        """Start a second process of an app, as a mistaken operator would."""
        return Program(self._service(service).command, self._apps._environment_of(self._service(service)), self._folder)

    def job(self, *arguments: str) -> Program:
        """Start a Python program with the settings of Airflow's jobs, whose S3 is behind a proxy of its own."""
        environment = self._apps._environment_of(self._service("classify-tweets"))
        environment |= {"S3_ENDPOINT_URL": self.jobs_s3.url}
        return Program((sys.executable, *arguments), environment, self._folder)

    def moment(self) -> Moment:
        restarts = {part: health.restarts for part, health in self.health().items()}
        return Moment({app: self.pid(app) for app in set(APPS.values())}, restarts)

    def health(self) -> dict[str, Health]:
        """Return the reports of the three parts."""
        return {part: one for part, one in read_health(self.settings.speed.health_dir).items() if part in APPS}

    def troubles(self) -> dict[str, str]:
        """Return what the parts that are not healthy report, without the folder of this machine."""
        unwell = {part: one.error or one.state for part, one in self.health().items() if not one.ok}
        return {part: text.replace(str(self._folder), "…") for part, text in unwell.items()}

    def log(self, service: str) -> Path:
        return self._stack_of(service).layout.service_log(service)

    def _family(self, service: str) -> set[int]:
        pid = self.pid(service)
        assert pid, f"{service} does not run"
        return {pid} | processes.descendants([pid], processes.snapshot())

    def _stack_of(self, service: str) -> Stack:
        return self._apps if service in APPS.values() else self._servers

    def _service(self, name: str) -> Service:
        return next(one for one in self._apps.all_services if one.name == name)


_OWN_PATHS = ("ARCHIVE_CATALOG_URI", "COUNTS_DATABASE_URI", "SPEED_", "PRODUCER_")
"""Settings of the servers' stack that are not the apps'."""


class Program:
    """A process next to the supervised ones."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        self.log = folder / "twin.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(command), env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        """Return the exit code; None if it still runs after that."""
        until(lambda: self._process.poll() is not None, seconds, f"the end of {self._process.args!r}, see {self.log}")
        return self._process.returncode

    def ended(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        """kill -9, and everything that it has started."""
        family = processes.descendants([self.pid], processes.snapshot())
        self._process.kill()
        self._process.wait()
        until(lambda: not (family & set(processes.snapshot())), 20, "the JVM ends after its driver", pause=0.1)
