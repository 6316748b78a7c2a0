"""The development container builds what the README promises and forwards Airflow's port."""

from __future__ import annotations

import json
import re

from twitter_topics.local.ports import DEFAULT_PORTS
from twitter_topics.settings import PROJECT

CONTAINER = json.loads((PROJECT / ".devcontainer" / "devcontainer.json").read_text())


def test_it_forwards_airflow() -> None:
    assert CONTAINER["forwardPorts"] == [DEFAULT_PORTS["airflow"]]
    assert list(CONTAINER["portsAttributes"]) == [str(DEFAULT_PORTS["airflow"])]


def test_it_runs_a_target_of_the_makefile() -> None:
    program, target = CONTAINER["onCreateCommand"].split()
    assert program == "make"
    assert re.search(rf"^{target}:", (PROJECT / "Makefile").read_text(), flags=re.MULTILINE)
