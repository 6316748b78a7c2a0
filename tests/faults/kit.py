"""Runs the cases one after another on one stack, and judges each by what the stores hold afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from textwrap import shorten
from typing import TYPE_CHECKING

import pytest

from tests.faults.points import POINTS, Point, Way
from tests.faults.proxy import Do, Network, Proxy
from tests.faults.stack import APPS, BrokenStack
from tests.faults.tweets import Numbers, Sender, Stores
from tests.waiting import until
from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.audit.run import audit
from twitter_topics.audit.stores import RealStores
from twitter_topics.backends.kafka_offsets import end_offsets
from twitter_topics.failpoints import Action
from twitter_topics.settings import PROJECT

if TYPE_CHECKING:
    from tests.faults.outages import Outage

BURST = 400
"""Tweets of a case without load."""
_REACHED_SECONDS = 300
_PATIENCE_SECONDS = 600
"""Until all stores agree: a query that hangs is found after up to 120 s, and sometimes only its process's end helps."""
_OLD_SECONDS = 2 * 3600
_JOB_SECONDS = 180
_REPORT_SECONDS = 120
_HUNG_JOB_SECONDS = 5


class Twins(StrEnum):
    """How an app comes to have two drivers."""

    STARTED = "a second one is started"
    SUSPENDED = "the first one is suspended (SIGSTOP), replaced, and continued"


@dataclass(frozen=True)
class Row:
    """The result of a case. `seconds`: from the failure, or for an outage from its end, until all stores agree."""

    fault: str
    way: str
    stopped: str
    seconds: float
    result: str
    ok: bool


def ways_of(point: Point) -> list[Way]:
    """Return the ways in which a program can fail at a point."""
    worker = [Way.KILL_WORKER] if point.in_worker else []
    return [Way.KILL, *worker, Way.RAISE, Way.HANG, *([Way.REPLY_LOST] if point.has_reply else [])]


def point_cases() -> list[tuple[Point, Way]]:
    """Return every point with every way, in an order that spreads the restarts of each app: each has a back-off."""
    cases = [(point, way) for point in POINTS for way in ways_of(point)]
    groups = [[one for one in cases if one[0].program == name] for name in sorted({p.program for p in POINTS})]
    places = [((at + 0.5) / len(group), one) for group in groups for at, one in enumerate(group)]
    return [one for _, one in sorted(places, key=lambda place: place[0])]


class Kit:
    """The cases' stack, its tweets, and its books."""

    def __init__(self, stack: BrokenStack, say: Callable[[str], None]) -> None:
        self.stack, self._say = stack, say
        self.sender, self.stores = Sender(stack.settings), Stores(stack.settings)

    def close(self) -> None:
        self.sender.close()

    def warm_up(self) -> None:
        """Send the first tweets, and wait until they are everywhere."""
        self.sender.send(BURST)
        self._wait_until_all_agree(_PATIENCE_SECONDS)
        assert not (problems := self._problems([], self.stores.read())), problems

    # -- cases -------------------------------------------------------------------------------------------------------

    def point(self, point: Point, way: Way) -> Row:
        """Make a program fail at a point."""
        acts = {"promotion": self._break_promotion, "compaction": self._break_compaction}
        act = acts.get(point.program, self._break_app)
        return self._case(point.name, way, lambda: act(point, way))

    def outage(self, outage: Outage, seconds: float, per_second: int) -> Row:
        """Make a store fail for a while, under load."""
        return self._case(
            outage.name, f"{0 if outage.once else seconds:.0f} s", lambda: self._endure(outage, seconds, per_second)
        )

    def _case(self, fault: str, way: str, act: Callable[[], tuple[str, float]]) -> Row:
        before, first = self.stores.due(self.sender), len(self.sender.ids)
        result = ""
        began = time.monotonic()
        try:
            stopped, seconds = act()
            held = self.stores.read()
            problems = self._problems(self.sender.ids[first:], held)
            result = _shown(self.stores.due(self.sender).minus(before), held.minus(before))
        except (pytest.fail.Exception, Exception) as error:  # the other cases still run
            if "from pytest-timeout" in str(error):  # the whole test's time is over
                raise
            stopped, seconds = "", time.monotonic() - began
            problems = [f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"]
            problems += self._mend()
        result = "; ".join(filter(None, [result, *problems]))
        row = Row(fault, way, stopped, round(seconds, 1), result, not problems)
        state = "ok" if row.ok else "BROKEN"
        self._say(f"{datetime.now(UTC):%H:%M:%S} {state}: {fault}, {way}: {stopped}; {seconds:.0f} s; {result}")
        return row

    def _mend(self) -> list[str]:
        """Heal everything and start the apps again, so that the other cases begin with a working stack."""
        for proxy in (self.stack.s3, self.stack.elasticsearch, self.stack.influxdb, self.stack.kafka):
            proxy.network = Network.FINE
        for point in POINTS:
            self.stack.release(point.name)
        for app in sorted(set(APPS.values())):
            self.stack.restart(app)
        try:
            self._wait_until_all_agree(_PATIENCE_SECONDS)
        except pytest.fail.Exception as error:
            raise RuntimeError(f"the stores do not agree even after a restart: {error}") from None
        left = self._problems([], self.stores.read())
        if left:
            raise RuntimeError(f"the stores do not agree even after a restart: {left}")
        return ["only a restart by hand helped"]

    # -- an app ------------------------------------------------------------------------------------------------------

    def _break_app(self, point: Point, way: Way) -> tuple[str, float]:
        watch = Watch(self.stack)
        with ExitStack() as cleanup, watch:
            cleanup.callback(self.stack.release, point.name)
            if way is Way.REPLY_LOST and point.name == "classifier.half-kafka":
                self._lose_kafkas_replies()
            else:
                wait = self._prepare(point, way, cleanup)
                if point.name.startswith("loader."):
                    self.stack.register_model(promote=True)
                with self.stack.suspended(point.program) if point.length else nullcontext():  # all in one batch
                    self.sender.send(BURST, length=point.length)
                wait()
            at = time.monotonic()
            self.sender.send(BURST)  # they too have to arrive, while what hangs still hangs
            runs = lambda: all(self.stack.pid(app) for app in APPS.values())  # noqa: E731
            until(runs, _PATIENCE_SECONDS, "the apps run again", pause=0.1)
            self._wait_until_all_agree(_PATIENCE_SECONDS)
            seconds = time.monotonic() - at
            return watch.stopped(), seconds

    def _prepare(self, point: Point, way: Way, cleanup: ExitStack) -> Callable[[], None]:
        """Arm a point; return what waits until the program has failed there."""
        request = point.lost if way is Way.REPLY_LOST and point.lost else point.request
        if request is None:
            self.stack.arm(point.name, _action(point, way))

            def wait() -> None:
                until(lambda: self.stack.reached(point.name), _REACHED_SECONDS, f"{point.name} is reached", pause=0.05)
                if way is Way.KILL and point.in_worker:
                    self.stack.kill(point.program)

            return wait
        proxy: Proxy = getattr(self.stack, request.proxy)
        do = {Way.RAISE: Do.ANSWER, Way.REPLY_LOST: Do.LOSE_REPLY}.get(way, Do.HOLD)
        rule = cleanup.enter_context(proxy.rule(request.pattern, do, status=400, after=request.after))

        def wait_for_request() -> None:
            until(rule.reached.is_set, _REACHED_SECONDS, f"{request.pattern} is requested", pause=0.05)
            if way is Way.KILL:
                self.stack.kill(point.program)
                rule.drop()

        return wait_for_request

    def _lose_kafkas_replies(self) -> None:
        kafka = self.stack.settings.kafka
        self.stack.arm("classifier.bulk-done", Action.HANG)
        self.sender.send(BURST)
        reached = lambda: self.stack.reached("classifier.bulk-done")  # noqa: E731
        until(reached, _REACHED_SECONDS, "a bulk request is done", pause=0.05)
        time.sleep(2)  # the other tasks finish
        before = sum(end_offsets(kafka, kafka.processed_topic).values())
        self.stack.kafka.network = Network.MUTE
        self.stack.release("classifier.bulk-done")
        written = lambda: sum(end_offsets(kafka, kafka.processed_topic).values()) > before  # noqa: E731
        until(written, 60, "Kafka has the rows", pause=0.2)
        self.stack.kafka.network = Network.FINE

    # -- jobs --------------------------------------------------------------------------------------------------------

    def _break_promotion(self, point: Point, way: Way) -> tuple[str, float]:
        version = self.stack.register_model()
        found = self._break_job(point, way, ("-m", "tests.faults.promote", version))
        champion = self.stack.models.champion()
        assert champion is not None
        assert champion.version == version, f"the champion is {champion.version}"
        assert [one.version for one in self.stack.models.history()].count(version) == 1
        first = len(self.sender.ids)
        self.sender.send(BURST)
        self._wait_until_all_agree(_PATIENCE_SECONDS)
        assert self.stores.versions(self.sender.ids[first:]) == {version}
        return found

    def _break_compaction(self, point: Point, way: Way) -> tuple[str, float]:
        for _ in range(2):  # each makes files of its own
            self.sender.send(BURST // 4, age_seconds=_OLD_SECONDS)
            self._wait_until_all_agree(_PATIENCE_SECONDS)
        closed = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        job = str(PROJECT / "spark_apps" / "batch" / "maintain_archive.py")
        snapshot = ArchiveStore(self.stack.settings).current_snapshot_id()
        planned = {"snapshot": snapshot, "closed-before": closed.isoformat()}
        options = planned | {"min-files": 2, "expire-hours": 24, "orphan-hours": 24}
        return self._break_job(point, way, (job, *(f"--{name}={value}" for name, value in options.items())))

    def _break_job(self, point: Point, way: Way, command: tuple[str, ...]) -> tuple[str, float]:
        """Run a job that fails at a point, then again until it succeeds, as Airflow does."""
        with ExitStack() as cleanup:
            cleanup.callback(self.stack.release, point.name)
            request = point.lost if way is Way.REPLY_LOST and point.lost else point.request
            if request is None:
                self.stack.arm(point.name, _action(point, way))
                reached: Callable[[], bool] = lambda: self.stack.reached(point.name)  # noqa: E731
            else:
                do = {Way.RAISE: Do.ANSWER, Way.REPLY_LOST: Do.LOSE_REPLY}.get(way, Do.HOLD)
                proxy: Proxy = getattr(self.stack, request.proxy)
                rule = cleanup.enter_context(proxy.rule(request.pattern, do, status=400, after=request.after))
                reached = rule.reached.is_set
            job = self.stack.job(*command)
            cleanup.callback(job.kill)
            until(lambda: reached() or job.ended() is not None, _JOB_SECONDS, f"the job is at {point.name}", pause=0.05)
            assert reached(), f"the job ended with {job.ended()} before {point.name}, see {job.log}"
            at = time.monotonic()
            if way is Way.HANG:
                time.sleep(_HUNG_JOB_SECONDS)
            if way is Way.HANG or (way is Way.KILL and request is not None):
                job.kill()
                if request is not None:
                    rule.drop()
            code = job.wait(_JOB_SECONDS)
        stopped = "nothing" if code == 0 else "the job, until its next run"
        for _ in range(3):
            if code == 0:
                break
            again = self.stack.job(*command)
            code = again.wait(_JOB_SECONDS)
        assert code == 0, f"the job ends with {code}, see {job.log}"
        return stopped, time.monotonic() - at

    # -- outages -----------------------------------------------------------------------------------------------------

    def _endure(self, outage: Outage, seconds: float, per_second: int) -> tuple[str, float]:
        ended = threading.Event()
        load = self.sender.load(per_second, ended)
        try:
            with outage.fault(self.stack, self.stores):
                began = time.monotonic()
                if not outage.once:
                    time.sleep(seconds / 3)  # batches in flight finish
                first = self.stores.progress()
                time.sleep(2 if outage.once else max(0.0, began + seconds - time.monotonic()))
                last, reported = self.stores.progress(), self.stack.troubles
                troubles = reported() if outage.once else until(reported, _REPORT_SECONDS, "its report", pause=0.2)
            healed = time.monotonic()
        finally:
            ended.set()
            load.join(900)
        self._wait_until_all_agree(_PATIENCE_SECONDS + 4 * seconds)
        stopped = [name for name in ("archive", "index", "counts", "view") if last.get(name, 0) <= first.get(name, 0)]
        said = [_said(part, text) for part, text in troubles.items()]
        return "; ".join([", ".join(stopped) or "nothing", *said]), time.monotonic() - healed

    # -- two drivers -------------------------------------------------------------------------------------------------

    def two_drivers(self, app: str, twins: Twins) -> Row:
        """Start a second process of an app next to the supervised one."""
        return self._case(f"two drivers of {app}", twins, lambda: self._add_driver(app, twins))

    def _add_driver(self, app: str, twins: Twins) -> tuple[str, float]:
        stack, stale = self.stack, twins is Twins.SUSPENDED
        with ExitStack() as cleanup:
            cleanup.callback(stack.restart, app)
            self.sender.send(BURST)
            if stale:  # in the middle of its work
                wake = cleanup.enter_context(stack.suspended(app))
            at = time.monotonic()
            twin = stack.start_twin(app)
            cleanup.callback(twin.kill)
            if stale:
                self.sender.send(BURST)
                self._wait_until_all_agree(_PATIENCE_SECONDS)
                wake()
            fenced = lambda: stack.phase(app) == "misconfigured"  # noqa: E731
            until(fenced, _PATIENCE_SECONDS, lambda: f"{app} ends, see {stack.log(app)}", pause=0.2)
            self.sender.send(BURST)
            self._wait_until_all_agree(_PATIENCE_SECONDS)
            assert twin.ended() is None, f"the second driver ended with {twin.ended()}, see {twin.log}"
            return "the first process, for good", time.monotonic() - at

    # -- books -------------------------------------------------------------------------------------------------------

    def _wait_until_all_agree(self, seconds: float) -> None:
        """Wait until the quick numbers of all stores are what was sent, and InfluxDB has everything."""
        due = self.stores.due(self.sender)
        wanted = {"archive": due.raw, "index": due.documents, "counts": due.counted, "unpublished": 0}
        agree = lambda: wanted.items() <= self.stores.progress().items()  # noqa: E731
        until(agree, seconds, lambda: f"the stores hold {self.stores.progress()}, not {wanted}", pause=0.5)

    def _problems(self, ids: list[str], held: Numbers) -> list[str]:
        """Return what is wrong, by the kit's own sums and by the audit."""
        problems = held.differences(self.stores.due(self.sender))
        if (found := self.stores.documents_of(ids)) != len(ids):
            problems.append(f"{found:,} of {len(ids):,} ids have a document")
        if wrong := self.stores.newest_hour():
            problems.append(wrong)
        report = audit(RealStores(self.stack.settings), retention_days=14, wait_seconds=300, still_seconds=300)
        if report.state != "ok":
            problems += [f"audit: {one.hop}: {one.text}" for one in report.findings]
        return problems


class Watch:
    """Notes which parts stopped inside the block."""

    def __init__(self, stack: BrokenStack) -> None:
        self._stack, self._before = stack, stack.moment()
        self._ended = threading.Event()
        self._failed: dict[str, str] = {}
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.5):
            self._failed |= self._stack.troubles()

    def stopped(self) -> str:
        """Return the parts that stopped, for people. Waits for new reports: the last ones may be from before it."""
        since = time.time()
        reported = lambda: all(one.at > since for one in self._stack.health().values())  # noqa: E731
        until(reported, _REPORT_SECONDS, "every part reports again", pause=0.2)
        now = self._stack.moment()
        found = [f"the process {app}" for app, pid in self._before.pids.items() if now.pids[app] != pid]
        for part, app in APPS.items():
            if now.pids[app] != self._before.pids[app]:
                continue
            if now.restarts.get(part, 0) > self._before.restarts.get(part, 0):
                found.append(f"the {part}’s query")
            elif part in self._failed:
                found.append(_said(part, self._failed[part]))
        return ", ".join(found) or "nothing"


def _said(part: str, text: str) -> str:
    return shorten(f"{part}: {text}", 160, placeholder=" …")


def _action(point: Point, way: Way) -> Action:
    if way is Way.KILL and point.in_worker:
        return Action.HANG  # and then the app is killed
    return {Way.RAISE: Action.RAISE, Way.HANG: Action.HANG, Way.REPLY_LOST: Action.REPLY_LOST}.get(way, Action.KILL)


def _shown(due: Numbers, held: Numbers) -> str:
    tweets = (due.archived_tweets, held.archived_tweets, held.documents, held.counted)
    return f"{held.raw:,} = {held.archived:,}; " + " = ".join(f"{number:,}" for number in tweets)
