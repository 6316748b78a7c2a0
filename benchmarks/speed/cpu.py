"""CPU time and memory by process of a stack: servers, JVMs, Spark's Python workers, drivers."""

from __future__ import annotations

import re
from collections import defaultdict

import psutil

from twitter_topics.local.memory import resident_bytes

_SPARK_APPS = ("classify-tweets", "aggregate-topics")
_JOB = re.compile(r"spark_apps/batch/(\w+)\.py")


def cpu_seconds(roots: dict[str, int]) -> dict[str, float]:
    """Return the CPU seconds of the services so far, by kind of process, with those of children that have ended."""
    total: defaultdict[str, float] = defaultdict(float)
    for kind, process in processes(roots):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total[kind] += times.user + times.system + times.children_user + times.children_system
    return dict(sorted(total.items()))


def used(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return what was used between two results of `cpu_seconds`."""
    return {kind: seconds - before.get(kind, 0.0) for kind, seconds in after.items()}


def memory_mb(roots: dict[str, int]) -> dict[str, float]:
    """Return the memory by kind of process: of a page that n processes share, each has 1/n."""
    total: defaultdict[str, float] = defaultdict(float)
    for kind, process in processes(roots):
        total[kind] += resident_bytes([process.pid]) / 2**20
    return dict(total)


def processes(roots: dict[str, int]) -> list[tuple[str, psutil.Process]]:
    """Return every process of the services (name to pid), with its kind."""
    found = []
    for service, pid in roots.items():
        try:
            root = psutil.Process(pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            continue
        found += [(_kind(service, root, process), process) for process in family]
    return found


def batch_jobs(roots: dict[str, int]) -> set[str]:
    """Return the names of the Spark jobs that the services run now."""
    return {name for _, process in processes(roots) if (name := _job(process))}


def _kind(service: str, root: psutil.Process, process: psutil.Process) -> str:
    if process == root:
        return service
    try:
        if service in _SPARK_APPS:
            return f"{service}: {'JVM' if process.name() == 'java' else 'Python workers'}"
        return "batch jobs" if any(_job(one) for one in (process, *process.parents())) else service
    except psutil.NoSuchProcess:
        return service


def _job(process: psutil.Process) -> str:
    try:
        match = _JOB.search(" ".join(process.cmdline()))
    except psutil.Error:
        return ""
    return match.group(1) if match else ""
