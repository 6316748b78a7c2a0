"""One Spark session for all tests of this tier, and a private archive for each test that needs one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """The project's session on one core. Its S3 and catalog settings are dummies: tests bring their own."""
    from twitter_topics.backends.spark_session import build_session

    session = build_session(Settings({"SPARK_MASTER": "local[1]"}), "tests", driver_memory="1g")
    yield session
    session.stop()


@pytest.fixture
def local_archive(spark: SparkSession, tmp_path: Path) -> Settings:
    """Settings of an empty archive in the test's own folder: a catalog with its own name, tables made."""
    from twitter_topics.archive.rows import ensure_tables
    from twitter_topics.backends.spark_session import catalog_options

    name = f"archive{next(_NUMBERS)}"
    settings = Settings({"ARCHIVE_CATALOG_NAME": name, "ARCHIVE_CATALOG_URI": f"sqlite:///{tmp_path}/catalog.db"})
    for key, value in catalog_options(settings.archive, settings.s3).items():
        spark.conf.set(key, value)
    spark.conf.set(f"spark.sql.catalog.{name}.warehouse", str(tmp_path / "lake"))
    ensure_tables(spark, settings)
    return settings
