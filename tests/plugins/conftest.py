"""A separate Airflow for this tier: the caller's is never read. Must run before airflow is imported."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def _isolate() -> None:
    home = os.environ.get("AIRFLOW_HOME", "")
    if "airflow" in sys.modules or home.startswith(tempfile.gettempdir()):
        return  # tests/dags has done so
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    home = tempfile.mkdtemp(prefix="airflow-test-")
    os.environ.update(
        AIRFLOW_HOME=home,
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{home}/airflow.db",
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__PLUGINS_FOLDER=str(PROJECT / "plugins"),
        AIRFLOW__API_AUTH__JWT_SECRET="a secret of the tests, longer than thirty-two bytes",
        AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    )


_isolate()
