"""Airflow's configuration, without Airflow. (Unknown options: tests/dags.)"""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twitter_topics.errors import ConfigurationError
from twitter_topics.local import airflow, environment, secrets
from twitter_topics.local.java import Java
from twitter_topics.local.ports import Ports

if TYPE_CHECKING:
    from twitter_topics.local.layout import Layout
    from twitter_topics.settings import Settings


def test_an_unset_variable_is_rejected_because_its_name_would_become_the_secret(layout: Layout) -> None:
    template = "# ${NOT_A_SETTING}\n[api_auth]\njwt_secret = ${ONE}\n[core]\nfernet_key = ${TWO}${THREE}\n"
    with pytest.raises(ConfigurationError, match="ONE, TWO"):
        airflow.write_configuration(layout, {"TWO": "", "THREE": "set"}, template)
    assert not (layout.airflow / "airflow.cfg").exists()


def test_the_template_is_complete_with_the_variables_of_a_stack(layout: Layout, settings: Settings) -> None:
    known, _ = secrets.load_or_make(layout.secrets)
    variables = environment.base_variables(layout, Java(Path("/java"), 17))
    variables |= environment.airflow_variables(settings, layout, Ports(), known, {})
    template = airflow.TEMPLATE.read_text()
    airflow.write_configuration(layout, variables, template)
    written = layout.airflow / "airflow.cfg"
    assert written.read_text() == template
    assert written.stat().st_mode & 0o777 == 0o600


def test_the_template_has_no_secret_and_listens_only_on_loopback() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(airflow.TEMPLATE)
    for section, option in (("core", "fernet_key"), ("api", "secret_key"), ("api_auth", "jwt_secret")):
        assert re.fullmatch(r"\$\{\w+\}", parser[section][option])
    assert parser["api"]["host"] == "127.0.0.1"
    assert parser["core"]["auth_manager"].endswith("FabAuthManager")
    assert parser["core"]["dags_are_paused_at_creation"] == "False"
