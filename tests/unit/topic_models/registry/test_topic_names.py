"""Names of topics: what is refused, what survives, and what a damaged object does not take down."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from twitter_topics.errors import ConflictError, IntegrityError
from twitter_topics.settings import Settings
from twitter_topics.testing.models import register_planted_model
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.champion import ServingModel
from twitter_topics.topic_models.registry.expiry_tasks import expire
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.topic_names import (
    KEPT_CHANGES,
    KEPT_STATES,
    TOPIC_NAMES,
    TopicNames,
    read_names,
    sentence,
    set_naming,
)

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
V1, V2 = "20261001T000000Z-gsdmm", "20261002T000000Z-gsdmm"


@pytest.fixture
def models() -> ModelStore:
    """A store whose models have had the topics 0 to 19."""
    store = ModelStore(Settings({}), objects=MemoryObjects())
    store.use_topic_ids(20)
    return store


def named(models: ModelStore, topic_id: int, name: str = "", shown_with: int | None = None, **given: Any) -> TopicNames:
    how: dict[str, Any] = {"by": "anna", "at": NOW, "reason": "the storm has a name"} | given
    return set_naming(models, topic_id, name=name, shown_with=shown_with, **how)


def test_a_name_says_who_gave_it_when_and_why(models: ModelStore) -> None:
    assert read_names(models) == TopicNames()
    changed = named(models, 7, "  Storm Eunice ")
    assert read_names(models) == changed
    naming = changed.topics[7]
    assert (naming.name, naming.by, naming.reason) == ("Storm Eunice", "anna", "the storm has a name")
    assert naming.at == "2026-11-05T12:00:00.000+00:00"
    assert (changed.name(7), changed.name(8), changed.shown_with(7)) == ("Storm Eunice", "", None)
    assert sentence(changed, 7) == "topic 7 is shown by the name 'Storm Eunice', by itself"


def test_topics_are_shown_together_and_apart_again(models: ModelStore) -> None:
    named(models, 12, shown_with=7)
    assert read_names(models).shown_with(12) == 7
    assert sentence(read_names(models), 12) == "topic 12 is shown by its label, as a part of topic 7"
    apart = named(models, 12)
    assert (apart.topics, apart.shown_with(12)) == ({}, None)
    assert [(one.topic_id, one.shown_with) for one in apart.history] == [(12, 7), (12, None)]


REFUSED = [
    (7, "x" * 61, None, "", "at most 60 characters; this one has 61"),
    (7, "   ", None, "", "a name of blanks only"),
    (7, "Storm\nEunice", None, "", "one line without control characters"),
    (7, "Storm\x1b[31m", None, "", "one line without control characters"),
    (7, "Storm\u202eecinuE", None, "", "one line without control characters"),
    (7, "Storm", None, "x" * 501, "a reason has at most 500 characters"),
    (7, "", 7, "", "topic 7 cannot be shown with itself"),
    (7.0, "Storm", None, "", "the id of a topic is a whole number, not 7.0"),
    (7, "", 3.0, "", "the id of a topic is a whole number, not 3.0"),
    (True, "Storm", None, "", "the id of a topic is a whole number, not True"),
    (20, "Storm", None, "", "no model has ever had a topic 20: ids so far are 0 to 19"),
    (-1, "Nothing", None, "", "no model has ever had a topic -1"),
    (7, "", 99, "", "no model has ever had a topic 99"),
    (5, "", 12, "", "topic 12 is itself shown with topic 3: choose 3"),
    (3, "", 7, "", "topic 3 has parts of its own (12): show them with topic 7 first"),
    (3, "", 12, "", "topic 12 is itself shown with topic 3: choose 3"),
]


@pytest.mark.parametrize(("topic_id", "name", "shown_with", "reason", "says"), REFUSED)
def test_what_cannot_be_shown_is_refused(
    models: ModelStore, topic_id: int, name: str, shown_with: int | None, reason: str, says: str
) -> None:
    before = named(models, 12, shown_with=3)
    with pytest.raises(ValueError, match=says.replace("(", r"\(").replace(")", r"\)")):
        named(models, topic_id, name, shown_with, reason=reason)
    assert read_names(models) == before


@pytest.mark.parametrize(
    "name", ["台風", "طوفان", "می\u200cخواهم", "👨\u200d👩\u200d👧", "x" * 60, "<b>&amp;</b>", "{7}"]
)
def test_any_language_is_a_name(models: ModelStore, name: str) -> None:
    assert named(models, 7, name).name(7) == name
    assert read_names(models).name(7) == name


def test_without_a_model_there_is_nothing_to_name() -> None:
    with pytest.raises(ValueError, match="no model has ever had a topic 0: there is no model yet"):
        named(ModelStore(Settings({}), objects=MemoryObjects()), 0, "Storm")


def test_history_and_objects_are_bounded(models: ModelStore) -> None:
    for number in range(KEPT_CHANGES + 5):
        named(models, 7, f"name {number}", at=NOW + timedelta(seconds=number))
    names = read_names(models)
    assert (len(names.history), names.history[-1].name) == (KEPT_CHANGES, f"name {KEPT_CHANGES + 4}")
    assert len(models.objects.keys(TOPIC_NAMES)) == KEPT_STATES


def test_an_answer_that_was_lost_is_not_a_second_change(models: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    write = models.objects.put_new

    def written_twice(key: str, body: bytes) -> str:
        write(key, body)
        return write(key, body)  # as a client that repeats a write

    monkeypatch.setattr(models.objects, "put_new", written_twice)
    assert len(named(models, 7, "Storm").history) == 1
    assert len(read_names(models).history) == 1


def overtaken(models: ModelStore, monkeypatch: pytest.MonkeyPatch, by: Callable[[], object]) -> None:
    """Let somebody else make a change between the next one's reading and writing."""
    write = models.objects.put_new

    def second(key: str, body: bytes) -> str:
        monkeypatch.setattr(models.objects, "put_new", write)
        by()
        return write(key, body)

    monkeypatch.setattr(models.objects, "put_new", second)


def test_what_somebody_else_writes_meanwhile_is_kept(models: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken(models, monkeypatch, lambda: named(models, 8, "Flood", by="boris"))
    names = named(models, 7, "Storm")
    assert names == read_names(models)
    assert {topic_id: (one.name, one.by) for topic_id, one in names.topics.items()} == {
        7: ("Storm", "anna"),
        8: ("Flood", "boris"),
    }
    assert len(names.history) == 2


def test_a_change_is_checked_against_what_somebody_else_wrote(
    models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken(models, monkeypatch, lambda: named(models, 12, shown_with=7))
    with pytest.raises(ValueError, match="topic 7 has parts of its own"):
        named(models, 7, shown_with=3)
    assert [one.topic_id for one in read_names(models).history] == [12]


def test_a_write_that_is_not_finished_is_not_read(models: ModelStore) -> None:
    """The local S3 lists the file of such a write next to the object."""
    good = named(models, 7, "Storm")
    models.objects.put(f"{TOPIC_NAMES}{2:012d}.json-387369a4-65aa-4529-bfec-10d06389625e", b'{"topi')
    assert read_names(models) == good
    assert named(models, 8, "Flood").name(7) == "Storm"


def test_somebody_who_is_always_faster_is_reported(models: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(key: str, _body: bytes) -> str:
        raise ConflictError(key)

    monkeypatch.setattr(models.objects, "put_new", taken)
    with pytest.raises(ConflictError, match="nothing was written, try again"):
        named(models, 7, "Storm")


NAMING = {"topic_id": 7, "name": "x", "shown_with": None, "by": "anna", "at": "2026-11-05", "reason": ""}


def damaged(**changed: Any) -> bytes:
    return json.dumps({"topics": {"7": NAMING | changed}, "history": []}).encode()


DAMAGED = [
    b"",
    b"[]",
    b"{}",
    b'{"topics": [], "history": []}',
    b'{"topics": {"7": {}}, "history": []}',
    b'{"topics": {"7": null}, "history": []}',
    damaged(topic_id=8),
    damaged(shown_with=7),
    damaged(shown_with="7"),
    damaged(name=7),
    damaged(name="two\nlines"),
    damaged(by=None),
    damaged(more=1),
    json.dumps(
        {"topics": {"7": NAMING | {"shown_with": 8}, "8": NAMING | {"topic_id": 8, "shown_with": 7}}, "history": []}
    ).encode(),
]


@pytest.mark.parametrize("body", DAMAGED)
def test_a_damaged_object_says_how_to_go_back(models: ModelStore, body: bytes) -> None:
    good = named(models, 7, "Storm")
    key = f"{TOPIC_NAMES}{2:012d}.json"
    models.objects.put(key, body)
    with pytest.raises(IntegrityError, match=f"{key} is damaged: topics are shown by their labels. Delete it"):
        read_names(models)
    with pytest.raises(IntegrityError, match="is damaged"):
        named(models, 7, "Storm")
    assert models.objects.get(key).body == body, "nothing is written over what a person may want to read"  # type: ignore[union-attr]
    models.objects.delete(key)
    assert read_names(models) == good


def test_the_classifier_does_not_read_names(models: ModelStore) -> None:
    register_planted_model(models, V1)
    models.promote(V1, None, "first", "a test")
    models.objects.put(f"{TOPIC_NAMES}{1:012d}.json", b"damaged")
    serving = ServingModel(models)
    model = serving.refresh()
    assert model is not None
    assert (model.version, serving.fault) == (V1, "")


class NoDocuments:
    def model_versions(self) -> list[str]:
        return []


def test_names_survive_promotions_rollbacks_and_the_end_of_their_version(models: ModelStore) -> None:
    """And no later training has the id for another topic."""
    for version, ids in ((V1, 21), (V2, 23)):
        register_planted_model(models, version)
        models.use_topic_ids(ids)  # as a training does
    first = models.promote(V1, None, "first", "a test")
    names = named(models, 20, "Storm Eunice")
    second = models.promote(V2, first.etag, "better", "a test")
    back = models.promote(V1, second.etag, "rolled back", "a test")
    models.promote(V2, back.etag, "after all", "a test")
    for key in models.objects.keys("models/history/"):  # long ago
        models.objects.delete(key)
    kept = {"days": 1, "newest": 1, "max_job_hours": 6}
    done = expire(models, NoDocuments(), **kept, now=NOW, dry_run=False)  # type: ignore[arg-type]
    assert done["expired"] == [V1]
    assert read_names(models) == names
    assert models.next_topic_id() == 23
