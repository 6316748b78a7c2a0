"""A version's live drift, day by day, for people: made from `tweets.model_metrics`, kept as an object on S3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.metrics import DAY, HELD_OUT, day_of
from twitter_topics.topic_models.registry.store import drift_key
from twitter_topics.topic_models.registry.version import created_at

if TYPE_CHECKING:
    from twitter_topics.topic_models.registry.store import ModelStore

MIN_TWEETS = 1_000
"""On fewer tweets of a day nothing is measured: chance alone then moves the drift of words by more than .005 bits."""

SHOWN_DAYS = 14


def trained_until(manifest: Mapping[str, Any]) -> datetime:
    """Return the end of the tweets that a version was trained on."""
    asked = manifest.get("parameters", {})
    return datetime.fromisoformat(asked["end"]) if "end" in asked else created_at(manifest["version"])


def unseen_part(manifest: Mapping[str, Any], day: date) -> tuple[datetime, datetime]:
    """Return start and end of the part of a UTC day after the tweets that a version was trained on, empty or not."""
    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(days=1)
    return min(max(start, trained_until(manifest)), end), end


def read_drift(models: ModelStore, version: str) -> dict[str, Any] | None:
    """Return what `put_drift` kept; None if no day was measured.

    Raises:
        IntegrityError: the object is damaged.
    """
    found = models.objects.get(drift_key(version))
    return None if found is None else json_objects.decode(found.body, drift_key(version))


def put_drift(models: ModelStore, version: str, drift: Mapping[str, Any]) -> None:
    """Keep the drift of a version, in place of what was kept before."""
    models.objects.put(drift_key(version), json_objects.encode(drift))


def drift_of(manifest: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], *, limit: float) -> dict[str, Any]:
    """Return the drift of a version as it is shown.

    Args:
        rows: about this version, of MetricsTable.
        limit: TOPICS_MAX_WORD_DRIFT.

    Returns:
        {version, limit, held_out, days (oldest first)}. `held_out` and each of the days map metrics to values, with
        the ends of an interval as `<metric>_low` and `<metric>_high`. A day also has its date as `day`, and `advised`:
        whether its words have drifted further than the limit.
    """
    version = manifest["version"]
    held_out, days = _of_manifest(manifest), dict[str, dict[str, Any]]()
    for row in rows:
        if row["slice"] == DAY:
            days.setdefault(day_of(row["measurement"]), {}).update(_numbers(row))
        elif row["slice"] == HELD_OUT and row["role"] == "challenger":
            held_out |= _numbers(row)
    shown = [{"day": day, **days[day], "advised": days[day].get("word_drift", 0.0) > limit} for day in sorted(days)]
    return {"version": version, "limit": limit, "held_out": held_out, "days": shown}


def week_before(days: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the day seven days before the last one; None if it was not measured."""
    wanted = (date.fromisoformat(days[-1]["day"]) - timedelta(days=7)).isoformat()
    return next((one for one in days if one["day"] == wanted), None)


def sentence(drift: Mapping[str, Any], day: Mapping[str, Any]) -> str:
    """Return one day of `drift_of` for a log."""
    held_out = drift["held_out"].get("perplexity_to_unigram")
    on_held_out = "" if held_out is None else f"; {held_out:.3f} on its held-out tweets"
    parts = [
        f"{drift['version']} on {day['day']}, {day['age_days']:.1f} days after training: {day['tweets']:,.0f} tweets",
        f"{day['share_without_topic']:.1%} without a topic",
    ]
    if "known_words" in day:
        parts.append(f"{day['known_words']:.1%} of the words known")
    if "perplexity_to_unigram" in day:
        parts.append(f"perplexity {_with_interval(day)} of that of word frequencies{on_held_out}")
    drifted = [(what, day[f"{what}_drift"]) for what in ("word", "topic") if f"{what}_drift" in day]
    parts += [f"{what}s drifted by {bits:.3f} bits" for what, bits in drifted]
    advice = f". More than {drift['limit']:g} bits: retraining advised" if day["advised"] else ""
    return ", ".join(parts) + advice


def drift_card(drift: Mapping[str, Any]) -> str:
    """Return the days of `drift_of` as Markdown."""
    lines = [
        "## Live drift",
        "| day | age | tweets | without a topic | known words | perplexity to word frequencies | words | topics |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *(_row(day) for day in drift["days"]),
    ]
    if drift["days"] and drift["days"][-1]["advised"]:
        lines += ["", f"**Retraining advised**: the words drifted by more than {drift['limit']:g} bits."]
    return "\n".join(lines) + "\n"


def _row(day: Mapping[str, Any]) -> str:
    cells = (
        day["day"],
        f"{day['age_days']:.1f} days",
        f"{day['tweets']:,.0f}",
        *(f"{day[name]:.1%}" if name in day else "" for name in ("share_without_topic", "known_words")),
        _with_interval(day) if "perplexity_to_unigram" in day else "",
        *(f"{day[name]:.3f}" if name in day else "" for name in ("word_drift", "topic_drift")),
    )
    return "| " + " | ".join(cells) + " |"


def _with_interval(day: Mapping[str, Any]) -> str:
    name = "perplexity_to_unigram"
    ends = f" ({day[f'{name}_low']:.3f} to {day[f'{name}_high']:.3f})" if f"{name}_low" in day else ""
    return f"{day[name]:.3f}{ends}"


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    found = {row["metric"]: row["value"], f"{row['metric']}_low": row["low"], f"{row['metric']}_high": row["high"]}
    return {name: value for name, value in found.items() if value is not None}


def _of_manifest(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Return what is known of a version that was evaluated before evaluations were kept."""
    metrics = manifest.get("metrics", {})
    if not metrics.get("unigram_perplexity"):
        return {}
    return {"perplexity_to_unigram": metrics["perplexity"] / metrics["unigram_perplexity"]}
