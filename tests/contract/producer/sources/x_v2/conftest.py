"""Fixtures of the X source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.x_setup import Setup


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    with Setup.closing(tmp_path) as made:
        yield made
