"""The producer's reports: file, point, Prometheus and terminal agree, and reporting never stops the producer."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client import generate_latest
from rich.console import Console

from producer.position import SourcePosition
from producer.reporting import progress as progress_module
from producer.reporting import words
from producer.reporting.background import Background
from producer.reporting.progress import PATIENCE_SECONDS, REPORT_SECONDS, Progress
from producer.reporting.words import Snapshot
from producer.status import Spend, Status
from twitter_topics.errors import RetryableError
from twitter_topics.health.report import Health, read_health
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings

T0 = 1_790_000_000.0
SPEND = Spend(
    posts_today=246,
    posts_this_month=12_300,
    daily_cap=500,
    monthly_cap=20_000,
    monthly_cap_dollars=80,
    dollars_per_post=0.005,
)


class Acknowledged(NamedTuple):
    kinds: dict[str, int]
    event_time_ms: int | None = None


class World:
    """A clock, a spool and a source's status."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.backlog = (0, 0)
        self.status = Status(connected=True)

    def now(self) -> float:
        return T0 + self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def at(self, seconds_ago: float) -> int:
        return round((self.now() - seconds_ago) * 1000)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def progress(tmp_path: Path, world: World) -> Iterator[Progress]:
    made = open_progress(tmp_path, world)
    yield made
    made.close()


def open_progress(folder: Path, world: World, **options: Any) -> Progress:
    return Progress(
        folder,
        options.pop("start", SourcePosition({})),
        source="x_v2",
        status=world.status,
        backlog=lambda: world.backlog,
        now=world.now,
        monotonic=world.monotonic,
        **options,
    )


def health(folder: Path) -> Health:
    return read_health(folder)["producer"]


# --- health


def test_a_report_shows_rate_and_total(tmp_path: Path, world: World, progress: Progress) -> None:
    progress.report("running")
    world.seconds = 10
    progress.add(Acknowledged({"post": 30, "notice": 5}, world.at(7)))
    progress.report_if_due()
    assert health(tmp_path) == Health("producer", ok=True, state="running", rate=3.5, lag=7, at=T0 + 10)


def test_reports_are_due_every_few_seconds(tmp_path: Path, world: World, progress: Progress) -> None:
    progress.report("running")
    world.seconds = REPORT_SECONDS - 0.1
    progress.report_if_due()
    assert health(tmp_path).at == T0
    world.seconds = REPORT_SECONDS
    progress.report_if_due()
    assert health(tmp_path).at == T0 + REPORT_SECONDS


def test_silence_is_not_lag_but_waiting_for_kafka_is(world: World, progress: Progress) -> None:
    progress.add(Acknowledged({"post": 1}, world.at(2)))
    world.seconds = 3600
    assert progress.snapshot().lag == 2
    world.backlog = (10, 4500)
    assert progress.snapshot().lag == 3602


def test_after_a_restart_the_lag_is_that_of_the_saved_position(tmp_path: Path, world: World) -> None:
    saved = SourcePosition({}, count=5, event_time_ms=world.at(900))
    assert open_progress(tmp_path, world, start=saved).snapshot() == Snapshot(
        "running", 5, lag=900, status=world.status
    )


def test_a_kafka_outage_is_ok_for_a_minute(tmp_path: Path, world: World, progress: Progress) -> None:
    progress.report("waiting", "no broker answers at 127.0.0.1:9092")
    assert (health(tmp_path).ok, health(tmp_path).state) == (True, "waiting")
    world.seconds = PATIENCE_SECONDS + 1
    progress.report_if_due()
    shown = health(tmp_path)
    assert (shown.ok, shown.state, shown.error) == (False, "waiting", "no broker answers at 127.0.0.1:9092")
    progress.report("running")
    assert (health(tmp_path).ok, health(tmp_path).state, health(tmp_path).error) == (True, "running", "")
    progress.report("waiting", "again")
    assert health(tmp_path).ok, "a new outage gets its own minute"


def test_a_source_that_is_rate_limited_waits(tmp_path: Path, world: World, progress: Progress) -> None:
    world.status.sentence = "rate limited (429) until 12:15"
    progress.report("running")
    world.seconds = PATIENCE_SECONDS + 1
    progress.report_if_due()
    shown = health(tmp_path)
    assert (shown.ok, shown.state, shown.error) == (False, "waiting", "rate limited (429) until 12:15")
    world.status.sentence = ""
    world.seconds += REPORT_SECONDS
    progress.report_if_due()
    assert health(tmp_path).ok


def test_a_pause_of_the_spend_guard_is_ok_but_a_kafka_outage_is_not(
    tmp_path: Path, world: World, progress: Progress
) -> None:
    world.status.spend = Spend(posts_today=500, daily_cap=500, paused=True)
    world.status.sentence = "paused until 00:00 UTC: 500 of 500 posts of today are read"
    for world.seconds in (0, 10 * PATIENCE_SECONDS):
        progress.report_if_due()
    shown = health(tmp_path)
    assert (shown.ok, shown.state, shown.error) == (True, "waiting", world.status.sentence)
    assert "(paused)" in shown.detail
    progress.report("waiting", "Kafka is down")
    world.seconds += PATIENCE_SECONDS + 1
    progress.report_if_due()
    assert not health(tmp_path).ok


def test_a_planned_wait_is_ok_however_long(tmp_path: Path, world: World, progress: Progress) -> None:
    world.status.sentence, world.status.planned = "the next tweet is due at 2026-11-01T00:00:00Z", True
    for world.seconds in (PATIENCE_SECONDS, 10 * PATIENCE_SECONDS):
        progress.report_if_due()
    shown = health(tmp_path)
    assert (shown.ok, shown.state, shown.error) == (True, "waiting", world.status.sentence)


@pytest.mark.parametrize(
    ("state", "error", "ok"), [("finished", "", True), ("stopped", "", True), ("failed", "x", False)]
)
def test_the_final_state_stays_even_if_the_source_is_waiting(
    tmp_path: Path, world: World, progress: Progress, state: str, error: str, ok: bool
) -> None:
    world.status.sentence = "connecting"
    progress.report(state, error)
    assert (health(tmp_path).state, health(tmp_path).ok, health(tmp_path).error) == (state, ok, error)


@pytest.mark.parametrize(("last", "restarts"), [("running", 1), ("waiting", 1), ("failed", 1), ("stopped", 0)])
def test_starts_after_a_crash_are_counted(tmp_path: Path, world: World, last: str, restarts: int) -> None:
    open_progress(tmp_path, world).report(last)
    again = open_progress(tmp_path, world)
    again.report("running")
    assert health(tmp_path).restarts == restarts


@pytest.mark.parametrize("part", ["producer", "archiver"])
def test_a_report_that_a_power_cut_left_empty_does_not_keep_it_from_starting(
    tmp_path: Path, world: World, part: str
) -> None:
    (tmp_path / f"{part}.json").write_text("")
    started: list[Progress] = []
    with suppress(ValueError):
        started.append(open_progress(tmp_path, world))
    assert started
    started[0].report("running")
    assert (health(tmp_path).state, health(tmp_path).restarts) == ("running", 0)


def test_a_full_disk_does_not_stop_it(tmp_path: Path, world: World, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    open_progress(tmp_path / "file" / "health", world).report("running")
    assert "could not write health" in caplog.text


# --- points


def test_the_point_has_the_fields_of_the_contract(tmp_path: Path, world: World) -> None:
    points: list[tuple[str, dict[str, Any]]] = []
    progress = open_progress(tmp_path, world, write_point=lambda part, **fields: points.append((part, fields)))
    progress.report("running")
    progress.close()
    fields = {"ok": True, "state": "running", "rate": 0.0, "lag": 0, "restarts": 0, "error": "", "at": T0}
    assert points == [("producer", fields)]


def test_an_influxdb_that_hangs_blocks_nothing(tmp_path: Path, world: World) -> None:
    asked, released = threading.Event(), threading.Event()
    states: list[str] = []

    def write(_part: str, **fields: Any) -> None:
        asked.set()
        released.wait(30)
        states.append(fields["state"])

    progress = open_progress(tmp_path, world, write_point=write)
    progress.report("running")
    assert asked.wait(30)
    for _ in range(50):
        progress.report("running")
    progress.report("stopped")
    assert health(tmp_path).state == "stopped"
    released.set()
    progress.close()
    assert states == ["running", "stopped"], "only the newest in between is written"


def test_an_influxdb_outage_is_logged_once_and_the_newest_point_is_written_after_it(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[str] = []
    back = threading.Event()

    def write(_part: str, **fields: Any) -> None:
        tries.append(fields["state"])
        if len(tries) <= 4:
            raise RetryableError("down")
        back.set()

    monkeypatch.setattr(progress_module, "Background", partial(Background, pause=lambda _ended, _seconds: False))
    progress = open_progress(tmp_path, world, write_point=write)
    progress.report("running")
    assert back.wait(30)
    progress.close()
    assert tries == ["running"] * 5
    assert [text for text in caplog.messages if "down" in text] == [
        "health in InfluxDB: down; retrying, the producer keeps running"
    ]


def background(work: Callable[[], None], pauses: list[float], last: int) -> Background:
    """Return work whose pauses are only recorded; from the `last` one on they last until the end."""

    def pause(ended: threading.Event, seconds: float) -> bool:
        pauses.append(seconds)
        return ended.wait(30) if len(pauses) >= last else False

    return Background("points", work, pause)


def test_failing_work_is_retried_with_growing_pauses_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pauses: list[float] = []
    tried = threading.Event()

    def work() -> None:
        if len(pauses) == 6:
            tried.set()
            return
        raise RetryableError("down")

    worker = background(work, pauses, last=99)
    worker.wake()
    assert tried.wait(30)
    worker.close(30)
    assert pauses == [5, 10, 20, 40, 60, 60]
    assert [record.getMessage() for record in caplog.records] == [
        "points: down; retrying, the producer keeps running",
        "points: works again",
    ]


def test_a_programming_error_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    answers = iter([KeyError("x"), None])

    def work() -> None:
        if error := next(answers):
            raise error
        done.set()

    worker = background(work, [], last=99)
    worker.wake()
    assert done.wait(30)
    worker.close(30)
    assert "points: 'x'" in caplog.text


def test_closing_does_not_wait_for_failing_work() -> None:
    pauses: list[float] = []
    calls: list[int] = []
    failed = threading.Event()

    def work() -> None:
        calls.append(1)
        failed.set()
        raise RetryableError("down")

    worker = background(work, pauses, last=1)
    worker.wake()
    assert failed.wait(30)
    worker.close(30)
    assert not worker._thread.is_alive()
    assert calls == [1]
    worker.close(0)


# --- Prometheus


def samples(progress: Progress) -> dict[str, float]:
    lines = generate_latest(progress.metrics.registry).decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_every_metric_is_served_with_its_source(world: World, progress: Progress) -> None:
    world.seconds = 10
    progress.add(Acknowledged({"post": 30, "gap": 1}, world.at(4)))
    progress.report_if_due()
    world.backlog = (3, 1400)
    world.status.reconnects.update({"network": 2, "stall": 1})
    world.status.gap_seconds, world.status.received_bytes, world.status.spend = 12.5, 9000, SPEND
    label = '{source="x_v2"}'
    found = samples(progress)
    prefix = "twitter_topics_producer_"
    assert {name.removeprefix(prefix): value for name, value in found.items()} == {
        'records_total{kind="post",source="x_v2"}': 30,
        'records_total{kind="gap",source="x_v2"}': 1,
        f"rate{label}": 3.1,
        f"lag_seconds{label}": 4,
        f"waiting{label}": 0,
        f"connected{label}": 1,
        'reconnects_total{cause="network",source="x_v2"}': 2,
        'reconnects_total{cause="stall",source="x_v2"}': 1,
        f"gap_seconds_total{label}": 12.5,
        f"received_bytes_total{label}": 9000,
        f"not_delivered_total{label}": 0,
        f"spool_records{label}": 3,
        f"spool_bytes{label}": 1400,
        f"spend_posts_today{label}": 246,
        f"spend_posts_month{label}": 12_300,
        f"spend_dollars_month{label}": 61.5,
        f"spend_daily_cap_posts{label}": 500,
        f"spend_monthly_cap_posts{label}": 20_000,
        f"spend_monthly_cap_dollars{label}": 80,
        f"spend_paused{label}": 0,
    }
    assert all(name.startswith(prefix) for name in found)


def test_several_sources_have_their_own_names_and_ports() -> None:
    one = Settings({"PRODUCER_SOURCE": "bluesky", "PRODUCER_METRICS_PORT": "9400"}).producer
    assert (one.parts, one.metrics_port_of("bluesky")) == (("producer",), 9400)
    two = Settings({"PRODUCER_SOURCE": "bluesky,mastodon", "PRODUCER_METRICS_PORT": "9400"}).producer
    assert two.parts == ("producer-bluesky", "producer-mastodon")
    assert [two.metrics_port_of(name) for name in two.sources] == [9400, 9401]
    assert Settings({"PRODUCER_SOURCE": "bluesky,mastodon"}).producer.metrics_port_of("mastodon") == 0


# --- words


def test_the_log_line_shows_what_matters() -> None:
    assert words.log_line(Snapshot("running", 1_234_567, 56.78, 3)) == (
        "running: 1,234,567 records, 56.8/s, newest tweet 3 s old"
    )
    status = Status(gap_seconds=125.0, not_delivered=7, spend=SPEND)
    status.reconnects.update({"network": 1})
    now = Snapshot("waiting", 5, 0, 3700, "Kafka is down", (30_112, 13_000_000), status)
    assert words.log_line(now) == (
        "waiting: 5 records, 0.0/s, newest tweet 1 h 1 min old, 30,112 in flight (12.4 MiB), "
        "1 reconnect, gaps of 2 min 5 s, 7 posts not delivered by the source, "
        "$61.50 of $80.00 this month, 12,300 of 20,000 posts, 246 of 500 today; Kafka is down"
    )
    assert words.terminal_line(now).startswith(
        "waiting: 5 · 0.0/s · 1 h 1 min old · Kafka is down · 30,112 in flight (12.4 MiB)"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (86_399, "23 h 59 min"), (90_000, "1 d 1 h")],
)
def test_durations_as_text(seconds: int, shown: str) -> None:
    assert words.duration_text(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (5 * 2**30, "5.0 GiB"), (2**45, "32,768.0 GiB")],
)
def test_sizes_as_text(count: int, shown: str) -> None:
    assert words.size_text(count) == shown


# --- the line in a terminal


def test_a_terminal_shows_one_line_below_the_log(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr("sys.stderr", screen)
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.handlers.clear()
    try:
        configure_logging()
        console = Console(file=screen, force_terminal=True, width=100, _environ={})
        progress = open_progress(tmp_path, world, terminal=console)
        progress.add(Acknowledged({"post": 4321}, world.at(4)))
        progress.report("running")
        assert progress._live is not None
        progress._live.refresh()
        logging.getLogger("producer").warning("the connection broke")
        progress.close()
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    shown = screen.getvalue()
    assert "running: 4,321 · 0.0/s · 4 s old" in shown
    assert "INFO producer.reporting.progress" not in shown, "the line's content is not logged as well"
    lines = [line for line in shown.splitlines() if "the connection broke" in line]
    assert len(lines) == 1
    assert "4,321" not in lines[0], "the log has separate lines"
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is back"


def test_without_a_terminal_the_line_is_logged(progress: Progress, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    progress.report("running")
    assert "running: 0 records" in caplog.text


# --- sources with an end


def test_the_time_left_follows_the_pace(tmp_path: Path, world: World) -> None:
    progress = open_progress(tmp_path, world)
    assert progress.snapshot().done is None
    world.status.total_bytes = 1_000
    assert (progress.snapshot().done, progress.snapshot().remaining_s) == (0, None)
    world.seconds, world.status.read_bytes = 30, 250
    now = progress.snapshot()
    assert (now.done, now.remaining_s) == (0.25, 90)
    assert words.terminal_line(now) == "running: 0 · 0.0/s · 25 %, about 1 min 30 s left"
    assert ", 25 %, about 1 min 30 s left" in words.log_line(now)
    world.seconds, world.status.read_bytes = 60, 2_000
    progress.report("finished")
    assert progress.snapshot().done == 1
    assert "%" not in words.log_line(progress.snapshot())
    progress.close()


def test_a_limit_that_is_reached_first_is_the_end(tmp_path: Path, world: World) -> None:
    progress = open_progress(tmp_path, world, limit=100)
    assert progress.snapshot().done == 0
    world.status.total_bytes, world.status.read_bytes, world.seconds = 1_000, 10, 10
    progress.add(Acknowledged({"post": 50}))
    assert (progress.snapshot().done, progress.snapshot().remaining_s) == (0.5, 10)
    progress.close()
