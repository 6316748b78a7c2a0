"""The import path of Spark's Python workers."""

from __future__ import annotations

import site
from pathlib import Path

from twitter_topics.backends.worker_daemon import without_archives

PACKAGES = next(folder for folder in site.getsitepackages() if (Path(folder) / "pyspark").is_dir())


def test_archives_are_left_out() -> None:
    path = ["/spark/python/lib/pyspark.zip", PACKAGES, "/spark/jars/spark-core_2.13.jar", "/app"]
    assert without_archives(path) == [PACKAGES, "/app"]


def test_a_pyspark_that_is_only_in_an_archive_stays() -> None:
    path = ["/spark/python/lib/pyspark.zip", "/spark/python/lib/py4j.zip", "/app"]
    assert without_archives(path) == path
