"""Starts and stops the local stack."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.local import environment, followed, jars, processes, secrets, servers, services
from twitter_topics.local.airflow import AirflowSetup
from twitter_topics.local.java import find_java
from twitter_topics.local.layout import Layout, write_private
from twitter_topics.local.patience import Patience
from twitter_topics.local.ports import Ports, taken_port_sentences
from twitter_topics.local.readiness import read_report
from twitter_topics.local.runner import LOGGER as RUNNER
from twitter_topics.local.supervision import Supervisor, configuration
from twitter_topics.logs import read_line
from twitter_topics.settings import Settings
from twitter_topics.settings.paths import IsPath, absolute

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from twitter_topics.local.services import Group, Service

Say = Callable[[str], None]
_TOO_MANY_RESTARTS = 3
_LEFTOVER_GRACE_SECONDS = 15


class Stack:
    """The stack of the settings.

    Args:
        settings: the user's; the stack adds its own addresses.
        say: receives a line for every step.
    """

    def __init__(self, settings: Settings, say: Say) -> None:
        self._given = settings
        self._say = say
        self.layout = Layout.of(settings.local)
        self.ports = Ports(settings.local.port_offset)
        self.supervisor = Supervisor(self.layout)

    @cached_property
    def _kept(self) -> Mapping[str, str]:
        return followed.kept(self.layout, self._given)

    @cached_property
    def _settings(self) -> Settings:
        return self._given.overridden(self._kept)

    @cached_property
    def _secrets(self) -> Mapping[str, str]:
        return secrets.load_or_make(self.layout.secrets)[0]

    @cached_property
    def addresses(self) -> environment.Addresses:
        return environment.addresses(self._settings, self.layout, self.ports, self._secrets)

    @cached_property
    def all_services(self) -> list[Service]:
        """All services of the stack, without servers that the settings point elsewhere."""
        local = self.addresses.local_servers
        own = services.servers(self.layout, self.ports, find_java())
        own = [server for server in own if server.name in local]
        producers = services.producers(self.layout, self._settings.producer)
        return [*own, *producers, *services.streaming_apps(self.layout), *services.airflow(self.ports)]

    # -- up ----------------------------------------------------------------------------------------------------------

    def up(self, groups: Collection[Group] = services.GROUPS) -> None:
        """Start missing services and return when everything is ready. Safe to repeat and to call concurrently.

        Raises:
            ConfigurationError: something is missing, in use or misconfigured; the message names the fix.
            RetryableError: a service did not become ready; the message names its log.
        """
        self._check_health_folder()
        self.layout.require_own()  # what root starts, its owner could not go on with
        self.layout.make()
        with self._lock():
            began = time.monotonic()
            self._show_new_passwords()
            self._say_what_is_kept()
            jars.require()
            self._stop_outdated_stack()
            wanted = [service for service in self.all_services if service.group in groups]
            self._remember_wanted(wanted)
            followed.remember(self.layout, self._settings, self.addresses.variables)
            self._delete_stale_health()
            changed = self._write_environments()
            setup = self._start_airflow_setup() if "batch" in groups and not self._is_running("api-server") else None
            try:
                self._launch(wanted)
                self._restart_changed(wanted, changed)
                self._start_tier([service for service in wanted if service.tier == 0], began)
                self._provision(began)
                if setup is not None:
                    setup.wait()
                    self._step(began, "Airflow's database " + ("is as it was" if setup.skipped else "and users"))
            except BaseException:
                if setup is not None:
                    setup.abandon()
                raise
            self._start_tier([service for service in wanted if service.tier == 1], began)

    def _check_health_folder(self) -> None:
        """The stack deletes reports of producers that it does not follow, so their folder must be its own."""
        given = self._given.speed
        folder = absolute(str(given.health_dir), Path.cwd(), IsPath())
        if "health_dir" in given.model_fields_set and folder != str(self.layout.health):
            raise ConfigurationError(
                f"SPEED_HEALTH_DIR={given.health_dir}: the local stack has its status reports in {self.layout.health}; "
                "unset SPEED_HEALTH_DIR, or move the whole stack with LOCAL_STATE_DIR"
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Allow one `up` or `down` at a time; a second one waits."""
        if not self.layout.lock.exists():
            self.layout.make()
        with self.layout.lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another start or stop of this stack")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _remember_wanted(self, wanted: Sequence[Service]) -> None:
        names = (
            set(self.wanted()) | {service.name for service in wanted}
            if self.supervisor.is_alive()
            else {service.name for service in wanted}
        )
        write_private(self.layout.run / "wanted.json", json.dumps({"names": sorted(names)}))

    def _say_what_is_kept(self) -> None:
        if sentence := followed.sentence(self._given, self._kept):
            self._say(sentence)

    def _delete_stale_health(self) -> None:
        """Delete health files of sources that are no longer followed."""
        known = {part for service in self.all_services for part in service.reports}
        for report in self.layout.health.glob("*.json"):
            if report.stem not in known:
                report.unlink()

    def wanted(self) -> list[str]:
        """Return the names of the services requested since the stack was started."""
        return list(read_report(self.layout.run / "wanted.json").get("names", []))

    def _show_new_passwords(self) -> None:
        known, first = secrets.load_or_make(self.layout.secrets)
        if first and sys.stdout.isatty():  # a file or a CI log may have other readers
            self._say(f"Airflow's users, shown only now (stored in {self.layout.secrets}, readable only by you):")
            for user in ("admin", "viewer"):
                self._say(f"    {user:7} {known[f'AIRFLOW_{user.upper()}_PASSWORD']}")
        elif first:
            self._say(f"Airflow's users are admin and viewer; their passwords are in {self.layout.secrets}")

    def _stop_outdated_stack(self) -> None:
        if self.supervisor.is_alive():
            if self.supervisor.configuration_file.read_text() == self._configuration():
                return
            self._say("services, ports or memory of servers have changed; stopping the running stack first")
            self._stop_all()
        if count := processes.terminate(self.supervisor.leftovers, _LEFTOVER_GRACE_SECONDS):
            self._say(f"ended {count} processes of a stack without supervisor")
        self.layout.socket().unlink(missing_ok=True)
        for state in self.layout.run.glob("*.state.json"):
            state.unlink()

    def _start_airflow_setup(self) -> AirflowSetup:
        return AirflowSetup(self.layout, self._environment_of(self._service("api-server")), self._secrets)

    def _launch(self, wanted: Sequence[Service]) -> None:
        running = self._running_names()
        new = [service for service in wanted if service.name not in running]
        if problems := taken_port_sentences({name: self.ports[name] for service in new for name in service.ports}):
            advice = "stop it, or shift this stack's ports with LOCAL_PORT_OFFSET (e.g. 1000)"
            raise ConfigurationError("; ".join(problems) + ": " + advice)
        if not self.supervisor.is_alive():
            servers.write_configuration(self._filled_recipes())
            base = environment.base_variables(self.layout, find_java())
            self.supervisor.launch(self._configuration(), base)

    def _configuration(self) -> str:
        return configuration(self.layout, self.all_services, servers.fingerprint(self._filled_recipes()))

    def _filled_recipes(self) -> dict[Path, str]:
        heap = self._settings.local.elasticsearch_heap
        return servers.filled_recipes(self.layout, self.ports, self._secrets, heap)

    def _provision(self, began: float) -> None:
        own = Settings(given=self.addresses.variables)
        servers.provision(own, self.ports, self._secrets, self._running_servers())
        self._step(began, "topics, bucket and database")

    def _running_servers(self) -> frozenset[str]:
        return self.addresses.local_servers & self._running_names()

    # -- environments ------------------------------------------------------------------------------------------------

    def _environment_of(self, service: Service) -> dict[str, str]:
        variables = self.addresses.variables
        chosen = {name: value for name, value in variables.items() if name.startswith(service.variables)}
        if service.group == "batch":
            chosen |= environment.airflow_variables(
                self._settings, self.layout, self.ports, self._secrets, self.addresses.variables
            )
        base = environment.base_variables(self.layout, find_java())
        base |= environment.sdk_variables(service.variables, variables)
        return base | environment.spark_variables(self._settings) | chosen

    def _write_environments(self) -> set[str]:
        """Write the runners' environments and return the services that run with other settings."""
        changed = set()
        for service in self.all_services:
            text = json.dumps(self._environment_of(service), sort_keys=True)
            write_private(self.layout.service_environment(service.name), text)
            known = self.state_of(service.name).get("fingerprint")
            if known and known != hashlib.sha256(text.encode()).hexdigest():
                changed.add(service.name)
        return changed

    def _restart_changed(self, wanted: Sequence[Service], changed: set[str]) -> None:
        """Stop services that run with old settings or are misconfigured, so that they start again."""
        running = self._running_names()
        stale = [
            service
            for service in wanted
            if service.name in running
            and (service.name in changed or self.state_of(service.name).get("phase") == "misconfigured")
        ]
        if stale:
            self._say("new settings, restarting: " + ", ".join(service.name for service in stale))
            self.supervisor.stop([service.name for service in stale])

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _start_tier(self, tier: Sequence[Service], began: float) -> None:
        since = {service.name: self.supervisor.start(service) for service in tier}
        restarts = {service.name: int(self.state_of(service.name).get("restarts", 0)) for service in tier}
        waiting = list(tier)
        patience = Patience()
        while waiting:
            for service in list(waiting):
                if self._is_ready(service, since[service.name]):
                    waiting.remove(service)
                    self._step(began, f"{service.name} ready")
                else:
                    self._give_up_on_failure(service, restarts[service.name])
            if patience.is_over((len(waiting), self._written(waiting))):
                raise RetryableError(
                    f"not ready after {patience.seconds:.0f} s: "
                    + ", ".join(f"{s.name} ({self._phase(s)}, see {self.layout.service_log(s.name)})" for s in waiting)
                )
            time.sleep(0.2)

    def _written(self, services: Sequence[Service]) -> int:
        """Return the number of bytes in the services' logs."""
        logs = (self.layout.service_log(service.name) for service in services)
        return sum(log.stat().st_size for log in logs if log.exists())

    def _is_ready(self, service: Service, since: float) -> bool:
        state = self.state_of(service.name)
        if state.get("phase") == "finished":
            return True
        # another program may answer at our port: our service must be alive too
        return state.get("phase") == "running" and service.ready(since)

    def _give_up_on_failure(self, service: Service, restarts_before: int) -> None:
        log = self.layout.service_log(service.name)
        state = self.state_of(service.name)
        if state.get("phase") == "misconfigured":
            raise ConfigurationError(f"{service.name}: {_last_message(log)} (full log: {log})")
        if int(state.get("restarts", 0)) - restarts_before >= _TOO_MANY_RESTARTS:
            raise RetryableError(f"{service.name} keeps failing: {_last_message(log)} (full log: {log})")

    def _phase(self, service: Service) -> str:
        return str(self.state_of(service.name).get("phase", "not started"))

    def state_of(self, name: str) -> dict[str, Any]:
        """Return the state that a service's runner reports, empty before its first start."""
        return read_report(self.layout.service_state(name))

    def _service(self, name: str) -> Service:
        return next(service for service in self.all_services if service.name == name)

    def _running_names(self) -> set[str]:
        if not self.supervisor.is_alive():
            return set()
        return {name for name, info in self.supervisor.states().items() if info["pid"]}

    def _is_running(self, name: str) -> bool:
        return name in self._running_names()

    def _step(self, began: float, what: str) -> None:
        self._say(f"{time.monotonic() - began:6.1f} s  {what}")

    # -- down --------------------------------------------------------------------------------------------------------

    def down(self) -> None:
        """Stop everything and return when no processes are left."""
        with self._lock():
            was_up = self.supervisor.is_alive()
            if was_up:
                self._stop_all()
            count = processes.terminate(self.supervisor.leftovers, _LEFTOVER_GRACE_SECONDS)
            if left := self.supervisor.leftovers():
                raise RetryableError(f"processes {sorted(left)} do not end; kill them")
            what = "stopped" if was_up else "was not running"
            self._say(what + (f", {count} leftover processes ended" if count else ""))

    def stop(self, names: Collection[str]) -> None:
        """Stop some services of the running stack. `up` starts them again.

        Raises:
            ConfigurationError: a name is not one of a service; nothing was stopped.
        """
        with self._lock():
            if not self.supervisor.is_alive():
                self._say("was not running")
                return
            known = self.supervisor.states()
            if unknown := sorted(set(names) - known.keys()):
                msg = f"{', '.join(map(repr, unknown))}: no such service; use some of {', '.join(sorted(known))}"
                raise ConfigurationError(msg)
            self.supervisor.stop(names)
            self._say(f"stopped {', '.join(names)}; `twitter-topics up` starts what is missing")

    def clean(self) -> None:
        """Stop everything, and delete data, logs and secrets of the stack."""
        if self.layout.lock.exists():
            self.down()
        deleted = self.layout.delete()
        self._say(f"{self.layout.state}: " + (f"deleted {', '.join(deleted)}" if deleted else "nothing to delete"))

    def _stop_all(self) -> None:
        groups = {name: info["group"] for name, info in self.supervisor.states().items()}
        self.supervisor.stop([name for name, group in groups.items() if group != "services"])
        self.supervisor.stop([name for name, group in groups.items() if group == "services"])
        self.supervisor.shut_down()


def _last_message(log: Path) -> str:
    """Return the last message in a log written by the service itself."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-200:]
    except OSError:
        return "no log"
    read = [read_line(line) for line in lines]
    own = [message.strip() for logger, message in read if message.strip() and logger != RUNNER]
    return own[-1][:300] if own else "it wrote nothing"
