"""The status of the stack: its services, and the parts that report their health."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from twitter_topics.local.readiness import read_report

if TYPE_CHECKING:
    from twitter_topics.local.services import Service
    from twitter_topics.local.stack import Stack

STALE_SECONDS = 90
"""A part that has not reported for this long is considered stuck."""


@dataclass(frozen=True)
class ServiceStatus:
    """One service. `pid` is that of the service, not of its runner; 0 = not running."""

    name: str
    group: str
    ok: bool
    phase: str
    pid: int
    restarts: int
    last_exit: int | None
    url: str


@dataclass(frozen=True)
class PartStatus:
    """The last report of a part; see health.report for the fields. `age_seconds` is the report's age."""

    part: str
    ok: bool
    state: str
    rate: float
    lag: float
    error: str
    age_seconds: float
    detail: str = ""


@dataclass(frozen=True)
class StackStatus:
    """The status of everything at one moment."""

    up: bool
    services: tuple[ServiceStatus, ...]
    parts: tuple[PartStatus, ...]

    @property
    def healthy(self) -> bool:
        """All requested services run and answer, and no part reports a problem."""
        return self.up and all(row.ok for row in self.services) and all(part.ok for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"healthy": self.healthy, **asdict(self)}


def read(stack: Stack) -> StackStatus:
    """Return the status of a stack.

    Raises:
        ConfigurationError: the settings are wrong, or a program is missing.
    """
    up = stack.supervisor.is_alive()
    if not up:
        return StackStatus(False, (), ())
    wanted = set(stack.wanted())
    running = stack.supervisor.states()
    services = [service for service in stack.all_services if service.name in wanted]
    rows = tuple(_service_status(stack, service, running.get(service.name, {})) for service in services)
    finished = {row.name for row in rows if row.phase == "finished"}
    now = time.time()  # after the readiness checks, which take time
    parts = tuple(
        _part_status(part, read_report(stack.layout.health / f"{part}.json"), now, service.name in finished)
        for service in services
        for part in service.reports
    )
    unknown = wanted - {service.name for service in services}
    strangers = tuple(_stranger(name, running.get(name, {})) for name in sorted(unknown))
    return StackStatus(True, rows + strangers, parts)


def _stranger(name: str, info: dict[str, Any]) -> ServiceStatus:
    """Return the status of a service that was started, but would not be with the settings of now."""
    return ServiceStatus(name, str(info.get("group", "")), False, "not in the settings", 0, 0, None, "")


def _service_status(stack: Stack, service: Service, info: dict[str, Any]) -> ServiceStatus:
    state = stack.state_of(service.name) if info.get("pid") else {}
    phase = str(state.get("phase", "stopped"))
    return ServiceStatus(
        name=service.name,
        group=service.group,
        ok=phase == "finished" or (phase == "running" and service.ready(time.time() - STALE_SECONDS)),
        phase=phase,
        pid=int(state.get("pid", 0)),
        restarts=int(state.get("restarts", 0)),
        last_exit=state.get("last_exit"),
        url=service.url,
    )


def _part_status(part: str, report: dict[str, Any], now: float, finished: bool) -> PartStatus:
    age = now - report.get("at", 0)
    fresh = finished or age < STALE_SECONDS
    if not report:
        state, error, age = "silent", "has never reported", 0.0
    else:
        state = str(report.get("state", ""))
        error = str(report.get("error", "")) if fresh else f"has not reported for {age:.0f} s"
    return PartStatus(
        part=part,
        ok=bool(report.get("ok")) and fresh,
        state=state,
        rate=float(report.get("rate", 0)),
        lag=float(report.get("lag", 0)),
        error=error,
        age_seconds=round(max(age, 0.0), 1),
        detail=str(report.get("detail", "")),
    )
