"""Databases for the state of the counts."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import URL

from twitter_topics.backends.database import database_url


@pytest.fixture(scope="module")
def fresh() -> Iterator[Callable[[], URL]]:
    """Addresses of databases that do not exist yet, in memory where the system has a folder for that."""
    numbers = itertools.count()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield lambda: database_url("X", f"sqlite:///{folder}/{next(numbers)}.db", "", SecretStr(""))
