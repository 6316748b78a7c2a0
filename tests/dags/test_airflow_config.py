"""airflow.cfg.template against the options of the installed Airflow, which ignores unknown ones."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from twitter_topics.local.airflow import TEMPLATE
from twitter_topics.local.layout import RECIPES

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.dags


@pytest.fixture(scope="module")
def setup_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("airflow_setup", RECIPES / "airflow_setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_airflow_knows_every_option_of_the_template(setup_script: ModuleType) -> None:
    assert setup_script.unknown_options(TEMPLATE) == []


def test_a_misspelt_option_is_found(setup_script: ModuleType, tmp_path: Path) -> None:
    wrong = tmp_path / "airflow.cfg"
    wrong.write_text(TEMPLATE.read_text().replace("[core]\n", "[core]\nparalelism = 4\n", 1))
    assert setup_script.unknown_options(wrong) == ["[core] paralelism"]
