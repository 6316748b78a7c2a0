"""`make kibana-import` against a server that answers as Kibana does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.http import Connection, HttpServer
from tools.dashboards.files import read_saved_objects
from tools.dashboards.kibana.importing import ImportFailed, main, session, wait

pytestmark = pytest.mark.contract

AVAILABLE = {"version": {"number": "8.19.21"}, "status": {"overall": {"level": "available"}}}
CLOSE = {"Connection": "close"}
STARTING = {"version": {"number": "8.19.21"}, "status": {"overall": {"level": "unavailable"}}}


class Kibana:
    """Keeps what it was sent; `statuses` are the answers to the first requests for its status."""

    def __init__(self, statuses: list[tuple[int, Any]]) -> None:
        self.statuses = statuses
        self.imports: list[tuple[str, dict[str, str], list[dict[str, Any]]]] = []
        self.result: Callable[[list[dict[str, Any]]], dict[str, Any]] = accepted
        self.server = HttpServer(self.serve)
        self.url = self.server.url

    def serve(self, connection: Connection) -> None:
        request = connection.request
        if request.path == "/api/status":
            code, body = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            connection.answer(code, json.dumps(body).encode(), CLOSE)
            return
        objects = [json.loads(line) for line in request.body.splitlines() if line.startswith(b"{")]
        query = {name: values[0] for name, values in request.query.items()}
        self.imports.append((request.path, query | {"xsrf": request.headers.get("kbn-xsrf", "")}, objects))
        connection.answer(200, json.dumps(self.result(objects)).encode(), CLOSE)


def accepted(objects: list[dict[str, Any]]) -> dict[str, Any]:
    results = [{"type": one["type"], "id": one["id"], "meta": {"title": one["attributes"]["title"]}} for one in objects]
    return {"success": True, "successCount": len(objects), "successResults": results}


@pytest.fixture
def kibana() -> Iterator[Kibana]:
    made = Kibana([(200, AVAILABLE)])
    yield made
    made.server.close()


def test_all_objects_are_imported_and_named(kibana: Kibana, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{kibana.url}/"], {}) == 0
    ((path, query, objects),) = kibana.imports
    assert (path, query) == ("/api/saved_objects/_import", {"overwrite": "true", "xsrf": "twitter-topics"})
    assert objects == read_saved_objects()
    out = capsys.readouterr().out
    assert f"Kibana 8.19.21 at {kibana.url}" in out
    assert f"twitter-topics.ndjson: {len(objects)} objects" in out
    assert "  dashboard Sources and languages" in out


def test_it_waits_until_kibana_is_available(kibana: Kibana) -> None:
    kibana.statuses = [(503, "starting"), (503, STARTING), (200, AVAILABLE)]
    slept: list[float] = []
    with session({}) as client:
        assert wait(client, kibana.url, sleep=slept.append) == "8.19.21"
    assert len(slept) == 2


def test_it_gives_up_and_says_why(kibana: Kibana) -> None:
    kibana.statuses = [(503, STARTING)]
    times = iter(range(0, 1_000, 50))
    with session({}) as client, pytest.raises(ImportFailed, match="not available after 120 s: HTTP 503, unavailable"):
        wait(client, kibana.url, clock=lambda: next(times), sleep=lambda _: None)
    with session({}) as client, pytest.raises(ImportFailed, match="not available after 0 s: ConnectionError"):
        wait(client, "http://127.0.0.1:9", seconds=0)


def test_rejected_objects_and_users_are_named(kibana: Kibana, capsys: pytest.CaptureFixture[str]) -> None:
    error = {"type": "lens", "id": "twitter-topics-users", "error": {"type": "missing_references"}}
    kibana.result = lambda _objects: {"success": False, "errors": [error]}
    assert main([kibana.url], {}) == 1
    assert "rejected twitter-topics.ndjson: lens twitter-topics-users: missing_references" in capsys.readouterr().err
    kibana.statuses = [(401, {})]
    assert main([kibana.url], {"KIBANA_USERNAME": "reader", "KIBANA_PASSWORD": "Sesame-42"}) == 1
    err = capsys.readouterr().err
    assert "rejected KIBANA_USERNAME" in err
    assert "Sesame-42" not in err


@pytest.mark.parametrize("arguments", [[], ["localhost"], ["http://a", "http://b"]])
def test_the_address_is_needed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}) == 2
    assert "make kibana-import URL=" in capsys.readouterr().err


def test_a_user_is_named_by_variables() -> None:
    with session({"KIBANA_API_KEY": "key", "KIBANA_USERNAME": "u"}) as client:
        assert (client.headers["Authorization"], client.auth) == ("ApiKey key", None)
    with session({"KIBANA_USERNAME": "u", "KIBANA_PASSWORD": "p", "KIBANA_CA_FILE": "/etc/ca.pem"}) as client:
        assert (client.auth, client.verify) == (("u", "p"), "/etc/ca.pem")
    with session({}) as client:
        assert (client.auth, client.verify) == (None, True)
