"""Airflow's REST client against a minimal server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.local.airflow_rest import AirflowRest, Run, TaskState


class _Airflow(BaseHTTPRequestHandler):
    """Just enough of Airflow's REST API. Its first token expires after one use."""

    tokens: int = 0
    requests: list[tuple[str, str, Any]] = []  # noqa: RUF012 - emptied by the fixture

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(("POST", unquote(self.path), body))
        if self.path == "/auth/token":
            type(self).tokens += 1
            self._answer(201 if body["password"] == "right" else 401, {"access_token": f"t{self.tokens}"})
        elif self.headers["Authorization"] == "Bearer t1":
            self._answer(401, {})
        elif "unread" in self.path:
            self._answer(404, {})
        else:
            self._answer(200, {"dag_id": "d", "dag_run_id": "manual__2027-01-01T00:00:00+00:00", "state": "queued"})

    def do_GET(self) -> None:
        self.requests.append(("GET", unquote(self.path), None))
        if "/logs/" in self.path:
            error = {"exc_type": "ValueError", "exc_value": "too few tweets"}
            self._answer(200, {"content": [{"event": "::group::x"}, {"event": "Task failed", "error_detail": [error]}]})
        elif "xcomEntries" in self.path:
            self._answer(200, {"value": '{"reasons": ["a"]}'})
        elif "taskInstances" in self.path:
            tasks = [{"task_id": name, "state": None, "try_number": 0, "start_date": at} for name, at in self.listed]
            self._answer(200, {"task_instances": tasks})
        else:
            self._answer(500, {"detail": "broken"})

    listed = (("later", None), ("second", "2027-01-02"), ("first", "2027-01-01"))

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def airflow_port() -> Iterator[int]:
    _Airflow.tokens, _Airflow.requests = 0, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Airflow)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_airflow_over_rest(airflow_port: int) -> None:
    airflow = AirflowRest(airflow_port, "admin", "right")
    run = airflow.trigger("d", {"k": 5})  # logs in, is rejected, logs in again
    assert run == Run("d", "manual__2027-01-01T00:00:00+00:00", "queued")
    assert not run.finished
    assert _Airflow.requests[-1] == ("POST", "/api/v2/dags/d/dagRuns", {"logical_date": None, "conf": {"k": 5}})
    assert airflow.trigger("unread") is None
    assert [task.task_id for task in airflow.tasks(run)] == ["first", "second", "later"]
    assert airflow.result(run, "rejected") == {"reasons": ["a"]}
    assert airflow.log(run, TaskState("train", "failed", 2)) == ["Task failed", "ValueError: too few tweets"]
    assert f"/dagRuns/{run.run_id}/taskInstances/train/logs/2?" in _Airflow.requests[-1][1]
    with pytest.raises(RetryableError, match="500"):
        airflow.run(run)
    with pytest.raises(ConfigurationError, match="rejects user admin") as rejected:
        AirflowRest(airflow_port, "admin", "a wrong one").trigger("d")
    assert "a wrong one" not in str(rejected.value)


def test_airflow_that_is_not_there() -> None:
    with pytest.raises(RetryableError, match="does not answer"):
        AirflowRest(1, "admin", "right").trigger("d")
