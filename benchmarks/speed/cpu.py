"""CPU time and memory by process of a stack: servers, JVMs, Spark's Python workers, drivers."""

from __future__ import annotations

from collections import Counter

import psutil

Cpu = dict[str, float]
"""CPU seconds by kind of process."""

_CHILDREN = ("classify-tweets", "aggregate-topics")


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


def cpu_seconds(roots: dict[str, int]) -> Cpu:
    """Return the CPU seconds of the services so far, with those of children that have ended."""
    total: Counter[str] = Counter()
    for kind, process in processes(roots):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total[kind] += times.user + times.system + times.children_user + times.children_system
    return dict(total)


def memory_mb(roots: dict[str, int]) -> dict[str, float]:
    """Return the memory by kind of process: of a page that n processes share, each has 1/n (Linux's PSS)."""
    total: Counter[str] = Counter()
    for kind, process in processes(roots):
        try:
            total[kind] += process.memory_full_info().pss / 2**20
        except psutil.NoSuchProcess:
            continue
    return dict(total)


def _kind(service: str, root: psutil.Process, process: psutil.Process) -> str:
    if service not in _CHILDREN or process == root:
        return service
    try:
        return f"{service}: {'JVM' if process.name() == 'java' else 'Python workers'}"
    except psutil.NoSuchProcess:
        return service
