"""What Grafana must show, computed from the seeds alone: no writer, reader or query of the project is used."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from tests.contract.dashboards import seeds as s
from tools.dashboards.grafana.expand import ALL, Zoom

Tags = tuple[tuple[str, str], ...]
Found = dict[Tags, dict[int, dict[str, Any]]]
"""By the tags of a series and the time (Unix ms; 0 without one), the columns of a row."""

PANE, WINDOW = 10 * s.SECOND, s.HOUR


class Sums(NamedTuple):
    """Of one series over an hour."""

    tweets: int
    scored: int
    compound: float


class Key(NamedTuple):
    """Tags of a count."""

    topic: int
    label: str
    model: str


class Asked(NamedTuple):
    """Time range, step in ms (None: the query has no steps) and chosen topics of a query. `single`: one row per series,
    whose time means nothing."""

    zoom: Zoom
    step: int | None
    topics: Sequence[str] = ALL
    single: bool = False


@cache
def hours() -> dict[Key, dict[int, Sums]]:
    """Each series and its rolling hour by the hour's end: while it lives, and one zero after that."""
    dominant: dict[Key, list[s.Seed]] = defaultdict(list)
    present: dict[Key, list[int]] = defaultdict(list)
    for one in s.tweets():
        dominant[Key(one.topic, one.label, one.model)].append(one)
        for topic, _ in one.shares:
            present[Key(topic, s.LABELS[one.model][topic], one.model)].append(one.at_ms)
    newest = max(one.at_ms for one in s.tweets()) // PANE * PANE + PANE
    found: dict[Key, dict[int, Sums]] = {}
    for key, times in present.items():
        mine = dominant[key]
        own_times = [one.at_ms for one in mine]
        found[key] = {}
        for end in range(times[0] // PANE * PANE + PANE, newest + 1, PANE):
            if any(bisect_left(times, at) > bisect_left(times, at - WINDOW) for at in (end, end - PANE)):
                inside = mine[bisect_left(own_times, end - WINDOW) : bisect_left(own_times, end)]
                felt = [one.compound for one in inside if one.compound is not None]
                found[key][end] = Sums(len(inside), len(felt), sum(felt))
    return found


def exact() -> dict[tuple[int, str], dict[int, int]]:
    """Tweets of each recounted hour by topic, after the second recount; a topic that only the first one had is 0."""
    found: dict[tuple[int, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    moved = [one for one in s.tweets() if one.topic == 1 and one.at_ms >= s.DAY + 9 * s.HOUR][: s.MOVED]
    for one in [*s.tweets(), *s.EXTRA]:
        start = one.at_ms // s.HOUR * s.HOUR
        if s.DAY + 8 * s.HOUR <= start < s.DAY + 11 * s.HOUR:
            topic = 3 if one in moved else one.topic
            found[topic, s.LABELS[s.M2][topic]][start] += 1
    return found


def _steps(points: Mapping[int, Any], asked: Asked) -> dict[int, Any]:
    """The last point of each step that begins in the range; with the time 0 if there are no steps. A point at the
    range's end is after it, by its revision."""
    zoom, step = asked.zoom, asked.step
    inside = {at: value for at, value in sorted(points.items()) if zoom.from_ms <= at < zoom.to_ms}
    if step is None:
        return {0: inside[max(inside)]} if inside else {}
    return {at // step * step: value for at, value in inside.items() if at // step * step >= zoom.from_ms}


def _chosen(label: str, asked: Asked) -> bool:
    return tuple(asked.topics) == ALL or label in asked.topics


def _topic_tags(topic: int, label: str) -> Tags:
    return (("topic_id", str(topic)), ("topic_label", label))


def _added(asked: Asked, tags: Callable[[Key], Tags]) -> dict[Tags, dict[int, list[Sums]]]:
    found: dict[Tags, dict[int, list[Sums]]] = defaultdict(lambda: defaultdict(list))
    for key, points in hours().items():
        if _chosen(key.label, asked):
            for at, sums in _steps(points, asked).items():
                found[tags(key)][at].append(sums)
    return found


def by_topic(key: Key) -> Tags:
    return _topic_tags(key.topic, key.label)


def together(_key: Key) -> Tags:
    return ()


def rolling(tags: Callable[[Key], Tags]) -> Callable[[Asked], Found]:
    def expected(asked: Asked) -> Found:
        added = _added(asked, tags)
        return {
            name: {at: {"tweets": sum(one.tweets for one in sums)} for at, sums in points.items()}
            for name, points in added.items()
        }

    return expected


def felt(tags: Callable[[Key], Tags]) -> Callable[[Asked], Found]:
    def expected(asked: Asked) -> Found:
        found: Found = {}
        for name, points in _added(asked, tags).items():
            for at, sums in points.items():
                if n := sum(one.scored for one in sums):
                    mean = sum(one.compound for one in sums) / n
                    found.setdefault(name, {})[at] = {"mean": mean, "n": n}
        return found

    return expected


def movers(asked: Asked) -> Found:
    found: Found = {}
    for name, points in rolling(by_topic)(asked).items():
        values = [row["tweets"] for _, row in sorted(points.items())]
        found[name] = {0: {"now": values[-1], "change": values[-1] - values[0]}}
    return found


def final(asked: Asked) -> Found:
    found: Found = {}
    for (topic, label), points in exact().items():
        inside = {at: {"tweets": n} for at, n in points.items() if asked.zoom.from_ms <= at < asked.zoom.to_ms}
        if inside and _chosen(label, asked):
            found[_topic_tags(topic, label)] = inside
    return found


def speed_error(asked: Asked) -> Found:
    rows = {}
    for start in range(s.DAY + 8 * s.HOUR, s.DAY + 11 * s.HOUR, s.HOUR):
        if asked.zoom.from_ms <= start < asked.zoom.to_ms:
            speed = sum(start <= one.at_ms < start + s.HOUR for one in s.tweets())
            extra = sum(start <= one.at_ms < start + s.HOUR for one in s.EXTRA)
            moved = s.MOVED if start == s.DAY + 9 * s.HOUR else 0
            rows[start] = {"exact": speed + extra, "speed": speed, "moved": moved}
    return {(): rows} if rows else {}


# --- health, models, audit


def health(field: str, add_up: Callable[[list[Any]], Any], parts: Sequence[str] = ()) -> Callable[[Asked], Found]:
    def expected(asked: Asked) -> Found:
        values: dict[Tags, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for one in s.health():
            if (not parts or one.part in parts) and (at := _bucket(one.at_ms, asked)) is not None:
                values[("part", one.part),][at].append(getattr(one, field))
        return {name: {at: {field: add_up(found)} for at, found in points.items()} for name, points in values.items()}

    return expected


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def waiting(asked: Asked) -> Found:
    found: Found = {}
    for one in s.health():
        if _bucket(one.at_ms, asked) is not None:
            found[("part", one.part),] = {0: {"state": one.state, "error": one.error, "detail": ""}}
    return found


def gaps(asked: Asked) -> Found:
    found: Found = {}
    for one in s.GAPS:
        if (at := _bucket(one.from_ms, asked)) is not None:
            found[("cause", one.cause), ("source", one.source)] = {at: {"seconds": one.seconds}}
    return found


def measured(rows: Iterable[tuple[int, dict[str, Any]]], tags: Tags = ()) -> Callable[[Asked], Found]:
    """The last of some rows (time, columns) in each step; a query without steps and functions shows them all."""
    held = sorted(rows, key=lambda row: row[0])

    def expected(asked: Asked) -> Found:
        found = {at: row for time, row in held if (at := _bucket(time, asked)) is not None}
        return {tags: found} if found else {}

    return expected


def dead_letters(asked: Asked) -> Found:
    found: Found = {}
    for time, _, reasons in s.DEAD_LETTERS:
        for (stage, reason), records in reasons.items():
            if (at := _bucket(time, asked)) is not None:
                found.setdefault((("reason", reason), ("stage", stage)), {})[at] = {"records": records}
    return found


def champions() -> list[tuple[int, str, float]]:
    """(when measured, version, age in seconds)."""
    found = []
    for time in s.CHAMPION_SEEN:
        version = max((at, version) for version, at in s.PROMOTED.items() if at <= time)[1]
        found.append((time, version, (time - s.PROMOTED[version]) / 1000))
    return found


def promotions() -> list[tuple[int, dict[str, Any]]]:
    common = {"by": "model_promotion"}
    first = {"version": s.M1, "previous": "", "reason": s.REASONS[s.M1]}
    second = {"version": s.M2, "previous": s.M1, "reason": s.REASONS[s.M2]}
    return [(s.PROMOTED[s.M1], first | common), (s.PROMOTED[s.M2], second | common)]


CREATED = {s.M1: s.DAY - 20 * s.HOUR, s.M2: s.DAY + 10 * s.HOUR + 10 * s.MINUTE}


def gate(*columns: str, by_version: bool = False) -> Callable[[Asked], Found]:
    """Rows of the registered versions; with `by_version` each is a series."""

    def expected(asked: Asked) -> Found:
        found: Found = {}
        for version, created in CREATED.items():
            whole = {
                "version": version,
                "passed": True,
                "documents": s.DOCUMENTS,
                "topics": s.TOPICS,
                "unigram_perplexity": s.UNIGRAM,
                "reasons": s.REASONS[version],
                **s.METRICS[version],
            }
            if (at := _bucket(created, asked)) is not None:
                tags: Tags = (("version", version),) if by_version else ()
                found.setdefault(tags, {})[at] = {name: whole[name] for name in columns}
        return found

    return expected


def audits() -> list[tuple[int, dict[str, Any]]]:
    found = []
    for at, lost in s.AUDITED.items():
        kept = 1_000 - lost
        numbers = {"produced": 1_000, "archived": kept, "indexed": kept - 2, "counted": kept - 2, "dead_letters": 2}
        found.append((at, {"state": "broken" if lost else "ok", **numbers}))
    return found


def only(rows: Iterable[tuple[int, dict[str, Any]]], *columns: str) -> list[tuple[int, dict[str, Any]]]:
    return [(at, {name: row[name] for name in columns}) for at, row in rows]


def _bucket(at_ms: int, asked: Asked) -> int | None:
    """The step of a moment, or None outside of the range; without steps the moment itself."""
    if not asked.zoom.from_ms <= at_ms <= asked.zoom.to_ms:
        return None
    if asked.single:
        return 0
    return at_ms if asked.step is None else at_ms // asked.step * asked.step
