"""The parent of Spark's Python workers (`spark.python.daemon.module`), which makes them cheap.

Without archives on their `sys.path`: PySpark puts pyspark.zip, py4j's zip and the jar of spark-core there, and begins
each task with `importlib.invalidate_caches()`, after which Python reads the directories of these archives again: 100 ms
of CPU a task, most of what a small batch costs. A pyspark that was installed with pip needs none of them.

With modules that are imported before the workers are forked: each of them would take seconds to import numba, scipy and
the lexicons, and so it has them in memory that it shares with the others.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.machinery import PathFinder

from twitter_topics.backends.garbage import collect_seldom

MODULES = "TWITTER_TOPICS_WORKER_MODULES"
"""Environment variable with the names of these modules, comma-separated."""


def without_archives(path: Sequence[str]) -> list[str]:
    """Return the entries of an import path that are not archives; all of them if pyspark is only in an archive."""
    folders = [entry for entry in path if not entry.endswith((".zip", ".jar"))]
    found = all(PathFinder.find_spec(name, folders) for name in ("pyspark", "py4j"))
    return folders if found else list(path)


def _import_modules() -> None:
    from twitter_topics.settings import inherited  # once the archives are off the path: the jar has a folder `org`

    with redirect_stdout(sys.stderr):  # Spark reads the daemon's port from its stdout
        for name in filter(None, inherited([MODULES]).get(MODULES, "").split(",")):
            importlib.import_module(name)
    collect_seldom()


if __name__ == "__main__":
    sys.path[:] = without_archives(sys.path)
    sys.path_importer_cache.clear()
    _import_modules()
    runpy.run_module("pyspark.daemon", run_name="__main__")
