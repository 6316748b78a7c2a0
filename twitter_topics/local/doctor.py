"""Checks that the stack can run on this machine, with a fix for each problem."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from twitter_topics.errors import ConfigurationError
from twitter_topics.local import jars, servers, services
from twitter_topics.local.environment import addresses
from twitter_topics.local.java import find_java
from twitter_topics.local.layout import Layout
from twitter_topics.local.ports import DEFAULT_PORTS, Ports, taken_port_sentences
from twitter_topics.local.supervision import Supervisor
from twitter_topics.settings import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from twitter_topics.local.services import Group
    from twitter_topics.settings import Settings

_GIB = 1024**3
_MIN_DISK_GIB = 5


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. `fix` is empty when it is ok."""

    name: str
    detail: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix


def examine(settings: Settings) -> list[CheckResult]:
    """Run all checks. Problems are results, not errors."""
    layout = Layout.of(settings.local)
    running = Supervisor(layout).is_alive()
    checks: list[tuple[str, Callable[[], CheckResult]]] = [
        ("python", _python),
        ("java", _java),
        ("memory", lambda: CheckResult("memory", "the stack runs") if running else memory(settings, services.GROUPS)),
        ("disk", lambda: _disk(layout)),
        ("ports", lambda: CheckResult("ports", "the stack runs") if running else _ports(settings)),
        ("jars", _jars),
        ("influxdb", lambda: CheckResult("influxdb", servers.find_influxd())),
        ("settings", lambda: _settings(settings, layout)),
    ]
    return [_run(name, check) for name, check in checks]


def _run(name: str, check: Callable[[], CheckResult]) -> CheckResult:
    try:
        return check()
    except ConfigurationError as error:
        return CheckResult(name, "not usable", fix=str(error))


def _python() -> CheckResult:
    version = ".".join(str(part) for part in sys.version_info[:3])
    supported = metadata("twitter-topics")["Requires-Python"]
    if version in SpecifierSet(supported):
        return CheckResult("python", f"{version} in {sys.prefix}")
    return CheckResult("python", version, fix=f"use a Python {supported}: `make up PYTHON=python3.13`")


def _java() -> CheckResult:
    java = find_java()
    return CheckResult("java", f"Java {java.major} in {java.home}")


def memory(settings: Settings, groups: Collection[Group]) -> CheckResult:
    """Compare the free memory with the needs of these groups of services."""
    needed = settings.local.min_memory_gib * sum(services.MEMORY_GIB[group] for group in groups)
    needed /= sum(services.MEMORY_GIB.values())
    free = available_memory_gib()
    detail = f"{free:.1f} GiB available, {needed:.1f} GiB needed"
    if free >= needed:
        return CheckResult("memory", detail)
    return CheckResult("memory", detail, fix="close other programs, or try it with less: LOCAL_MIN_MEMORY_GIB=4")


def available_memory_gib() -> float:
    """Return the free memory of the machine, or of this process's control group if that is less."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.exists() and used.exists() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return free / _GIB


def _disk(layout: Layout) -> CheckResult:
    folder = next(folder for folder in (layout.state, *layout.state.parents) if folder.exists())
    free = shutil.disk_usage(folder).free / _GIB
    detail = f"{free:.0f} GiB free at {folder}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return CheckResult("disk", f"{folder} is not writable", fix="make it yours, or use another LOCAL_STATE_DIR")
    if free >= _MIN_DISK_GIB:
        return CheckResult("disk", detail)
    return CheckResult(
        "disk", detail, fix=f"free {_MIN_DISK_GIB} GiB, or set LOCAL_STATE_DIR to a folder on another disk"
    )


def _ports(settings: Settings) -> CheckResult:
    ports = Ports(settings.local.port_offset)
    problems = taken_port_sentences({name: ports[name] for name in DEFAULT_PORTS})
    if not problems:
        return CheckResult("ports", ", ".join(str(ports[name]) for name in DEFAULT_PORTS) + " are free")
    return CheckResult(
        "ports", "; ".join(problems), fix="stop that program, or move this stack: LOCAL_PORT_OFFSET=1000"
    )


def _jars() -> CheckResult:
    jars.require()
    return CheckResult("jars", f"{len(jars.read_lock(jars.LOCK))} files, all as locked")


def _settings(settings: Settings, layout: Layout) -> CheckResult:
    known = addresses(settings, layout, Ports(settings.local.port_offset), {})
    elsewhere = {"kafka", "s3", "elasticsearch", "influxdb"} - known.local_servers
    apps = [PROJECT / "dags", PROJECT / "plugins", PROJECT / "airflow.cfg.template"]
    if missing := [path.name for path in apps if not path.exists()]:
        return CheckResult("settings", f"{', '.join(missing)} missing", fix=f"is {PROJECT} a full checkout?")
    detail = f"elsewhere: {', '.join(sorted(elsewhere))}" if elsewhere else "all servers are local"
    return CheckResult("settings", f"valid; {detail}")
