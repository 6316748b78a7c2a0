"""supervisord of a stack: configuration, start, and control over its socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
import xmlrpc.client
from typing import TYPE_CHECKING, Any

from supervisor.xmlrpc import SupervisorTransport

from twitter_topics.errors import RetryableError
from twitter_topics.local import processes
from twitter_topics.local.environment import marker
from twitter_topics.local.layout import write_private
from twitter_topics.local.services import GROUPS, Service, runner_command

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from twitter_topics.local.layout import Layout

_DEAD = ("STOPPED", "EXITED", "FATAL")
_START_SECONDS = 60
_STOP_SECONDS = 120  # longer than any service's stopwaitsecs

_HEADER = """\
; Written by `twitter-topics up`. No secrets in here: each runner reads its service's environment from a private file.
; The servers' own files, with ports and memory: {servers}
[supervisord]
nodaemon=true                      ; the launcher detaches it and sets umask and folder (ignored here with nodaemon)
pidfile={run}/supervisord.pid
logfile={log}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=3
childlogdir={log}
identifier={stack_id}
strip_ansi=true
minfds=1024
{user}
[unix_http_server]
file={socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}
"""

_PROGRAM = """
[program:{name}]
command={command}
autostart=false                    ; `up` starts tier by tier
autorestart=true                   ; only the runner, which restarts its service
startsecs=1
startretries=1000000
stopsignal=TERM
stopasgroup=false                  ; a signal to the group would reach Airflow's running tasks
killasgroup=true
stopwaitsecs={patience}
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def configuration(layout: Layout, services: Sequence[Service], servers: str) -> str:
    """Return the text of supervisord.conf.

    Args:
        servers: hash of the servers' configuration, so that another one makes another text: `up` then starts anew.
    """
    text = _HEADER.format(
        servers=servers,
        run=_escaped(layout.run),
        log=_escaped(layout.log),
        socket=_escaped(layout.socket()),
        stack_id=layout.stack_id,
        user="user=root\n" if os.getuid() == 0 else "",  # otherwise it warns at every start
    )
    for service in services:
        text += _PROGRAM.format(
            name=service.name,
            command=_escaped(runner_command(service, layout)),
            patience=service.grace_seconds + 15,
            log=_escaped(layout.service_log(service.name)),
        )
    for group in GROUPS:
        if names := [service.name for service in services if service.group == group]:
            text += f"\n[group:{group}]\nprograms={','.join(names)}\n"
    return text


def _escaped(text: object) -> str:
    return str(text).replace("%", "%%")


class Supervisor:
    """The supervisord of one stack, running or not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._identity = layout.run / "supervisord.identity.json"

    @property
    def configuration_file(self) -> Path:
        return self._layout.run / "supervisord.conf"

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._layout.socket()}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def is_alive(self) -> bool:
        """Return whether it answers and is ours."""
        try:
            return bool(self._call("getIdentification") == self._layout.stack_id)
        except (OSError, xmlrpc.client.Error, http.client.HTTPException):
            return False

    def launch(self, text: str, environment: Mapping[str, str]) -> None:
        """Start it, detached from this terminal.

        Raises:
            RetryableError: it did not start; the message names its log.
        """
        write_private(self.configuration_file, text)
        output = self._layout.log / "supervisord.out"
        with output.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self.configuration_file)],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
                cwd=self._layout.work,
                preexec_fn=processes.become_subreaper,
            )
        started = processes.look_up(process.pid)
        identity = {"pid": process.pid, "started": started.started if started else 0, "boot": processes.boot_id()}
        write_private(self._identity, json.dumps(identity))
        until = time.monotonic() + _START_SECONDS
        while not self.is_alive():
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                process.wait()
                raise RetryableError(f"supervisord did not start, see {output}")
            time.sleep(0.1)
        process.returncode = 0  # it outlives us deliberately: without this, Python warns about a running child

    def states(self) -> dict[str, dict[str, Any]]:
        """Return supervisord's state of each service, by name. (RUNNING only means that the runner lives.)"""
        return {info["name"]: info for info in self._call("getAllProcessInfo")}

    def start(self, service: Service) -> float:
        """Start a service unless it is up. Return its start time in unix seconds, to the second."""
        info = self._call("getProcessInfo", service.full_name)
        if info["statename"] not in _DEAD:
            return float(info["start"])
        now = time.time()
        with contextlib.suppress(xmlrpc.client.Fault):  # a concurrent start was faster
            self._call("startProcess", service.full_name, False)
        return now

    def stop(self, names: Collection[str]) -> None:
        """Stop services together and wait until their runners have ended (supervisord kills slow ones)."""
        for name, info in self.states().items():
            if name in names:
                with contextlib.suppress(xmlrpc.client.Fault):  # it was not running
                    self._call("stopProcess", f"{info['group']}:{name}", False)
        until = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < until and any(self.states()[name]["pid"] for name in names):
            time.sleep(0.2)

    def shut_down(self) -> None:
        """Stop supervisord."""
        with contextlib.suppress(OSError, xmlrpc.client.Error, http.client.HTTPException):
            self._call("shutdown")
        until = time.monotonic() + _START_SECONDS
        pid, started = self._session()
        while (process := processes.look_up(pid)) and process.started == started and time.monotonic() < until:
            time.sleep(0.1)

    def leftovers(self) -> set[int]:
        """Return every live process of this stack, including supervisord.

        Found by session (our processes create no new ones, and the kernel does not reuse the number of a session in
        use), by the marker in their environment, which some programs overwrite with their title, and as descendants of
        these.
        """
        everything = processes.snapshot()
        session, since = self._session()
        mark = marker(self._layout)
        found = {
            process.pid
            for process in everything.values()
            if (session and process.session == session and process.started >= since)
            or processes.has_variable(process.pid, mark)
        }
        found |= processes.descendants(found, everything)
        return found - {os.getpid()} - processes.ancestors(os.getpid(), everything)

    def _session(self) -> tuple[int, int]:
        try:
            identity = json.loads(self._identity.read_text())
        except (OSError, ValueError):
            return 0, 0
        return (identity["pid"], identity["started"]) if identity["boot"] == processes.boot_id() else (0, 0)
