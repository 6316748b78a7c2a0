"""The page in Airflow: it requires a login, shows which stores are down, and is safe with any text."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from twitter_topics.backends.influx import SHORT_TIMEOUT_S
from twitter_topics.counts.panes import WINDOW_MS, HourPoint, Series, Sums
from twitter_topics.counts.view import LastHour, TopicCount
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.health.report import Health
from twitter_topics.page import overview as overview_module
from twitter_topics.page.overview import overview, topics_now
from twitter_topics.topic_models.registry.promotion import Champion, Promotion
from twitter_topics.topic_models.registry.topic_names import Naming, TopicNames

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "topics_page.py"
STATIC = PLUGIN.with_suffix("")
NOW_MS = 1_800_000_000_000
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PAGES = ["/", "/assets/page.js", "/assets/page.css", "/assets/other", "/api/overview"]


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    """The module, loaded by its path as Airflow does."""
    spec = importlib.util.spec_from_file_location("topics_page", PLUGIN)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def app(plugin: ModuleType) -> FastAPI:
    from twitter_topics.page.app import create_app

    assert plugin.app.title == "Topics"
    return create_app(STATIC, lambda: overview(FakeSources(), now_ms=NOW_MS, min_documents=2_000))


class Client:
    """Sends requests to the app as a server would, without following redirects."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
                return await client.get(path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def stranger(app: FastAPI) -> Client:
    from airflow.api_fastapi.app import create_auth_manager

    create_auth_manager()
    return Client(app)


@pytest.fixture
def reader(app: FastAPI) -> Client:
    """A client whose user is logged in."""
    from airflow.api_fastapi.core_api.security import get_user

    app.dependency_overrides[get_user] = lambda: "a user"
    return Client(app)


class FakeSources:
    """Two model topics and tweets without a topic; single methods can be replaced."""

    def __init__(self, **replaced: Any) -> None:
        for name, method in replaced.items():
            setattr(self, name, method)

    def champion(self) -> Champion | None:
        return Champion("20270114T000000Z-gsdmm", '"1"', "2027-01-14T00:10:00+00:00", "first model", "airflow", None)

    def manifest(self, version: str) -> Mapping[str, Any]:
        topics = [
            {"topic_id": 3, "label": SCRIPT, "language": "en", "top_words": ["storm", SCRIPT]},
            {"topic_id": 5, "label": "match, goal", "top_words": ["match", "goal"]},
            {"topic_id": 8, "label": "brunch", "top_words": ["brunch"]},
        ]
        metrics = {"topics": 3, "coherence": 0.21, "diversity": 0.9, "perplexity": 812.4, "coverage": 0.98}
        evaluation = {"champion": None}
        return {
            "version": version,
            "trainer": "gsdmm",
            "documents": 5_000,
            "metrics": metrics,
            "topics": topics,
            "evaluation": evaluation,
        }

    def newest(self) -> Mapping[str, Any] | None:
        return None

    def promotions(self) -> Sequence[Promotion]:
        stamps = [f"2027-01-{day:02}T00:10:00+00:00" for day in range(1, 9)]
        return [Promotion(f"v{place}", at, SCRIPT, "airflow", None, "t") for place, at in enumerate(stamps)]

    def drift(self, version: str) -> Mapping[str, Any] | None:
        days = [{"day": f"2027-01-{day:02}", "word_drift": day / 1000, "advised": day == 14} for day in (6, 7, 14)]
        return {"version": version, "limit": 0.013, "days": days}

    def names(self) -> TopicNames:
        return TopicNames()

    def last_hour(self) -> LastHour | None:
        counts = [TopicCount(5, "old label", 40, 30, 41.5, 0.3), TopicCount(3, "storm", 7, 7, 6.0, -0.4)]
        return LastHour(NOW_MS, [TopicCount(-1, "no topic", 90, 0, 0.0, None), *counts])

    def hours_ending(self, end_ms: int) -> Sequence[HourPoint]:
        ago = (NOW_MS - end_ms) // WINDOW_MS
        models = ("a", "b")  # an hour in which the model changed has points of both
        return [HourPoint(end_ms, Series(5, "match", model), Sums(20 - ago // 2, 0, 0, 0)) for model in models]

    def health(self) -> Mapping[str, Health]:
        return {"producer": Health("producer", ok=True, state="running", rate=2.5, lag=1, at=NOW_MS / 1000 - 3)}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("headers", [{}, {"accept": "text/html"}, {"authorization": "Bearer nonsense"}])
def test_strangers_are_rejected_everywhere(stranger: Client, path: str, headers: dict[str, str]) -> None:
    answer = stranger.get(path, headers=headers)
    assert answer.status_code in ({302} if headers.get("accept") else {401, 403})
    if answer.status_code == 302:
        assert answer.headers["location"].endswith("/auth/login")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_there_are_no_documentation_routes(reader: Client, path: str) -> None:
    assert reader.get(path).status_code == 404


def test_every_route_of_every_registered_app_requires_a_user(plugin: ModuleType) -> None:
    from airflow.api_fastapi.core_api.security import get_user

    for registered in plugin.TopicsPage.fastapi_apps:
        routes = registered["app"].routes
        assert [route for route in routes if not isinstance(route, APIRoute)] == []  # mounts would need no user
        for route in routes:
            assert get_user in [dependency.call for dependency in route.dependant.dependencies], route.path


def test_one_entry_in_the_navigation(plugin: ModuleType) -> None:
    (view,) = plugin.TopicsPage.external_views
    assert (view["name"], view["destination"]) == ("Topics", "nav")
    assert view["href"] == plugin.TopicsPage.fastapi_apps[0]["url_prefix"].strip("/") + "/"


def test_the_page_and_its_files(reader: Client) -> None:
    page = reader.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for name in re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text):
        assert reader.get(f"/{name}").status_code == 200
    assert reader.get("/assets/page.js").headers["content-type"].startswith("text/javascript")
    for path in ("/assets/other", "/assets/..%2Ftopics_page.py", "/assets/index.html"):
        assert reader.get(path).status_code == 404


def test_the_static_files_keep_the_policy() -> None:
    """No external resources, no inline code or style, and text never becomes markup."""
    html, script, style = ((STATIC / name).read_text() for name in ("index.html", "page.js", "page.css"))
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script)
    namespace = "http://www.w3.org/2000/svg"
    assert not re.search(r"https?://|//cdn", (html + script + style).replace(namespace, ""))


def test_an_empty_box_says_when_its_store_is_away() -> None:
    """With "none yet" people would look for the fault in the wrong place."""
    script = (STATIC / "page.js").read_text()
    empty_boxes = re.findall(r'fill\("(\w+)", empty\((.*?)\)\);\n', script, flags=re.DOTALL)
    assert [box for box, _ in empty_boxes] == ["champion", "parts", "promotions", "topics"]
    assert [box for box, sentences in empty_boxes if "navailable" not in sentences.split("?")[0]] == []
    data = overview(
        FakeSources(champion=_unavailable, last_hour=_unavailable, health=_unavailable), now_ms=NOW_MS, min_documents=1
    )
    names = [one["name"].split()[0] for one in data["unavailable"]]
    assert set(re.findall(r'isUnavailable\(data, "(\w+)"\)', script)) == set(names)


def test_the_lag_of_every_producer_is_in_seconds() -> None:
    """With several sources their parts are producer-bluesky, producer-mastodon, …"""
    script = (STATIC / "page.js").read_text()
    assert re.search(r'part\.part\.startsWith\("producer"\) \? duration\(part\.lag\) : whole\(part\.lag\)', script)


def test_overview_of_a_healthy_system(reader: Client) -> None:
    data = reader.get("/api/overview").json()
    assert data["unavailable"] == []
    assert data["champion"]["version"] == "20270114T000000Z-gsdmm"
    assert data["champion"]["provisional"] is True
    assert [(row["topic_id"], row["tweets"], row["sentiment"]) for row in data["topics"]] == [
        (5, 40, 0.3),
        (3, 7, -0.4),
        (8, 0, None),
        (-1, 90, None),
    ]
    assert data["topics"][0]["label"] == "match, goal"  # the champion's label, not an older model's
    assert data["topics"][0]["history"] == [2 * (20 - ago // 2) for ago in range(23, -1, -1)]
    assert [one["version"] for one in data["promotions"]] == ["v7", "v6", "v5", "v4", "v3"]
    assert data["parts"][0] | {"age_seconds": 3.0, "part": "producer"} == data["parts"][0]


def names(*given: tuple[int, str, int | None]) -> TopicNames:
    return TopicNames({one[0]: Naming(*one, by="anna", at="2027-01-14T00:00:00+00:00", reason="") for one in given})


def test_topics_that_are_shown_together_are_one_row() -> None:
    """Tweets and hours are added; each scored tweet weighs the same in the mean."""
    named = names((5, "Cup final", None), (3, "", 5))
    data = overview(FakeSources(names=lambda: named), now_ms=NOW_MS, min_documents=2_000)
    row = data["topics"][0]
    assert [one["topic_id"] for one in data["topics"]] == [5, 8, -1]
    assert (row["name"], row["label"], row["top_words"]) == ("Cup final", "match, goal", ["match", "goal"])
    assert (row["tweets"], row["scored"]) == (40 + 7, 30 + 7)
    assert row["sentiment"] == round((30 * 0.3 + 7 * -0.4) / 37, 4) == 0.1676
    assert [(part["topic_id"], part["tweets"], part["sentiment"]) for part in row["parts"]] == [
        (5, 40, 0.3),
        (3, 7, -0.4),
    ]
    assert data["unavailable"] == []


def test_hours_of_topics_that_are_shown_together_are_added() -> None:
    def hours_ending(end_ms: int) -> Sequence[HourPoint]:
        ago = (NOW_MS - end_ms) // WINDOW_MS
        return [HourPoint(end_ms, Series(topic, "", "a"), Sums(ago * topic, 0, 0, 0)) for topic in (3, 5)]

    named = names((3, "", 5))
    data = overview(FakeSources(names=lambda: named, hours_ending=hours_ending), now_ms=NOW_MS, min_documents=2_000)
    assert data["topics"][0]["history"] == [ago * 8 for ago in range(23, -1, -1)]
    assert data["topics"][0]["name"] == ""


def test_a_part_outlives_the_topic_that_it_is_shown_with() -> None:
    """No model has topic 77 any more; its name stays, the words are those of the part."""
    named = names((77, "Storm Eunice", None), (8, "", 77), (3, "", 77))
    data = overview(FakeSources(names=lambda: named), now_ms=NOW_MS, min_documents=2_000)
    row = next(one for one in data["topics"] if one["topic_id"] == 77)
    assert (row["name"], row["label"], row["tweets"], row["sentiment"]) == ("Storm Eunice", "", 7, -0.4)
    assert (row["top_words"], [part["topic_id"] for part in row["parts"]]) == (["storm", SCRIPT], [3, 8, 77])
    assert sum(one["tweets"] for one in data["topics"]) == 40 + 7 + 90


def test_the_command_has_a_row_for_each_topic() -> None:
    now = topics_now(FakeSources(names=lambda: names((5, "Cup final", None), (3, SCRIPT, 5))))
    shown = [(row.topic_id, row.name, row.shown_with) for row in now.rows]
    assert shown == [(5, "Cup final", None), (3, SCRIPT, 5), (8, "", None), (-1, "", None)]
    assert now.names_fault == ""


def test_damaged_names_leave_the_labels() -> None:
    data = overview(FakeSources(names=_damaged), now_ms=NOW_MS, min_documents=2_000)
    fault = {"name": "Names of topics", "reason": "champion.json is not a JSON object"}
    assert data["unavailable"] == [fault]
    assert [one["label"] for one in data["topics"]] == ["match, goal", SCRIPT, "brunch", "no topic"]
    now = topics_now(FakeSources(names=_damaged))
    assert now.names_fault == fault["reason"]
    assert len(now.rows) == 4


def _unavailable(*_: Any) -> Any:
    raise RetryableError("no answer")


def _damaged(*_: Any) -> Any:
    raise IntegrityError("champion.json is not a JSON object")


def test_the_champion_shows_how_old_it_is_and_how_far_the_tweets_have_moved(reader: Client) -> None:
    champion = reader.get("/api/overview").json()["champion"]
    assert champion["trained_until"] == "2027-01-14T00:00:00+00:00"
    shown = {"day": "2027-01-14", "word_drift": 0.014, "limit": 0.013, "week_before": 0.007, "advised": True}
    assert champion["drift"] == shown


@pytest.mark.parametrize(
    ("drift", "shown"),
    [
        (lambda _version: None, None),
        (lambda _version: {"version": "v", "limit": 0.03, "days": []}, None),
        (_damaged, None),
        (
            lambda _version: {"limit": 0.03, "days": [{"day": "2027-01-14", "advised": False}]},
            {"day": "2027-01-14", "advised": False, "limit": 0.03, "week_before": None},
        ),
    ],
)
def test_a_champion_is_shown_whatever_was_measured(drift: Any, shown: dict[str, Any] | None) -> None:
    data = overview(FakeSources(drift=drift), now_ms=NOW_MS, min_documents=2_000)
    assert (data["unavailable"], data["champion"]["drift"]) == ([], shown)


def test_external_text_stays_data(reader: Client) -> None:
    answer = reader.get("/api/overview")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    row = next(row for row in answer.json()["topics"] if row["topic_id"] == 3)
    assert (row["label"], row["top_words"][1], row["language"]) == (SCRIPT, SCRIPT, "en")


@pytest.mark.parametrize(
    ("replaced", "names", "rows"),
    [
        ({"champion": _unavailable}, ["Models on S3"], 3),
        ({"champion": _damaged}, ["Models on S3"], 3),
        ({"last_hour": _unavailable}, ["Counts in InfluxDB"], 3),
        ({"health": _unavailable}, ["Health of the stream"], 4),
        ({"champion": _unavailable, "last_hour": _unavailable, "health": _unavailable}, None, 0),
    ],
)
def test_an_unavailable_store_is_named_and_the_rest_is_shown(
    replaced: dict[str, Any], names: list[str] | None, rows: int
) -> None:
    data = overview(FakeSources(**replaced), now_ms=NOW_MS, min_documents=2_000)
    expected = names or ["Models on S3", "Counts in InfluxDB", "Health of the stream"]
    assert [one["name"] for one in data["unavailable"]] == expected
    assert len(data["topics"]) == rows
    assert (data["champion"] is None) == ("champion" in replaced)


def test_a_store_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(overview_module, "ANSWER_SECONDS", 0.2)
    data = overview(FakeSources(last_hour=lambda: released.wait(30)), now_ms=NOW_MS, min_documents=2_000)
    released.set()
    assert [one["name"] for one in data["unavailable"]] == ["Counts in InfluxDB"]
    assert data["champion"] is not None


def test_silent_stores_hold_a_thread_each_however_often_people_look(monkeypatch: pytest.MonkeyPatch) -> None:
    from twitter_topics.page.app import StoreOverview

    released = threading.Event()
    asked: list[str] = []

    def silent(*_: Any) -> Any:
        asked.append("a store")
        released.wait(60)
        raise RetryableError("no answer")

    sources = FakeSources(champion=silent, names=silent, last_hour=silent, health=silent)
    monkeypatch.setattr(overview_module, "RealSources", lambda *_: sources)
    monkeypatch.setattr(overview_module, "ANSWER_SECONDS", 0.01)
    before, look = set(threading.enumerate()), StoreOverview()
    unavailable = [len(look()["unavailable"]) for _ in range(10)]
    reading = set(threading.enumerate()) - before
    released.set()
    for thread in reading:
        thread.join()
    assert unavailable == [4] * 10
    assert (len(reading), len(asked)) == (4, 4)
    assert all(thread.daemon for thread in reading), "the end of the process would wait for them"
    monkeypatch.setattr(overview_module, "ANSWER_SECONDS", 60)
    look()
    assert len(asked) == 8


def test_the_page_asks_no_store_for_much_longer_than_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    from twitter_topics.page.app import StoreOverview

    monkeypatch.setattr(overview_module, "overview", lambda *_, **__: {})
    look = StoreOverview()
    look()
    s3 = look._sources._models.objects._client.meta.config
    attempts = s3.retries["total_max_attempts"]
    assert attempts * (s3.connect_timeout + s3.read_timeout) < overview_module.ANSWER_SECONDS
    assert look._sources._counts._influx._client._timeout == SHORT_TIMEOUT_S


def test_nothing_yet() -> None:
    nothing = FakeSources(champion=lambda: None, promotions=list, last_hour=lambda: None, health=dict)
    data = overview(nothing, now_ms=NOW_MS, min_documents=2_000)
    assert (data["champion"], data["waiting"], data["end_ms"]) == (None, None, None)
    assert (data["topics"], data["parts"], data["unavailable"]) == ([], [], [])
    assert topics_now(nothing).rows == []


NEWEST = "20270114T000000Z-gsdmm"


@pytest.mark.parametrize(
    ("state", "promotion", "verdict", "reason"),
    [
        ("refuse", "automatic", "refused", "one"),
        ("promote", "automatic", "passes", "one"),
        ("promote", "approval", "waits for approval", f"run model_promotion with version {NEWEST} and a reason"),
        ("refuse", "approval", "refused", "one"),
        ("", "automatic", "not evaluated", "a person may promote it with force"),
    ],
)
def test_without_a_champion_the_page_says_what_became_of_the_newest_version(
    state: str, promotion: str, verdict: str, reason: str
) -> None:
    evaluation = {"verdict": {"state": state, "promote": state == "promote", "reasons": ["one", "two"]}}
    manifest = {"version": NEWEST} | ({"evaluation": evaluation} if state else {})
    sources = FakeSources(champion=lambda: None, newest=lambda: manifest)
    waiting = overview(sources, now_ms=NOW_MS, min_documents=2_000, promotion=promotion)["waiting"]
    assert waiting is not None
    assert (waiting["version"], waiting["verdict"]) == (NEWEST, verdict)
    assert waiting["reason"].endswith(reason)
    assert set(re.findall(r"waiting\.(\w+)", (STATIC / "page.js").read_text())) == set(waiting)


def test_the_stores_are_read_once_for_many_readers(app: FastAPI) -> None:
    from twitter_topics.page.app import _Cached

    asked: list[float] = []
    cached = _Cached(lambda: {"asked": len(asked), "at": asked.append(time.monotonic())})
    assert [cached.get() for _ in range(5)] == [{"asked": 0, "at": None}] * 5
    assert len(asked) == 1
