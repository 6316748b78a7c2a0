"""What people are talking about now, read from the model store, InfluxDB and the health files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from twitter_topics.backends.influx import LONG_TIMEOUT_S
from twitter_topics.backends.s3 import PATIENT, Patience
from twitter_topics.counts.panes import PANE_MS, WINDOW_MS, HourPoint
from twitter_topics.counts.view import CountsView, LastHour
from twitter_topics.errors import IntegrityError, TwitterTopicsError
from twitter_topics.health.report import Health, read_health
from twitter_topics.page.rows import TopicRow, shown_together, topic_rows
from twitter_topics.topic_models.registry.card import VERDICTS
from twitter_topics.topic_models.registry.drift import read_drift, trained_until, week_before
from twitter_topics.topic_models.registry.files import is_provisional, verdict_state
from twitter_topics.topic_models.registry.promotion import Champion, Promotion
from twitter_topics.topic_models.registry.promotion_tasks import needs_approval
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.topic_names import TopicNames, read_names

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

HISTORY_HOURS = 24
RECENT_PROMOTIONS = 5
ANSWER_SECONDS = 6.0
"""A store that takes longer is reported as unavailable; the rest is shown without it."""

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class TopicsNow:
    """All topics of the newest complete hour, each in a row of its own.

    `end_ms` is the hour's end, None before the first tweet; `names_fault` says why the names of topics cannot be read,
    and is empty when they can.
    """

    end_ms: int | None
    rows: list[TopicRow]
    names_fault: str = ""


class Sources(Protocol):
    """Sources of an overview. Methods raise TwitterTopicsError, OSError or ValueError if they cannot read."""

    def champion(self) -> Champion | None: ...

    def manifest(self, version: str) -> Mapping[str, Any]: ...

    def newest(self) -> Mapping[str, Any] | None: ...

    def promotions(self) -> Sequence[Promotion]: ...

    def drift(self, version: str) -> Mapping[str, Any] | None: ...

    def names(self) -> TopicNames: ...

    def last_hour(self) -> LastHour | None: ...

    def hours_ending(self, end_ms: int) -> Sequence[HourPoint]: ...

    def health(self) -> Mapping[str, Health]: ...


class RealSources:
    """The stores of the settings, InfluxDB as the user that may only read. Immutable data (a model's manifest) is read
    once.

    Args:
        patience: how long a request to S3 may take. timeout_s: seconds for InfluxDB to connect and to answer.
    """

    def __init__(
        self, settings: Settings, patience: Patience = PATIENT, timeout_s: tuple[float, float] = LONG_TIMEOUT_S
    ) -> None:
        self._settings = settings
        self._models = ModelStore(settings, patience=patience)
        self._counts = CountsView(settings.influx.for_reading(), timeout_s)
        self._manifests: dict[str, Mapping[str, Any]] = {}

    def champion(self) -> Champion | None:
        return self._models.champion()

    def manifest(self, version: str) -> Mapping[str, Any]:
        if version not in self._manifests:
            self._manifests[version] = self._models.manifest(version)
        return self._manifests[version]

    def newest(self) -> Mapping[str, Any] | None:
        return next(iter(self._models.manifests(newest=1)), None)

    def promotions(self) -> Sequence[Promotion]:
        return self._models.history(RECENT_PROMOTIONS)

    def drift(self, version: str) -> Mapping[str, Any] | None:
        return read_drift(self._models, version)

    def names(self) -> TopicNames:
        return read_names(self._models)

    def last_hour(self) -> LastHour | None:
        return self._counts.last_hour()

    def hours_ending(self, end_ms: int) -> Sequence[HourPoint]:
        return self._counts.hours(end_ms, end_ms + PANE_MS)

    def health(self) -> Mapping[str, Health]:
        return read_health(self._settings.speed.health_dir)


def topics_now(sources: Sources) -> TopicsNow:
    """Return the champion's topics and any other topic counted in the last hour, most tweets first.

    Raises:
        TwitterTopicsError: a store is unavailable. Names that cannot be read are left out.
    """
    champion = sources.champion()
    known = sources.manifest(champion.version).get("topics", []) if champion else []
    hour = sources.last_hour()
    names, fault = TopicNames(), ""
    try:
        names = sources.names()
    except TwitterTopicsError as error:
        fault = str(error)
    return TopicsNow(hour.end_ms if hour else None, topic_rows(known, hour, {}, names), fault)


def overview(
    sources: Sources, reads: Reads | None = None, *, now_ms: int, min_documents: int, promotion: str = "automatic"
) -> dict[str, Any]:
    """Return everything for the page as plain values.

    A store that does not answer leaves its fields empty and is listed in `unavailable`.

    Args:
        reads: kept from one overview to the next.
        now_ms: current time, for computing ages.
        min_documents: tweets required for the first training.
        promotion: as TOPICS_PROMOTION.

    Returns:
        `now_ms`, `min_documents`, `unavailable` [{name, reason}], `champion` {version, provisional, promoted_at, by,
        reason, trainer, documents, metrics, trained_until, drift (see `_drift`)} or None, `waiting` {version, verdict,
        reason} of the newest version while there is no champion, `topics` (fields of
        TopicRow; topics that are shown together are one), `end_ms`, `parts` (fields of Health and `age_seconds`),
        `promotions`.
    """
    reader = _Reader(reads or Reads())
    models = reader.start("Models on S3", lambda: _model_part(sources, promotion))
    named = reader.start("Names of topics", sources.names)
    counts = reader.start("Counts in InfluxDB", lambda: _count_part(sources))
    health = reader.start("Health of the stream", lambda: dict(sources.health()))
    champion, waiting, known, promotions = reader.result(models, (None, None, [], []))
    names = reader.result(named, TopicNames())
    hour, history = reader.result(counts, (None, {}))
    parts = [_part(one, now_ms) for one in reader.result(health, {}).values()]
    topics = shown_together(topic_rows(known, hour, history, names))
    return {
        "now_ms": now_ms,
        "min_documents": min_documents,
        "unavailable": reader.unavailable,
        "champion": champion,
        "waiting": waiting,
        "end_ms": hour.end_ms if hour else None,
        "topics": [asdict(row) for row in topics],
        "parts": parts,
        "promotions": promotions,
    }


class Reads:
    """Reads stores in parallel, each in a thread of its own.

    A read that still goes on when the next one is due is waited for instead: a silent store holds one thread, however
    often people look, and none holds up the end of the process.
    """

    def __init__(self) -> None:
        self._last: dict[str, Future[Any]] = {}

    def start(self, name: str, read: Callable[[], _Found]) -> Future[_Found]:
        """Read a store, unless a read of that name goes on."""
        last = self._last.get(name)
        if last is not None and not last.done():
            return last
        future: Future[_Found] = Future()
        self._last[name] = future
        threading.Thread(target=_settle, args=(future, read), name=f"overview: {name}", daemon=True).start()
        return future


def _settle(future: Future[_Found], read: Callable[[], _Found]) -> None:
    try:
        future.set_result(read())
    except BaseException as error:  # noqa: BLE001 - raised again by `result`
        future.set_exception(error)


class _Reader:
    """Waits for the stores, for ANSWER_SECONDS in all, and records those that did not answer."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._until = time.monotonic() + ANSWER_SECONDS
        self._names: dict[Future[Any], str] = {}
        self.unavailable: list[dict[str, str]] = []

    def start(self, name: str, read: Callable[[], _Found]) -> Future[_Found]:
        future = self._reads.start(name, read)
        self._names[future] = name
        return future

    def result(self, future: Future[_Found], otherwise: _Found) -> _Found:
        try:
            return future.result(timeout=max(0.0, self._until - time.monotonic()))
        except FutureTimeoutError:
            reason = f"no answer within {ANSWER_SECONDS:.0f} s"
        except (TwitterTopicsError, OSError, ValueError) as error:
            reason = str(error)[:300]
        self.unavailable.append({"name": self._names[future], "reason": reason})
        return otherwise


def _model_part(
    sources: Sources, promotion: str
) -> tuple[dict[str, Any] | None, dict[str, str] | None, list[dict[str, Any]], list[dict[str, Any]]]:
    champion = sources.champion()
    if champion is None:
        found = sources.newest()
        return None, _waiting(found, promotion) if found else None, [], []
    manifest = sources.manifest(champion.version)
    card = {
        "version": champion.version,
        "provisional": is_provisional(manifest),
        "promoted_at": champion.promoted_at,
        "by": champion.by,
        "reason": champion.reason,
        "trainer": manifest.get("trainer", ""),
        "documents": manifest.get("documents", 0),
        "metrics": manifest.get("metrics", {}),
        "trained_until": trained_until(manifest).isoformat(),
        "drift": _drift(sources, champion.version),
    }
    newest = sorted(sources.promotions(), key=lambda one: one.promoted_at, reverse=True)[:RECENT_PROMOTIONS]
    promotions = [
        {"version": one.version, "promoted_at": one.promoted_at, "by": one.by, "reason": one.reason} for one in newest
    ]
    return card, None, list(manifest.get("topics", [])), promotions


def _waiting(manifest: Mapping[str, Any], promotion: str) -> dict[str, str]:
    """Return what is said about a version while no model serves."""
    version = str(manifest["version"])
    if not manifest.get("evaluation"):
        return {"version": version, "verdict": "not evaluated", "reason": "a person may promote it with force"}
    state, reasons = verdict_state(manifest), manifest["evaluation"]["verdict"]["reasons"]
    if state == "promote" and promotion == "approval":
        return {"version": version, "verdict": "waits for approval", "reason": needs_approval(version)}
    return {"version": version, "verdict": VERDICTS[state], "reason": next(iter(reasons), "")}


def _drift(sources: Sources, version: str) -> dict[str, Any] | None:
    """Return the last measured day {day, advised, word_drift, …} with `limit`, and the word drift seven days earlier as
    `week_before`; None if nothing was measured."""
    try:
        drift = sources.drift(version)
    except IntegrityError:  # the model is shown all the same; model_drift writes the object again
        return None
    if not drift or not drift["days"]:
        return None
    before = week_before(drift["days"])
    return {**drift["days"][-1], "limit": drift["limit"], "week_before": before.get("word_drift") if before else None}


def _count_part(sources: Sources) -> tuple[LastHour | None, dict[int, list[int]]]:
    hour = sources.last_hour()
    return hour, _history(sources, hour)


def _history(sources: Sources, hour: LastHour | None) -> dict[int, list[int]]:
    """Count each topic's tweets in each of the last HISTORY_HOURS, which end with the newest one."""
    if hour is None:
        return {}
    history: dict[int, list[int]] = {}
    for index in range(HISTORY_HOURS):
        end_ms = hour.end_ms - (HISTORY_HOURS - 1 - index) * WINDOW_MS
        for point in sources.hours_ending(end_ms):
            counts = history.setdefault(point.series.topic_id, [0] * HISTORY_HOURS)
            counts[index] += point.sums.tweets
    return history


def _part(health: Health, now_ms: int) -> dict[str, Any]:
    return asdict(health) | {"age_seconds": max(0.0, round(now_ms / 1000 - health.at, 1))}
