"""The steps of the demo on a running stack: tweets, first model, balance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import tenacity

from twitter_topics.archive.reader import ArchiveStore
from twitter_topics.audit.run import audit
from twitter_topics.audit.stores import RealStores
from twitter_topics.backends.kafka_offsets import topic_ranges
from twitter_topics.errors import RetryableError, TwitterTopicsError
from twitter_topics.health.report import Health, read_health
from twitter_topics.local import secrets
from twitter_topics.local.airflow_rest import AirflowRest, Run, TaskState
from twitter_topics.topic_models.registry.promotion import Champion
from twitter_topics.topic_models.registry.store import ModelStore

if TYPE_CHECKING:
    from twitter_topics.audit.balance import Report
    from twitter_topics.local.stack import Say, Stack
    from twitter_topics.settings import Settings

RETRAINING, PROMOTION = "topic_retraining", "model_promotion"
LOG_LINES = 20

_POLL_SECONDS = 1.0
_TWEETS_SECONDS = 600
_BACKLOG_SECONDS = 180
_LIVE_LAG_SECONDS = 60
_DAG_SECONDS = 180
_TRAINING_SECONDS = 1800
_PROMOTION_SECONDS = 300
_BALANCE_SECONDS = 900
_STILL_SECONDS = 120
_PATIENCE_SECONDS = 120

_Answer = TypeVar("_Answer")


class StepFailedError(TwitterTopicsError):
    """A step of the demo failed. The message names the step, the reason and the fix."""

    def __init__(self, step: str, reason: str, advice: str, log: list[str] | None = None) -> None:
        lines = [f"{step}: {reason}", *(f"    {line[:300]}" for line in (log or [])[-LOG_LINES:]), advice]
        super().__init__("\n".join(lines))


Waiting = Callable[[str], AbstractContextManager[Callable[[str], None]]]
"""Shows a text while its block runs; yields a function that replaces the text."""


@contextmanager
def unseen(_text: str) -> Iterator[Callable[[str], None]]:
    """Waiting that shows nothing."""
    yield lambda _text: None


class Tour:
    """Takes a stack from its start to its first topics. Every step returns at once if there is nothing to wait for.

    Args:
        settings: with the addresses of the stack.
        say: receives a line for every step.
        waiting: shows what a step waits for.
    """

    def __init__(self, stack: Stack, settings: Settings, say: Say, waiting: Waiting = unseen) -> None:
        self._stack, self._settings, self._say, self._shown = stack, settings, say, waiting
        self._archive = ArchiveStore(settings)
        self._models = ModelStore(settings)

    @cached_property
    def _airflow(self) -> AirflowRest:
        password = secrets.load(self._stack.layout.secrets)["AIRFLOW_ADMIN_PASSWORD"]
        return AirflowRest(self._stack.ports["airflow"], "admin", password)

    # -- tweets ------------------------------------------------------------------------------------------------------

    def wait_for_tweets(self) -> None:
        """Wait until there are enough tweets for a first model, and for a while until the backlog is archived."""
        step, needed = "tweets", self._settings.topics.min_documents
        enough_at: float | None = None
        with self._waiting("waiting for tweets", _TWEETS_SECONDS) as (show, in_time):
            while in_time():
                produced, archived = self._produced(), self._archive.rows()
                show(f"{produced:,} tweets produced, {archived:,} archived, {needed:,} needed")
                finished, live = self._producers()
                if archived >= needed:
                    enough_at = enough_at or time.monotonic()
                    on_its_way = 0 if finished else self._moments_worth()
                    caught_up = (finished or live) and archived >= produced - on_its_way
                    if caught_up or time.monotonic() - enough_at > _BACKLOG_SECONDS:
                        self._say(f"{archived:,} of {produced:,} tweets archived")
                        return
                elif finished and archived >= produced:
                    raise StepFailedError(
                        step,
                        f"the source ended after {archived:,} tweets, but a first model needs {needed:,}",
                        "Use a longer file or a larger LIMIT, or lower TOPICS_MIN_DOCUMENTS.",
                    )
                time.sleep(_POLL_SECONDS)
        raise StepFailedError(
            step,
            f"only {self._archive.rows():,} of {needed:,} tweets were archived in {_TWEETS_SECONDS} s",
            f"See `make logs NAME={self._settings.producer.parts[0]}` and `make status`.",
            self._log_of("classify-tweets"),
        )

    def _produced(self) -> int:
        return sum(one.end for one in topic_ranges(self._settings.kafka, self._settings.kafka.raw_topic).values())

    def _producers(self) -> tuple[bool, bool]:
        """Return whether all producers have finished, and whether the others have caught up with the present."""
        finished, live = True, True
        for health in self._producers_health():
            done = health is not None and health.state == "finished"
            finished &= done
            live &= done or (health is not None and health.state == "running" and health.lag <= _LIVE_LAG_SECONDS)
        return finished, live

    def _producers_health(self) -> list[Health | None]:
        reported = read_health(self._settings.speed.health_dir)
        return [reported.get(part) for part in self._settings.producer.parts]

    def _moments_worth(self) -> int:
        """Return the number of tweets that arrive during two batches of the archiver."""
        rate = sum(health.rate for health in self._producers_health() if health)
        return int(2 * self._settings.speed.archive_trigger_seconds * rate)

    # -- model -------------------------------------------------------------------------------------------------------

    def wait_for_champion(self) -> Champion:
        """Have Airflow train and promote a first model, unless there is a champion."""
        champion = self._models.champion()
        if champion is None:
            self._follow(self._trigger(RETRAINING))
            champion = self._promoted()
        self._say(f"model {champion.version} is champion")
        return champion

    def _trigger(self, dag_id: str) -> Run:
        with self._waiting(f"Airflow: waiting for {dag_id}", _DAG_SECONDS) as (_, in_time):
            while in_time():
                if run := self._patiently(lambda: self._airflow.trigger(dag_id)):
                    self._say(f"Airflow: {dag_id} started ({run.run_id})")
                    return run
                time.sleep(_POLL_SECONDS)
        raise StepFailedError(
            dag_id, f"Airflow has not read the DAG file after {_DAG_SECONDS} s", "", self._log_of("dag-processor")
        )

    def _follow(self, run: Run) -> None:
        """Wait for the run's success; report each task that ends."""
        reported: set[str] = set()
        with self._waiting(f"Airflow: {run.dag_id}", _TRAINING_SECONDS) as (show, in_time):
            while in_time():
                now, tasks = self._patiently(lambda: (self._airflow.run(run), self._airflow.tasks(run)))
                for task in tasks:
                    if task.state in ("success", "skipped", "failed") and task.task_id not in reported:
                        reported.add(task.task_id)
                        self._say(f"Airflow: {run.dag_id}.{task.task_id} {task.state}")
                active = ", ".join(f"{task.task_id} {task.state}" for task in tasks if task.state and _active(task))
                show(f"Airflow: {run.dag_id} {now.state}{': ' if active else ''}{active}")
                if now.state == "success":
                    return
                if now.finished:
                    self._fail(now, tasks)
                time.sleep(_POLL_SECONDS)
        reason = f"not finished after {_TRAINING_SECONDS} s"
        raise StepFailedError(run.dag_id, reason, f"See it in Airflow: {self._run_url(run)}")

    def _promoted(self) -> Champion:
        run: Run | None = None
        with self._waiting(f"Airflow: {PROMOTION}", _PROMOTION_SECONDS) as (_, in_time):
            while in_time():
                if champion := self._models.champion():
                    self._say(f"Airflow: {PROMOTION}: {champion.reason}")
                    return champion
                run = self._patiently(lambda: self._airflow.newest_run(PROMOTION))
                if run and run.state == "failed":
                    self._fail(run, self._airflow.tasks(run))
                if run and run.state == "success" and self._models.champion() is None:
                    rejected = self._airflow.result(run, "not_promoted") or {}
                    raise StepFailedError(
                        PROMOTION,
                        "the first model was rejected: " + "; ".join(map(str, rejected.get("reasons", []))),
                        "Train on more tweets, or force it; see the docs of the DAG model_promotion in Airflow.",
                    )
                time.sleep(_POLL_SECONDS)
        where = self._run_url(run) if run else self._stack.ports.url("airflow")
        raise StepFailedError(PROMOTION, f"no champion after {_PROMOTION_SECONDS} s", f"See it in Airflow: {where}")

    def _fail(self, run: Run, tasks: list[TaskState]) -> None:
        failed = next((task for task in tasks if task.state == "failed"), None)
        log = self._airflow.log(run, failed) if failed else []
        reason = f"task {failed.task_id} failed" if failed else f"the run ended as {run.state}"
        raise StepFailedError(run.dag_id, reason, f"Full log: {self._run_url(run)}", log)

    def _run_url(self, run: Run) -> str:
        return f"{self._stack.ports.url('airflow')}/dags/{run.dag_id}/runs/{run.run_id}"

    # -- balance -----------------------------------------------------------------------------------------------------

    def wait_for_balance(self) -> Report:
        """Wait until everything produced so far is archived, classified and counted."""
        with self._waiting("classifying", _BALANCE_SECONDS) as (show, _):

            def show_counts(report: Report) -> None:
                facts = report.facts
                done = f"{facts.indexed:,} indexed, {facts.counted_before_cut:,} counted"
                show(f"{facts.archived_distinct:,} tweets archived, {done}")

            report = self._patiently(
                lambda: audit(
                    RealStores(self._settings),
                    retention_days=self._settings.elasticsearch.retention_days,
                    wait_seconds=_BALANCE_SECONDS,
                    still_seconds=_STILL_SECONDS,
                    seen=show_counts,
                )
            )
        if report.state != "ok":
            findings = [f"{one.hop}: {one.text}" for one in report.findings]
            advice = "See `make status` and `make logs NAME=classify-tweets`; `twitter-topics audit` checks again."
            raise StepFailedError("balance", f"the numbers do not agree ({report.state})", advice, findings)
        self._say("everything is archived, indexed and counted")
        return report

    def _patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        """Repeat a question for a while: a busy store or Airflow answers later."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryableError),
            stop=tenacity.stop_after_delay(_PATIENCE_SECONDS),
            wait=tenacity.wait_fixed(_POLL_SECONDS),
            before_sleep=lambda attempt: self._say(f"trying again: {attempt.outcome and attempt.outcome.exception()}"),
            reraise=True,
        )
        return attempts(ask)

    # -- waiting -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _waiting(self, text: str, seconds: float) -> Iterator[tuple[Callable[[str], None], Callable[[], bool]]]:
        """Yield a function that replaces the shown text, and one that returns whether time is left."""
        until = time.monotonic() + seconds
        with self._shown(text) as show:
            yield show, lambda: time.monotonic() < until

    def _log_of(self, service: str) -> list[str]:
        try:
            text = self._stack.layout.service_log(service).read_text(errors="replace")
        except OSError:
            return []
        return text.splitlines()[-LOG_LINES:]


def _active(task: TaskState) -> bool:
    return task.state not in ("success", "skipped", "failed", "upstream_failed", "removed")
