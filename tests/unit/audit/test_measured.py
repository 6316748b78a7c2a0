"""What dashboards show of dead letters, the view, models and the audit, as lines."""

from __future__ import annotations

import re

import pytest

from twitter_topics.audit.balance import Facts, Finding, Report
from twitter_topics.audit.measured import (
    audit_lines,
    champion_lines,
    dead_letter_lines,
    gate_line,
    promotion_line,
    view_line,
)
from twitter_topics.backends.dead_letters import Letter
from twitter_topics.topic_models.registry.promotion import Champion

NOW_MS = 1_790_000_000_000
NOW_NS = f"{NOW_MS}000000"
CHAMPION = Champion("20260920T040000Z-gsdmm", "etag", "2026-09-20T05:00:00.250+00:00", "a reason", "a person", None)


def letter(stage: str, reason: str, offset: int) -> Letter:
    return Letter(stage, reason, "raw_tweets", 0, offset, 2, "", b"", NOW_MS)


def test_dead_letters_are_counted_by_the_first_word_of_their_reason() -> None:
    letters = [letter("parse", "time: 9 h", 1), letter("parse", "time: 8 h", 2), letter("index", "HTTP 400: no", 3)]
    assert dead_letter_lines(letters, 60, NOW_MS) == [
        f"dead_letter_share dead_letters=3i,raw_records=60i,share=0.05 {NOW_NS}",
        f"dead_letters,stage=index,reason=HTTP\\ 400 records=1i {NOW_NS}",
        f"dead_letters,stage=parse,reason=time records=2i {NOW_NS}",
    ]


@pytest.mark.parametrize(("dead", "raw", "share"), [(0, 0, "0.0"), (1, 0, "1.0"), (3, 2, "1.0"), (0, 5, "0.0")])
def test_the_share_is_at_most_one_and_zero_without_any(dead: int, raw: int, share: str) -> None:
    first = dead_letter_lines([letter("parse", "json: x", at) for at in range(dead)], raw, NOW_MS)[0]
    assert f"share={share} " in first


@pytest.mark.parametrize(
    ("since", "seconds"), [(None, "0.0"), (NOW_MS / 1000 - 12.34, "12.3"), (NOW_MS / 1000 + 5, "0.0")]
)
def test_the_view_is_behind_by_the_age_of_its_oldest_gap(since: float | None, seconds: str) -> None:
    assert view_line(since, NOW_MS) == f"view_behind seconds={seconds} {NOW_NS}"


def test_a_promotion_is_the_same_point_each_time() -> None:
    first, second = (champion_lines(CHAMPION, NOW_MS + later) for later in (0, 60_000))
    promoted = 'model_promotion version="20260920T040000Z-gsdmm",previous="",by="a person",reason="a reason"'
    assert first[1] == second[1] == promotion_line(CHAMPION) == f"{promoted} 1789880400250000000"
    ages = [float(re.search(r"age_seconds=([\d.]+)", lines[0])[1]) for lines in (first, second)]  # type: ignore[index]
    assert ages == pytest.approx([119_599.8, 119_659.8], abs=0.1)


def test_a_measure_that_was_not_taken_is_left_out() -> None:
    metrics = {
        "documents": 5_000, "topics": 8, "perplexity": 500.0, "unigram_perplexity": 900.0, "coherence": None,
        "diversity": 0.8, "coverage": 0.9,
    }  # fmt: skip
    verdict = {"promote": True, "reasons": ["good"]}
    manifest = {"version": CHAMPION.version, "metrics": metrics, "evaluation": {"verdict": verdict}}
    assert "unigram_perplexity=900.0,diversity=0.8," in gate_line(manifest)


def test_findings_of_one_kind_are_one_point_and_notes_are_none() -> None:
    findings = (
        Finding("index", "lost", 2, "2026-09-20: 2 counted tweets are not in the index"),
        Finding("index", "lost", 3, "2026-09-21: 3 counted tweets are not in the index"),
        Finding("index", "note", 9, "9 tweets were rejected by the index"),
    )
    facts = Facts(10, 10, 10, 10, 10, 10, 0, counted_ahead=1)
    result, *found = audit_lines(Report("broken", findings, facts), NOW_MS)
    assert result == (
        'audit_result state="broken",broken=1i,produced=10i,archived=10i,indexed=0i,counted=9i,dead_letters=0i,'
        f"findings=2i {NOW_NS}"
    )
    texts = f"{findings[0].text}; {findings[1].text}"
    assert found == [f'audit_finding,hop=index,kind=lost records=5i,text="{texts}" {NOW_NS}']
