"""Decisions of model_promotion about real versions in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from twitter_topics.errors import ConflictError, IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.models import WORDS, model_files, planted_model
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.files import GOLDEN
from twitter_topics.topic_models.registry.promotion_tasks import (
    PromotionRequest,
    awaits_approval,
    choose_version,
    decide,
    promote,
)
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore

CHAMPION, CHALLENGER, LATER = (f"2026110{day}T000000Z-gsdmm" for day in (1, 2, 3))
PLANTED = planted_model(WORDS, ("weather", "music"))
METRICS = {
    "topics": 8, "vocabulary": 900, "documents": 5000, "held_out": 250, "perplexity": 500.0,
    "unigram_perplexity": 900.0, "coherence": 0.2, "diversity": 0.8, "coverage": 0.95,
}  # fmt: skip


class Bench:
    """A store with a champion, and a challenger that the gate would promote."""

    def __init__(self) -> None:
        self.objects = MemoryObjects()
        minutes = (datetime(2026, 11, 4, tzinfo=UTC) + timedelta(minutes=minute) for minute in count())
        self.models = ModelStore(Settings({}), objects=self.objects, clock=lambda: next(minutes))
        self.register(CHAMPION, compared_with=None)
        self.models.promote(CHAMPION, None, "first", "tests")

    def register(
        self,
        version: str,
        *,
        compared_with: str | None = CHAMPION,
        altered: dict[str, bytes] | None = None,
        with_interval: bool = True,
        state: str = "promote",
    ) -> None:
        comparison = {
            "challenger_perplexity": 500.0, "champion_perplexity": 510.0, "common_words_share": 0.95,
            "share_kept": 0.9, "champion": METRICS, "ratio": {"low": 0.95, "high": 1.01},
        }  # fmt: skip
        if not with_interval:
            del comparison["ratio"]
        evaluation: dict[str, Any] = {
            "metrics": METRICS,
            "comparison": comparison if compared_with else None,
            "champion": {"version": compared_with, "etag": "x"} if compared_with else None,
            "verdict": {"state": state, "promote": state == "promote", "reasons": ["good"]},
        }
        files = model_files(PLANTED, ["storm final", "song"])
        self.models.put_files(version, files | {"pipeline/metadata": b"spark"} | (altered or {}))
        self.models.register(version, {"metrics": METRICS, "evaluation": evaluation})

    def decide(
        self,
        version: str = CHALLENGER,
        *,
        force: bool = False,
        reason: str = "",
        promotion: str = "automatic",
        **form: Any,
    ) -> dict[str, Any]:
        request = PromotionRequest(version, force, "we need it" if force else reason, "a person", **form)
        return decide(self.models, version, request, promotion=promotion)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_better_version_that_can_serve_is_promoted(bench: Bench) -> None:
    bench.register(CHALLENGER)
    assert promote(bench.models, bench.decide())["version"] == CHALLENGER


def test_a_retry_finishes_what_its_first_attempt_has_begun(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.register(CHALLENGER)
    decision = bench.decide()

    def unavailable(*_: object) -> str:
        raise RetryableError("S3 is unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(bench.objects, "replace", unavailable)  # the succession is claimed by then
        with pytest.raises(RetryableError):
            promote(bench.models, decision)
    serving = bench.models.champion()
    assert serving is not None
    assert serving.version == CHAMPION
    try:
        promoted = promote(bench.models, decision)
    except ConflictError as error:
        pytest.fail(str(error))
    assert (promoted["version"], promoted["previous"]) == (CHALLENGER, CHAMPION)
    assert [one.version for one in bench.models.history()] == [CHAMPION, CHALLENGER]


def test_a_retry_does_not_take_another_version_for_its_own(bench: Bench) -> None:
    bench.register(CHALLENGER)
    bench.register(LATER)
    decision = bench.decide()
    promote(bench.models, bench.decide(LATER))
    with pytest.raises(ConflictError, match=f"now: {LATER}"):
        promote(bench.models, decision)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", [ARRAYS, GOLDEN, "pipeline/metadata"])
def test_an_altered_file_is_never_promoted(bench: Bench, name: str, force: bool) -> None:
    bench.register(CHALLENGER)
    bench.objects.put(f"models/{CHALLENGER}/{name}", replace(PLANTED, eta=0.2).to_bytes())
    decision = bench.decide(force=force)
    assert decision["promote"] is False
    changed = f"{name} of model {CHALLENGER} has changed since registration: its sha256 differs"
    assert decision["reasons"] == [f"{CHALLENGER} cannot serve: {changed}"]


@pytest.mark.parametrize("force", [False, True])
def test_arrays_that_were_registered_unreadable_are_never_promoted(bench: Bench, force: bool) -> None:
    bench.register(CHALLENGER, altered={ARRAYS: b"arrays"})
    decision = bench.decide(force=force)
    assert decision["promote"] is False
    assert decision["reasons"] == [f"{CHALLENGER} cannot serve: arrays.npz is unreadable: ValueError"]


@pytest.mark.parametrize("force", [False, True])
def test_a_version_that_scores_its_golden_sample_differently_is_never_promoted(bench: Bench, force: bool) -> None:
    golden = json.loads(model_files(PLANTED, ["storm final", "song"])[GOLDEN])
    golden["theta"][0][0] += 1e-5
    bench.register(CHALLENGER, altered={GOLDEN: json.dumps(golden).encode()})
    decision = bench.decide(force=force)
    assert decision["promote"] is False
    assert "scores its golden sample differently: off by 1.0e-05" in decision["reasons"][0]


def test_a_version_from_before_intervals_is_promoted_only_by_a_person(bench: Bench) -> None:
    bench.register(CHALLENGER, with_interval=False)
    decision = bench.decide()
    assert (decision["state"], decision["promote"]) == ("cannot_tell", False)
    assert "from before there was one: train again, or promote it with force" in decision["reasons"][0]
    assert promote(bench.models, bench.decide(force=True))["version"] == CHALLENGER


def test_approval_takes_a_version_and_a_reason(bench: Bench) -> None:
    bench.register(CHALLENGER)
    waiting = bench.decide(promotion="approval")
    assert (waiting["state"], waiting["promote"]) == ("person", False)
    assert waiting["reasons"][-1].endswith(f"run model_promotion with version {CHALLENGER} and a reason")
    assert awaits_approval(bench.models, bench.models.manifests()) == CHALLENGER
    decision = bench.decide(promotion="approval", reason="its topics read well")
    assert promote(bench.models, decision)["reason"] == "its topics read well"
    assert awaits_approval(bench.models, bench.models.manifests()) is None


def test_a_version_that_a_person_took_away_comes_back_only_by_a_person(bench: Bench) -> None:
    bench.register(CHALLENGER)
    promote(bench.models, bench.decide())
    promote(bench.models, bench.decide(CHAMPION, force=True))
    assert choose_version(bench.models, PromotionRequest(), []) == CHALLENGER
    decision = bench.decide()
    assert (decision["state"], decision["promote"]) == ("person", False)
    (reason,) = decision["reasons"]
    assert reason.startswith(f"{CHALLENGER} served until 2026-11-04T00:0")
    assert reason.endswith(f" UTC and was replaced by {CHAMPION}; promote it with force and a reason")
    assert bench.decide(promotion="approval", reason="its topics read well")["promote"] is False
    assert awaits_approval(bench.models, bench.models.manifests()) is None
    bench.register(LATER)
    assert bench.decide(LATER)["promote"] is True
    assert promote(bench.models, bench.decide(force=True))["version"] == CHALLENGER


def test_a_newer_version_that_did_not_pass_hides_none_that_waits(bench: Bench) -> None:
    bench.register(CHALLENGER)
    bench.register(LATER, state="cannot_tell")
    assert awaits_approval(bench.models, bench.models.manifests()) == CHALLENGER


def test_approval_does_not_replace_the_gate(bench: Bench) -> None:
    bench.register(CHALLENGER, with_interval=False)
    decision = bench.decide(promotion="approval", reason="its topics read well")
    assert (decision["state"], decision["promote"]) == ("cannot_tell", False)


@pytest.mark.parametrize("force", [False, True])
def test_a_dry_run_says_what_it_would_do_and_does_nothing(bench: Bench, force: bool) -> None:
    bench.register(CHALLENGER)
    decision = bench.decide(force=force, dry_run=True)
    assert (decision["state"], decision["promote"], decision["dry_run"]) == ("promote", False, True)
    assert decision["reasons"] == bench.decide(force=force)["reasons"]


def test_a_version_that_was_never_registered_is_an_error(bench: Bench) -> None:
    with pytest.raises(IntegrityError, match="never registered"):
        bench.decide(force=True)


def test_a_version_that_has_expired_cannot_be_promoted(bench: Bench) -> None:
    bench.register(CHALLENGER)
    bench.models.expire(CHALLENGER)
    with pytest.raises(IntegrityError, match=f"model {CHALLENGER} has expired: it was deleted on "):
        bench.decide(force=True)
