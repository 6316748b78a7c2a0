"""Sets up Airflow: configuration, database, users. Airflow is started as a process, never imported."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.local.layout import RECIPES, write_private
from twitter_topics.settings import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twitter_topics.local.layout import Layout

TEMPLATE = PROJECT / "airflow.cfg.template"
_SETUP = RECIPES / "airflow_setup.py"
_PACKAGES = ("apache-airflow", "apache-airflow-providers-fab")


def write_configuration(layout: Layout, environment: Mapping[str, str], template: str) -> None:
    """Copy the template to AIRFLOW_HOME. Airflow expands the variables when it reads the file.

    Raises:
        ConfigurationError: a variable of the template is unset or empty.
    """
    settings = "\n".join(line for line in template.splitlines() if not line.lstrip().startswith(("#", ";")))
    unset = sorted({name for name in re.findall(r"\$\{?(\w+)\}?", settings) if not environment.get(name)})
    if unset:
        raise ConfigurationError(f"{TEMPLATE.name} uses variables that are not set: {', '.join(unset)}")
    write_private(layout.airflow / "airflow.cfg", template)


class AirflowSetup:
    """The setup in a separate process, while the servers start: it takes seconds and needs none of them."""

    def __init__(self, layout: Layout, environment: Mapping[str, str], known: Mapping[str, str]) -> None:
        """Start it, unless nothing has changed since the last setup.

        Args:
            known: secrets by name.

        Raises:
            ConfigurationError: see write_configuration.
        """
        self._log = layout.service_log("airflow-setup")
        self._stamp = layout.airflow / ".set-up"
        template = TEMPLATE.read_text()
        write_configuration(layout, environment, template)
        passwords = {name: known[f"AIRFLOW_{name.upper()}_PASSWORD"] for name in ("admin", "viewer")}
        self._fingerprint = _fingerprint(template, environment["AIRFLOW_DATABASE_URL"], json.dumps(passwords))
        self._process: subprocess.Popen[str] | None = None
        if not self._is_done(layout, environment):
            self._stamp.unlink(missing_ok=True)
            self._process = self._start(environment, json.dumps(passwords), layout)

    def _is_done(self, layout: Layout, environment: Mapping[str, str]) -> bool:
        url = environment["AIRFLOW_DATABASE_URL"]
        lost = url.startswith("sqlite:///") and not (layout.airflow / "airflow.db").exists()
        return not lost and self._stamp.exists() and self._stamp.read_text() == self._fingerprint

    def _start(self, environment: Mapping[str, str], passwords: str, layout: Layout) -> subprocess.Popen[str]:
        with self._log.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(_SETUP)],
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                cwd=layout.work,
                umask=0o077,
            )
        if process.stdin:
            process.stdin.write(passwords)
            process.stdin.close()
        return process

    @property
    def skipped(self) -> bool:
        return self._process is None

    def wait(self) -> None:
        """Wait until it is done.

        Raises:
            ConfigurationError: it failed; the message names the log.
        """
        if self._process is None:
            return
        code = self._process.wait()
        if code != 0:
            last = self._log.read_text().strip().splitlines()[-1:] or ["no message"]
            what = "configuration is wrong" if code == EXIT_CONFIGURATION else "setup failed"
            raise ConfigurationError(f"Airflow's {what}: {last[0]} (full log: {self._log})")
        write_private(self._stamp, self._fingerprint)

    def abandon(self) -> None:
        """Stop it because something else failed to start."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


def _fingerprint(*parts: str) -> str:
    versions = [f"{name}=={metadata.version(name)}" for name in _PACKAGES]
    return hashlib.sha256("\0".join((*parts, *versions, _SETUP.read_text())).encode()).hexdigest()
