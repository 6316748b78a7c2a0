"""The part of Airflow's REST API that the demo needs."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.local.ports import LOOPBACK

_TIMEOUT_SECONDS = 30
_UNFINISHED = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a DAG. `state`: queued, running, success or failed."""

    dag_id: str
    run_id: str
    state: str

    @property
    def finished(self) -> bool:
        return self.state not in _UNFINISHED


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task of a run. `state` is None before it is scheduled."""

    task_id: str
    state: str | None
    tries: int


class AirflowRest:
    """Airflow on this machine, as one user.

    Every method raises RetryableError when Airflow does not answer as expected, ConfigurationError when it rejects
    the login.
    """

    def __init__(self, port: int, user: str, password: str) -> None:
        self._port, self._user, self._password = port, user, password
        self._token = ""

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> Run | None:
        """Start a run. Return None while Airflow has not read the DAG file yet."""
        body = {"logical_date": None, "conf": conf or {}}  # the key is required; null means no logical date
        answer = self._call("POST", f"/api/v2/dags/{_quoted(dag_id)}/dagRuns", body, missing_is_none=True)
        return _run(answer) if answer is not None else None

    def run(self, run: Run) -> Run:
        """Return the current state of the run."""
        return _run(self._call("GET", self._path(run)))

    def newest_run(self, dag_id: str) -> Run | None:
        """Return the run that was started last, None when there is none."""
        query = urlencode({"order_by": "-run_after", "limit": 1})
        answer = self._call("GET", f"/api/v2/dags/{_quoted(dag_id)}/dagRuns?{query}", missing_is_none=True)
        return _run(answer["dag_runs"][0]) if answer and answer["dag_runs"] else None

    def tasks(self, run: Run) -> list[TaskState]:
        """Return all tasks of a run in the order of their start."""
        found = self._call("GET", f"{self._path(run)}/taskInstances")["task_instances"]
        found.sort(key=lambda task: task["start_date"] or "9999")
        return [TaskState(task["task_id"], task["state"], task["try_number"]) for task in found]

    def result(self, run: Run, task_id: str) -> Any:
        """Return a task's return value, None when there is none."""
        path = f"{self._path(run)}/taskInstances/{_quoted(task_id)}/xcomEntries/return_value?deserialize=false"
        answer = self._call("GET", path, missing_is_none=True)
        value = answer["value"] if answer else None
        return json.loads(value) if isinstance(value, str) and value.startswith(("{", "[")) else value

    def log(self, run: Run, task: TaskState) -> list[str]:
        """Return the log lines of the task's last try."""
        path = f"{self._path(run)}/taskInstances/{_quoted(task.task_id)}/logs/{max(1, task.tries)}?full_content=true"
        answer = self._call("GET", path, missing_is_none=True) or {}
        return [line for entry in answer.get("content", []) for line in _log_lines(entry)]

    def _path(self, run: Run) -> str:
        return f"/api/v2/dags/{_quoted(run.dag_id)}/dagRuns/{_quoted(run.run_id)}"

    def _call(self, method: str, path: str, body: Any = None, *, missing_is_none: bool = False) -> Any:
        if not self._token:
            self._log_in()
        status, answer = self._request(method, path, body)
        if status == http.client.UNAUTHORIZED:  # the token expires after a day
            self._log_in()
            status, answer = self._request(method, path, body)
        if status == http.client.NOT_FOUND and missing_is_none:
            return None
        if status >= http.client.BAD_REQUEST:
            raise RetryableError(f"Airflow answered {status} to {method} {path}: {json.dumps(answer)[:300]}")
        return answer

    def _log_in(self) -> None:
        credentials = {"username": self._user, "password": self._password}
        status, answer = self._request("POST", "/auth/token", credentials)
        if status == http.client.UNAUTHORIZED:
            raise ConfigurationError(f"Airflow rejects user {self._user} with the password in secrets.json")
        if status >= http.client.BAD_REQUEST or not isinstance(answer, dict):
            raise RetryableError(f"Airflow answered {status} to a login")
        self._token = answer["access_token"]

    def _request(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise RetryableError(f"Airflow on port {self._port} does not answer: {error}") from error
        finally:
            connection.close()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, None


def _log_lines(entry: Any) -> list[str]:
    """Return the text of a log entry, then type and message of its errors."""
    if isinstance(entry, str):
        return [entry]
    errors = [f"{error.get('exc_type')}: {error.get('exc_value')}" for error in entry.get("error_detail") or []]
    event = str(entry.get("event", ""))
    return [line for line in (event, *errors) if line.strip() and not line.startswith("::")]


def _quoted(text: str) -> str:
    """Quote a name for use in a URL path: run ids contain plus signs and colons."""
    return quote(text, safe="")


def _run(answer: dict[str, Any]) -> Run:
    return Run(answer["dag_id"], answer["dag_run_id"], answer["state"])
