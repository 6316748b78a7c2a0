"""One odd object does not take the rest from the dashboards."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from twitter_topics.audit import audit_tasks
from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.store import ModelStore

OLD, NEW = "20261101T040000Z-gsdmm", "20261102T040000Z-gsdmm"
METRICS = {
    "documents": 5_000, "topics": 8, "perplexity": 500.0, "unigram_perplexity": 900.0, "coherence": None,
    "diversity": 0.8, "coverage": 0.9,
}  # fmt: skip


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    memory = MemoryObjects()
    monkeypatch.setattr("twitter_topics.topic_models.registry.store.S3Objects", lambda _settings, **_: memory)
    return memory


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The measurements that were written; Kafka has nothing, and the view lacks nothing."""
    names: list[str] = []
    state = SimpleNamespace(unpublished_since=lambda: None, close=lambda: None)
    monkeypatch.setattr("twitter_topics.backends.dead_letters.read_letters", lambda *_: [])
    monkeypatch.setattr("twitter_topics.backends.kafka_offsets.records_since", lambda *_: 7)
    monkeypatch.setattr("twitter_topics.counts.state.CountsState.of", lambda _settings: state)
    monkeypatch.setattr(audit_tasks, "_write", lambda _, lines: names.extend(one.split(",")[0] for one in lines))
    return names


def test_a_damaged_champion_is_reported_after_the_rest_is_written(objects: MemoryObjects, written: list[str]) -> None:
    objects.put("models/champion.json", b"[]")
    with pytest.raises(IntegrityError, match=r"champion\.json"):
        audit_tasks.measure(Settings(), now=1_790_000_000)
    assert [one.split()[0] for one in written] == ["dead_letter_share", "view_behind"]


def test_without_s3_the_rest_is_written(
    objects: MemoryObjects, written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_key: str) -> None:
        raise RetryableError("S3 does not answer")

    monkeypatch.setattr(objects, "get", away)
    with pytest.raises(RetryableError, match="S3 does not answer"):
        audit_tasks.measure(Settings(), now=1_790_000_000)
    assert [one.split()[0] for one in written] == ["dead_letter_share", "view_behind"]


def test_a_version_without_an_evaluation_is_left_out(objects: MemoryObjects, written: list[str]) -> None:
    models = ModelStore(Settings(), objects=objects)
    verdict = {"promote": True, "reasons": ["good"]}
    for version, manifest in ((OLD, {}), (NEW, {"metrics": METRICS, "evaluation": {"verdict": verdict}})):
        models.put_files(version, {"arrays.npz": b"-"})
        models.register(version, manifest)
    models.promote(OLD, None, "first", "a test")
    assert audit_tasks.publish_models(Settings()) == 2
    assert [one.split()[0] for one in written] == ["model_promotion", "model_gate"]
