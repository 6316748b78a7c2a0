"""Batch compliance against a working server and a misbehaving one."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.fakes.http import Connection, HttpServer
from tests.fakes.x_api import TOKEN, FakeX
from tests.fakes.x_compliance import CREATED_MS
from twitter_topics.deletions.x_compliance import Job, XCompliance, read_result
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.notice import Notice
from twitter_topics.settings import Settings

NOW_MS = 1_793_500_000_000
NAME = "tweet_deletions tweets"
IDS = b"".join(b"%d\n" % number for number in range(1001, 1101))


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.ms = NOW_MS
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.ms += int(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(clock: Clock) -> Iterator[FakeX]:
    server = FakeX(now_ms=lambda: clock.ms)
    yield server
    server.close()


def client(url: str, clock: Clock, *, token: str = TOKEN, patience_seconds: float = 1200) -> XCompliance:
    settings = Settings({"X_API_URL": url, "X_BEARER_TOKEN": token})
    return XCompliance(settings.x, patience_seconds=patience_seconds, now_ms=lambda: clock.ms, wait=clock.wait)


def creations(fake: FakeX) -> int:
    return sum(request.method == "POST" for request in fake.asked("/2/compliance/jobs"))


def test_from_ids_to_notices(fake: FakeX, clock: Clock) -> None:
    reasons = ["deleted", "deactivated", "suspended", "protected", "bounced", "scrub_geo"]
    fake.jobs.redactions = {str(1001 + number): reason for number, reason in enumerate(reasons)} | {"9": "deleted"}
    x = client(fake.url, clock)

    job = x.submit(NAME, IDS)

    (held,) = fake.jobs.jobs.values()
    assert (held["name"], held["type"]) == (NAME, "tweets")
    assert held["ids"] == [str(number) for number in range(1001, 1101)]
    assert [x.job(job.job_id).status for _ in range(2)] == ["in_progress", "complete"]
    notices = list(x.results(x.job(job.job_id)))
    at_ms = CREATED_MS + 3_600_000
    assert notices == [
        *(Notice("delete", "twitter", tweet_id=str(number), at_ms=at_ms) for number in range(1001, 1006)),
        Notice("scrub_geo", "twitter", tweet_id="1006", at_ms=at_ms),
    ]
    assert [notice.payload["reason"] for notice in notices] == reasons
    assert x.unfinished(NAME) is None
    assert clock.waited == []


def test_an_unfinished_job_is_resumed(fake: FakeX, clock: Clock) -> None:
    x = client(fake.url, clock)
    fake.jobs.serve_file = None  # type: ignore[method-assign, assignment]  # the upload is interrupted
    with pytest.raises(RetryableError):
        client(fake.url, clock, patience_seconds=0).submit(NAME, IDS)
    del fake.jobs.serve_file
    assert [job["status"] for job in fake.jobs.jobs.values()] == ["created"]

    first = x.submit(NAME, IDS)
    assert [job["status"] for job in fake.jobs.jobs.values()] == ["in_progress"]
    second = x.submit(NAME, b"1\n")

    assert first.job_id == second.job_id
    assert creations(fake) == 1
    assert fake.jobs.jobs[first.job_id]["ids"] == IDS.decode().split(), "what X works on is not uploaded again"
    for _ in range(2):
        x.job(first.job_id)
    assert x.submit(NAME, b"1\n").job_id != first.job_id


def test_the_job_of_another_program_is_not_ours(fake: FakeX, clock: Clock) -> None:
    x = client(fake.url, clock)
    x.submit("another program's", b"1\n")
    assert x.unfinished(NAME) is None
    with pytest.raises(RetryableError, match="one job of a type at a time"):
        x.submit(NAME, IDS)


@pytest.mark.parametrize("theirs", ["another program's", NAME])
def test_another_job_is_running(fake: FakeX, clock: Clock, theirs: str) -> None:
    """Another program's job is in progress, or our upload expired and X has not noticed yet."""
    x = client(fake.url, clock)
    x._api("POST", "/2/compliance/jobs", body={"type": "tweets", "name": theirs})
    clock.ms += 16 * 60_000
    with pytest.raises(RetryableError, match="one job of a type at a time"):
        x.submit(NAME, IDS)
    assert [job["status"] for job in fake.jobs.jobs.values()] == ["created"]


Answer = Callable[[Connection], None]


def answers(*given: tuple[int, dict[str, str], bytes]) -> Iterator[HttpServer]:
    """A server that gives these answers, repeating the last one."""
    waiting = chain(given, repeat(given[-1]))

    def serve(connection: Connection) -> None:
        code, headers, body = next(waiting)
        connection.answer(code, body, headers)

    server = HttpServer(serve)
    yield server
    server.close()


JOB = {"id": "7", "status": "complete", "upload_url": "http://u/?sig=s1", "download_url": "http://d/?sig=s2"}
DONE: tuple[int, dict[str, str], bytes] = (200, {}, json.dumps({"data": JOB}).encode())


def test_limits_and_errors_are_retried(clock: Clock) -> None:
    reset = {"x-rate-limit-reset": str(NOW_MS // 1000 + 90)}
    busy = [
        (429, reset, b""),
        (503, {}, b""),
        (500, {}, b"<html>"),
        (429, {}, b""),
        (429, {"x-rate-limit-reset": "²"}, b""),
    ]
    for server in answers(*busy, DONE):
        assert client(server.url, clock).job("7").status == "complete"
        assert clock.waited == [91.0, 2.0, 4.0, 60.0, 60.0]
        assert len(server.requests) == 6


def test_retries_end_with_the_patience(clock: Clock) -> None:
    for server in answers((503, {}, b"")):
        with pytest.raises(RetryableError, match="X answered 503"):
            client(server.url, clock, patience_seconds=100).job("7")
        assert clock.waited == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
        clock.waited.clear()
        with pytest.raises(RetryableError):
            client(server.url, clock, patience_seconds=0).job("7")
        assert clock.waited == []
    with pytest.raises(RetryableError, match="ConnectionError"):
        client(server.url, clock, patience_seconds=0).job("7")


def test_the_token_is_named_and_never_shown(fake: FakeX, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError, match="X_BEARER_TOKEN is not set"):
        client(fake.url, clock, token="")
    with pytest.raises(ConfigurationError, match="X_BEARER_TOKEN: X answered 401") as rejected:
        client(fake.url, clock, token="canary-in-a-mine").job("7")
    fake.forbidden = True
    with pytest.raises(ConfigurationError, match="X_BEARER_TOKEN: X answered 403"):
        client(fake.url, clock).submit(NAME, IDS)
    assert "canary" not in str(rejected.value) + caplog.text
    assert "sig" not in repr(Job("7", "n", "created", JOB["upload_url"], 0, JOB["download_url"]))


def test_a_token_that_cannot_be_one_is_named_at_once(fake: FakeX, clock: Clock) -> None:
    with pytest.raises(ConfigurationError, match="X_BEARER_TOKEN contains spaces"):
        client(fake.url, clock, token="canary in a mine")


def test_netrc_does_not_replace_the_token(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for server in answers(DONE):
        client(server.url, clock).job("7")
        assert server.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"{}"),
        (302, b"{}"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"errors": [{"detail": "no such job"}]}'),
        (200, b'{"data": {"id": "7"}}'),
        (200, b'{"data": {"id": "x", "status": "complete"}}'),
        (200, b'{"data": []}'),
        (200, b"{}"),
    ],
)
def test_undocumented_responses(clock: Clock, answer: tuple[int, bytes]) -> None:
    for server in answers((answer[0], {"Location": "http://127.0.0.1:1/"}, answer[1])):
        with pytest.raises(IntegrityError):
            client(server.url, clock).job("7")


def line(number: int, **more: Any) -> bytes:
    return json.dumps({"id": str(number), "action": "delete", "reason": "deleted"} | more).encode() + b"\n"


def test_invalid_result_lines_do_not_stop_the_rest(clock: Clock) -> None:
    body = line(1) + b"\n{broken\n[]\n" + line(2, action="sing") + line(3, id="x") + line(4)
    for server in answers((200, {}, body)):
        job = Job("7", NAME, "complete", "", 0, server.url + "/?signature=canary")
        notices = client(server.url, clock).results(job)
        assert [next(notices).tweet_id, next(notices).tweet_id] == ["1", "4"]
        with pytest.raises(IntegrityError, match="4 lines in the results of compliance job 7"):
            next(notices)
        assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize("broken", ["reset", "short"])
def test_an_interrupted_download_is_not_complete(clock: Clock, broken: str) -> None:
    def serve(connection: Connection) -> None:
        if broken == "short":
            connection.answer(200, line(1), {"Content-Length": "100000"})
            return
        connection.open()
        connection.chunk(line(1) * 1000)
        connection.reset()

    server = HttpServer(serve)
    try:
        job = Job("7", NAME, "complete", "", 0, server.url + "/?signature=canary")
        with pytest.raises(RetryableError) as error:
            list(client(server.url, clock, patience_seconds=0).results(job))
        assert "canary" not in str(error.value)
    finally:
        server.close()


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_signed_url_that_is_rejected(clock: Clock, code: int) -> None:
    for server in answers((code, {}, b"<Error/>")):
        job = Job("7", NAME, "complete", "", 0, server.url + "/?signature=canary")
        with pytest.raises(RetryableError, match=f"127.0.0.1 returned HTTP {code} for GET") as error:
            list(client(server.url, clock).results(job))
        assert "canary" not in str(error.value)


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.sampled_from(["7", "delete"])
)
FIELDS = st.sampled_from(["id", "action", "reason", "redacted_at", "created_at"])


@hypothesis_settings(max_examples=300)
@given(st.binary(max_size=40) | st.dictionaries(FIELDS, VALUES).map(lambda fields: json.dumps(fields).encode()))
def test_any_line_is_a_notice_or_none(content: bytes) -> None:
    notice = read_result(content)
    if notice is not None:
        assert notice == Notice.from_value(notice.value())
        assert notice.event in ("delete", "scrub_geo")
        assert notice.tweet_id.isdigit()
