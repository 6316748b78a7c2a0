"""The configuration of supervisord, and one real supervisord with small services."""

from __future__ import annotations

import configparser
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from twitter_topics.errors import RetryableError
from twitter_topics.local import processes, supervision
from twitter_topics.local.environment import marker
from twitter_topics.local.layout import Layout, write_private
from twitter_topics.local.readiness import read_report
from twitter_topics.local.services import Service
from twitter_topics.local.supervision import Supervisor, configuration
from twitter_topics.settings import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def service(name: str, *command: str, **options: object) -> Service:
    return Service(name, "services", command or ("sleep", "600"), lambda _since: True, **options)  # type: ignore[arg-type]


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    parser.read_string(text)
    return parser


def test_every_service_is_a_program_that_up_starts(layout: Layout) -> None:
    many = [service("one"), service("two", grace_seconds=60, finishes=True)]
    conf = parsed(configuration(layout, many, ""))
    assert conf["group:services"]["programs"] == "one,two"
    assert "group:speed" not in conf
    two = conf["program:two"]
    assert two["autostart"] == "false"
    assert two["stopasgroup"] == "false"
    assert int(two["stopwaitsecs"]) > 60
    assert "--finishes -- sleep 600" in two["command"]


def test_a_percent_sign_is_not_supervisords_own(layout: Layout) -> None:
    conf = parsed(configuration(layout, [service("one", "echo", "100%")], ""))
    assert conf["program:one"]["command"].endswith("echo 100%%")


def test_a_long_path_gets_a_short_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = Layout(tmp_path / ("d" * 120))
    assert deep.socket().parent == tmp_path
    assert deep.socket() != Layout(tmp_path / ("e" * 120)).socket()


def test_root_finds_the_socket_of_a_users_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    deep = Layout(tmp_path / ("d" * 120))
    deep.make()
    its = deep.socket()
    user = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: user + 1)
    assert deep.socket() == its
    assert [folder.name for folder in tmp_path.glob("twitter-topics-*")] == [f"twitter-topics-{user}"]


@pytest.fixture
def supervisor(layout: Layout) -> Iterator[Supervisor]:
    made = Supervisor(layout)
    yield made
    processes.terminate(made.leftovers, grace_seconds=2)


def launch(supervisor: Supervisor, layout: Layout, services: list[Service]) -> None:
    name, _, value = marker(layout).partition("=")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), name: value}
    for each in services:
        write_private(layout.service_environment(each.name), "{}")
    supervisor.launch(configuration(layout, services, ""), environment)
    for each in services:
        supervisor.start(each)


def service_pid(layout: Layout, name: str) -> int:
    return int(read_report(layout.service_state(name)).get("pid", 0))


def test_the_next_runner_ends_the_processes_of_a_killed_one(supervisor: Supervisor, layout: Layout) -> None:
    # the service's own child ignores the runner's death: only the next runner can find it
    child = layout.state / "child"
    script = (
        f"import subprocess, time; c = subprocess.Popen(['sleep', '600'], start_new_session=True); "
        f"open({str(child)!r}, 'w').write(str(c.pid)); time.sleep(600)"
    )
    launch(supervisor, layout, [service("one", sys.executable, "-S", "-c", script)])
    until(lambda: child.exists() and child.read_text())
    orphan, runner = int(child.read_text()), supervisor.states()["one"]["pid"]
    os.kill(runner, signal.SIGKILL)
    until(lambda: processes.look_up(orphan) is None)
    until(lambda: supervisor.states()["one"]["pid"] not in (0, runner))


def test_a_supervisor_that_does_not_start_in_time_leaves_nothing(
    supervisor: Supervisor, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_START_SECONDS", -1)
    with pytest.raises(RetryableError, match=r"supervisord did not start, see .*supervisord\.out"):
        launch(supervisor, layout, [])
    assert supervisor.leftovers() == set()


def test_nothing_is_left_after_a_stop(supervisor: Supervisor, layout: Layout) -> None:
    launch(supervisor, layout, [service("one"), service("two")])
    until(lambda: service_pid(layout, "one") and service_pid(layout, "two"))
    assert len(supervisor.leftovers()) == 5  # supervisord, two runners, two services
    supervisor.stop(["one", "two"])
    supervisor.shut_down()
    assert not supervisor.is_alive()
    assert supervisor.leftovers() == set()


def test_one_service_is_stopped_and_starts_again(supervisor: Supervisor, layout: Layout) -> None:
    both = [service("one"), service("two")]
    launch(supervisor, layout, both)
    until(lambda: service_pid(layout, "one") and service_pid(layout, "two"))
    stopped, other = service_pid(layout, "one"), service_pid(layout, "two")
    supervisor.stop(["one"])
    assert processes.look_up(stopped) is None
    supervisor.start(both[0])
    until(lambda: service_pid(layout, "one") not in (0, stopped))
    assert service_pid(layout, "two") == other
    assert processes.look_up(other) is not None


def test_all_of_it_is_found_when_supervisord_and_its_runners_are_killed(supervisor: Supervisor, layout: Layout) -> None:
    # this one does not end with its runner, and has lost the mark in its environment (the file above is empty)
    stubborn = (sys.executable, "-S", "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)")
    launch(supervisor, layout, [service("one", *stubborn)])
    until(lambda: service_pid(layout, "one"))
    pid = service_pid(layout, "one")
    until(lambda: "signal" in " ".join(processes.command_line(pid)))
    everything = supervisor.leftovers()
    assert pid in everything
    processes.send(everything - {pid}, signal.SIGKILL)
    until(lambda: supervisor.leftovers() <= {pid})
    assert processes.terminate(supervisor.leftovers, grace_seconds=0.2) <= 1
    assert processes.look_up(pid) is None
