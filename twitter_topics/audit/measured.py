"""What dashboards show of dead letters, models and the audit, as points of InfluxDB."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twitter_topics.backends.influx import NS_PER_MS, Value, line
from twitter_topics.records import measurements
from twitter_topics.topic_models.registry.version import created_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twitter_topics.audit.balance import Report
    from twitter_topics.backends.dead_letters import Letter
    from twitter_topics.topic_models.registry.promotion import Champion, Promotion

_METRICS = ("perplexity", "unigram_perplexity", "coherence", "diversity", "coverage")
"""Those that are None, because they could not be measured, are left out."""


def dead_letter_lines(letters: Iterable[Letter], raw_records: int, now_ms: int) -> list[str]:
    """Return points about the last hour.

    Args:
        letters: dead letters of that hour.
        raw_records: records of the raw topic in that hour.
    """
    reasons = Counter((letter.stage, letter.kind) for letter in letters)
    total = reasons.total()
    fields: dict[str, Value] = {
        "dead_letters": total,
        "raw_records": raw_records,
        "share": min(1.0, total / raw_records) if raw_records else float(total > 0),
    }
    return [
        line(measurements.DEAD_LETTER_SHARE.name, {}, fields, now_ms * NS_PER_MS),
        *(
            line(
                measurements.DEAD_LETTERS.name,
                {"stage": stage, "reason": reason},
                {"records": records},
                now_ms * NS_PER_MS,
            )
            for (stage, reason), records in sorted(reasons.items())
        ),
    ]


def view_line(unpublished_since: float | None, now_ms: int) -> str:
    """Return the point that says how far InfluxDB is behind the counts.

    Args:
        unpublished_since: Unix seconds of the oldest change that it lacks; None if it lacks none.
    """
    seconds = 0.0 if unpublished_since is None else max(0.0, now_ms / 1000 - unpublished_since)
    return line(measurements.VIEW_BEHIND.name, {}, {"seconds": round(seconds, 1)}, now_ms * NS_PER_MS)


def champion_lines(champion: Champion, now_ms: int) -> list[str]:
    """Return the champion's age, and its promotion."""
    age = max(0.0, (now_ms - _unix_ms(champion.promoted_at)) / 1000)
    fields: dict[str, Value] = {"version": champion.version, "age_seconds": round(age, 1)}
    return [
        line(measurements.MODEL_CHAMPION.name, {}, fields, now_ms * NS_PER_MS),
        promotion_line(champion),
    ]


def promotion_line(promotion: Promotion | Champion) -> str:
    """Return the point of a promotion, the same each time."""
    fields: dict[str, Value] = {
        "version": promotion.version,
        "previous": promotion.previous or "",
        "by": promotion.by,
        "reason": promotion.reason,
    }
    return line(measurements.MODEL_PROMOTION.name, {}, fields, _unix_ms(promotion.promoted_at) * NS_PER_MS)


def gate_line(manifest: Mapping[str, Any]) -> str:
    """Return the point of a registered version that was evaluated, the same each time."""
    version, metrics = str(manifest["version"]), manifest["metrics"]
    verdict = manifest["evaluation"]["verdict"]
    fields: dict[str, Value] = {
        "passed": bool(verdict["promote"]),
        "documents": int(metrics["documents"]),
        "topics": int(metrics["topics"]),
        **{name: float(metrics[name]) for name in _METRICS if metrics[name] is not None},
        "reasons": "; ".join(verdict["reasons"]),
    }
    at_ms = int(created_at(version).timestamp() * 1000)
    return line(measurements.MODEL_GATE.name, {"version": version}, fields, at_ms * NS_PER_MS)


def audit_lines(report: Report, now_ms: int) -> list[str]:
    """Return the result of an audit, and its findings. Notes, which explain numbers, are not findings."""
    facts = report.facts
    findings = [one for one in report.findings if one.kind != "note"]
    fields: dict[str, Value] = {
        "state": report.state,
        "broken": int(report.state == "broken"),
        "produced": facts.produced,
        "archived": facts.archived,
        "indexed": facts.indexed,
        "counted": facts.counted_before_cut,
        "dead_letters": sum(facts.dead_letters.values()),
        "findings": len(findings),
    }
    texts: dict[tuple[str, str], list[str]] = {}
    records: Counter[tuple[str, str]] = Counter()
    for one in findings:
        texts.setdefault((one.hop, one.kind), []).append(one.text)
        records[one.hop, one.kind] += one.count
    return [
        line(measurements.AUDIT_RESULT.name, {}, fields, now_ms * NS_PER_MS),
        *(
            line(
                measurements.AUDIT_FINDING.name,
                {"hop": key[0], "kind": key[1]},
                {"records": records[key], "text": "; ".join(sentences)},
                now_ms * NS_PER_MS,
            )
            for key, sentences in texts.items()
        ),
    ]


def _unix_ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
