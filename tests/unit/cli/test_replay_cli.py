"""`twitter-topics replay`: everything is looked at first, each file has its position, and what was sent is shown."""

from __future__ import annotations

import logging
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import producer.__main__ as program
from producer.position import PositionFile
from producer.service import ProducerService
from producer.sources.replay import ReplaySource
from producer.testing import tweet_lines, write_lines
from twitter_topics.cli.main import app
from twitter_topics.errors import EXIT_CONFIGURATION
from twitter_topics.settings import Settings


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOCAL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PRODUCER_STATE_DIR", str(tmp_path / "producer"))
    monkeypatch.setattr("twitter_topics.logs.configure_logging", lambda: None)
    monkeypatch.setattr(program, "collect_seldom", lambda: None)
    monkeypatch.setattr(logging.getLogger("kafka"), "level", logging.WARNING)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of what would have gone to Kafka; positions are saved as by a producer."""
    keys: list[str] = []

    def run(settings: Settings, name: str, context: Any, part: str = "") -> Counter[str]:
        assert (name, part) == ("replay", "replay")
        positions = PositionFile(settings.producer.state_dir, name)
        source = ReplaySource.open(settings, positions.load(), context)
        kinds: Counter[str] = Counter()
        position = source.start
        for event in filter(None, source.events()):
            keys.append(event.key.decode())
            kinds[event.kind] += 1
            position = position.advanced(1, event.cursor, None)
        positions.save(position)
        return kinds

    monkeypatch.setattr(program, "run", run)
    return keys


def run_replay(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)], env={"COLUMNS": "200"})


def test_files_are_sent_one_after_the_other_and_once(sent: list[str], tmp_path: Path) -> None:
    one = write_lines(tmp_path / "one.jsonl", tweet_lines([1_000, 2_000]))
    two = write_lines(tmp_path / "two.jsonl", tweet_lines([3_000], first_id=3))
    shown = run_replay("two.jsonl", one)
    assert shown.exit_code == 0, shown.output
    assert "two.jsonl: 1 post\n" in shown.output
    assert sent == ["3", "1", "2"]
    write_lines(two, tweet_lines([3_000, 4_000], first_id=3))
    shown = run_replay(two, one)
    assert f"{one}: nothing new" in shown.output
    assert sent == ["3", "1", "2", "4"]
    assert run_replay("--again", one).exit_code == 0
    assert sent[4:] == ["1", "2"]


def test_nothing_is_sent_when_one_of_the_files_is_rejected(sent: list[str], tmp_path: Path) -> None:
    one = write_lines(tmp_path / "one.jsonl", tweet_lines([1_000]))
    shown = run_replay(one, write_lines(tmp_path / "ids.txt", ["1990000000000000000"]))
    assert shown.exit_code == EXIT_CONFIGURATION
    assert "ids.txt is not a file of tweets but a list of tweet ids" in shown.output
    assert not sent
    assert run_replay(one, tmp_path / "nowhere").exit_code == EXIT_CONFIGURATION
    assert not sent


@pytest.mark.parametrize("option", ["--speed", "--times"])
def test_a_wrong_option_is_named_itself_not_a_setting(sent: list[str], tmp_path: Path, option: str) -> None:
    shown = run_replay(write_lines(tmp_path / "one.jsonl", tweet_lines([1_000])), option, "fast")
    assert shown.exit_code == 2
    assert f"Invalid value for '{option}': " in shown.output
    assert "PRODUCER_REPLAY" not in shown.output
    assert not sent


def test_archive_is_refused_where_it_is_also_a_folder(sent: list[str], tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    write_lines(tmp_path / "archive" / "one.jsonl", tweet_lines([1_000]))
    shown = run_replay("archive")
    assert shown.exit_code == EXIT_CONFIGURATION
    assert "write ./archive for it" in shown.output
    assert not sent
    assert run_replay("./archive").exit_code == 0
    assert sent == ["1"]


def test_the_options_are_those_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Settings] = []
    monkeypatch.setattr(program, "run", lambda settings, *_, **__: given.append(settings) or Counter())
    file = write_lines(tmp_path / "one.jsonl", tweet_lines([1_000]))
    assert run_replay(file, "--speed", "60", "--times", "shift", "--limit", "7", "--strict").exit_code == 0
    chosen = given[0].producer
    assert (chosen.replay_file, chosen.replay_speed, chosen.replay_times) == (str(file), "60", "shift")
    assert (chosen.limit, chosen.replay_strict, chosen.sources) == (7, True, ("replay",))
    assert chosen.state_dir.parent == tmp_path / "producer" / "replays"
    assert given[0].speed.health_dir.is_relative_to(chosen.state_dir)


def test_a_stop_ends_it_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs: list[str] = []

    def stopped(settings: Settings, _: str, context: Any, part: str = "") -> Counter[str]:
        runs.append(settings.producer.replay_file)
        signal.raise_signal(signal.SIGINT)
        assert context.stop.is_set()
        return Counter(post=1)

    monkeypatch.setattr(program, "run", stopped)
    files = [write_lines(tmp_path / f"{name}.jsonl", tweet_lines([1_000])) for name in ("one", "two")]
    shown = run_replay(*files)
    assert shown.exit_code == 1
    assert "stopped; the same command continues" in shown.output
    assert runs == [str(files[0])]


def test_the_real_producer_returns_what_it_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(service: ProducerService) -> str:
        service._progress.add(_Confirmed())  # type: ignore[arg-type]
        return "finished"

    monkeypatch.setattr(ProducerService, "run", run)
    file = write_lines(tmp_path / "one.jsonl", tweet_lines([1_000]))
    shown = run_replay(file)
    assert shown.exit_code == 0, shown.output
    assert f"{file}: 2 notice, 3 post" in shown.output


class _Confirmed:
    event_time_ms = None

    def __init__(self) -> None:
        self.kinds = Counter(post=3, notice=2)
