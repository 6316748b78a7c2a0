"""One suite for the object store and the model store, on the in-memory fake and on real S3."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from twitter_topics.backends.objects import ObjectStore, S3Objects
from twitter_topics.backends.s3 import ensure_bucket, s3_client
from twitter_topics.errors import ConfigurationError, ConflictError, IntegrityError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.testing.objects import MemoryObjects
from twitter_topics.topic_models.registry.card import CARD
from twitter_topics.topic_models.registry.files import EVALUATION, GOLDEN, TOPICS, TRAINING, evaluated
from twitter_topics.topic_models.registry.gate import Interval
from twitter_topics.topic_models.registry.registration import register_version
from twitter_topics.topic_models.registry.store import ARRAYS, ModelStore
from twitter_topics.topic_models.registry.succession import CHAMPION_KEY, HISTORY
from twitter_topics.topic_models.registry.topic_names import TOPIC_NAMES, read_names, set_naming

pytestmark = pytest.mark.contract

RACERS = 8
V1, V2, V3 = (f"2026110{day}T000000Z-gsdmm" for day in (1, 2, 3))


def _s3(request: pytest.FixtureRequest) -> ObjectStore:
    settings = request.getfixturevalue("services").settings(S3_BUCKET=f"models-{uuid.uuid4().hex[:12]}").s3
    ensure_bucket(s3_client(settings), settings.bucket)
    return S3Objects(settings)


@pytest.fixture(params=["memory", "s3"])
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    return MemoryObjects() if request.param == "memory" else _s3(request)


@pytest.fixture
def requests(objects: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests to the object store from now on: HTTP requests of S3, calls of the fake."""
    made: list[str] = []
    if isinstance(objects, S3Objects):
        events = objects._client.meta.events
        events.register("before-send.s3", lambda event_name, **_: made.append(event_name))
        return made

    def counted(name: str) -> Callable[..., Any]:
        call = getattr(objects, name)
        return lambda *given: (made.append(name), call(*given))[1]

    for name in ("get", "put", "put_new", "replace", "keys", "folders", "last_change", "delete"):
        monkeypatch.setattr(objects, name, counted(name))
    return made


@pytest.fixture
def store(objects: ObjectStore) -> ModelStore:
    return ModelStore(Settings({}), objects=objects, clock=_clock())


def _clock() -> Callable[[], datetime]:
    moments: Iterator[datetime] = (datetime(2026, 11, 5, tzinfo=UTC) + timedelta(seconds=i) for i in range(10_000))
    lock = threading.Lock()

    def now() -> datetime:
        with lock:
            return next(moments)

    return now


def registered(store: ModelStore, version: str, arrays: bytes = b"arrays") -> str:
    store.put_files(version, {ARRAYS: arrays, "pipeline/metadata/part-0": b"{}", "pipeline/metadata/_SUCCESS": b""})
    store.register(version, {"next_topic_id": 3, "topics": [{"topic_id": 0, "label": "storm · wind · rain"}]})
    return version


# --- objects


def test_objects_survive_a_round_trip(objects: ObjectStore) -> None:
    objects.put("a/b", b"one")
    objects.put("a/b", b"two")
    objects.put("a/c/d", b"")
    objects.put("b", b"x")
    found = objects.get("a/b")
    assert found is not None
    assert found.body == b"two"
    assert objects.get("a/zzz") is None
    assert objects.keys("a/") == ["a/b", "a/c/d"]
    assert objects.folders("a/") == ["c"]
    objects.delete("a/b")
    objects.delete("a/b")
    assert objects.get("a/b") is None


def test_keys_and_folders_after_a_name(objects: ObjectStore) -> None:
    for key in ("a/2025", "a/20260101/x", "a/20260201/x", "a/20260201/y", "a/20260301", "a/b/x", "b"):
        objects.put(key, b"")
    assert objects.keys("a/", "20260201") == ["a/20260201/x", "a/20260201/y", "a/20260301", "a/b/x"]
    assert objects.keys("a/", "20260301") == ["a/b/x"]
    assert objects.folders("a/", "20260115") == ["20260201", "b"]
    assert objects.folders("a/", "2027") == ["b"]
    assert objects.keys("a/", "c") == objects.folders("a/", "c") == []


def test_the_last_change_of_a_folder(objects: ObjectStore) -> None:
    assert objects.last_change("a/") is None
    before = datetime.now(UTC) - timedelta(seconds=2)  # S3 has whole seconds
    objects.put("a/b", b"")
    objects.put("c", b"")
    changed = objects.last_change("a/")
    assert changed is not None
    assert before <= changed <= datetime.now(UTC) + timedelta(seconds=1)


def test_conditional_writes(objects: ObjectStore) -> None:
    etag = objects.put_new("k", b"1")
    with pytest.raises(ConflictError):
        objects.put_new("k", b"2")
    newer = objects.replace("k", b"3", etag)
    with pytest.raises(ConflictError):
        objects.replace("k", b"4", etag)
    with pytest.raises(ConflictError):
        objects.replace("missing", b"5", etag)
    found = objects.get("k")
    assert found is not None
    assert (found.body, found.etag) == (b"3", newer)


def test_more_keys_than_one_page(objects: ObjectStore) -> None:
    names = [f"many/{number:04d}" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: objects.put(name, b""), names))
    assert objects.keys("many/") == names


# --- versions


def test_a_version_exists_when_its_manifest_does(store: ModelStore) -> None:
    store.put_files(V1, {ARRAYS: b"arrays"})
    assert store.versions() == []
    with pytest.raises(IntegrityError, match="never registered"):
        store.manifest(V1)
    registered(store, V2)
    manifest = store.register(V1, {"next_topic_id": 3})
    assert store.versions() == [V1, V2]
    assert store.manifest(V1) == manifest
    digest = "381d5d94e168a810f723a90993e1a424589391db725bf0a4d9b91579f757ddc6"
    assert manifest["files"] == {ARRAYS: {"sha256": digest, "bytes": 6}}
    assert store.load_arrays(V1) == b"arrays"


def test_a_registered_version_never_changes(store: ModelStore) -> None:
    registered(store, V1)
    for attempt in (
        lambda: store.register(V1, {}),
        lambda: store.put_files(V1, {"more": b""}),
        lambda: store.discard(V1),
    ):
        with pytest.raises(ConflictError, match="registered"):
            attempt()
    assert store.load_arrays(V1) == b"arrays"


def test_one_of_many_registers(store: ModelStore) -> None:
    store.put_files(V1, {ARRAYS: b"arrays"})
    results = race(lambda number: store.register(V1, {"by": number}))
    winners = [result for result in results if not isinstance(result, Exception)]
    assert len(winners) == 1
    assert store.manifest(V1)["by"] == winners[0]["by"]


def test_writes_that_the_local_s3_has_not_finished_are_no_files(store: ModelStore, objects: ObjectStore) -> None:
    unfinished = f"models/{V1}/manifest.json-6156dbac-f24f-4940-a428-141d793a6e78"
    objects.put(unfinished, b"")
    store.put_files(V1, {ARRAYS: b"arrays", "pipeline/part-00000-6156dbac-f24f-4940-a428-141d793a6e78-c000.txt": b"x"})
    assert store.files(V1) == [ARRAYS, "pipeline/part-00000-6156dbac-f24f-4940-a428-141d793a6e78-c000.txt"]
    store.discard(V1)
    assert objects.keys(f"models/{V1}/") == []
    objects.put(unfinished, b"")
    store.put_files(V1, {ARRAYS: b"arrays"})
    assert store.register(V1, {})["files"].keys() == {ARRAYS}


def test_an_unfinished_version_is_discarded_and_rebuilt(store: ModelStore, objects: ObjectStore) -> None:
    store.put_files(V1, {ARRAYS: b"old", "pipeline/left-over": b"x"})
    store.discard(V1)
    assert store.files(V1) == []
    with pytest.raises(IntegrityError, match=ARRAYS):
        store.register(V1, {})
    registered(store, V1)
    assert store.files(V1) == [ARRAYS, "manifest.json", "pipeline/metadata/_SUCCESS", "pipeline/metadata/part-0"]


def test_damage_is_found(store: ModelStore, objects: ObjectStore) -> None:
    registered(store, V1)
    store.verify(V1)
    objects.put(f"models/{V1}/{ARRAYS}", b"arrayz")
    with pytest.raises(IntegrityError, match="sha256"):
        store.load_arrays(V1)
    with pytest.raises(IntegrityError, match="sha256"):
        store.verify(V1)
    objects.delete(f"models/{V1}/{ARRAYS}")
    with pytest.raises(IntegrityError, match=f"lacks {ARRAYS}"):
        store.load_arrays(V1)
    objects.put(f"models/{V1}/added", b"x")
    with pytest.raises(IntegrityError, match="lacks added"):
        store.read(V1, "added")
    objects.put(f"models/{V1}/manifest.json", b"[1")
    with pytest.raises(IntegrityError, match="not a JSON object"):
        store.manifest(V1)


def test_a_folder_is_uploaded_without_local_checksums(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "pipeline" / "stages").mkdir(parents=True)
    (tmp_path / "pipeline" / "stages" / "part-0").write_bytes(b"data")
    (tmp_path / "pipeline" / "stages" / ".part-0.crc").write_bytes(b"crc")
    store.put_files(V1, tmp_path)
    assert store.files(V1) == ["pipeline/stages/part-0"]


@pytest.mark.parametrize("name", ["history", "../x", "", "20261101T000000Z-gsdmm/..", "champion.json"])
def test_only_versions_become_keys(store: ModelStore, name: str) -> None:
    for use in (store.manifest, store.discard, store.load_arrays):
        with pytest.raises(ValueError, match="not a version name"):
            use(name)


def many_versions(objects: ObjectStore, days: int) -> list[str]:
    """Register a version each day, the last one on the day of the store's clock, and promote each."""
    start = datetime(2026, 11, 5, tzinfo=UTC) - timedelta(days=days - 1)
    names = [f"{start + timedelta(days=day):%Y%m%d}T000000Z-gsdmm" for day in range(days)]
    for version in names:
        objects.put(f"models/{version}/{ARRAYS}", b"arrays")
        objects.put(f"models/{version}/manifest.json", json.dumps({"version": version}).encode())
        at = datetime.strptime(version[:8], "%Y%m%d").replace(tzinfo=UTC)
        promotion = {"version": version, "promoted_at": at.isoformat(), "reason": "", "by": "", "previous": None}
        body = json.dumps(promotion | {"token": version}).encode()
        objects.put(f"models/history/{at:%Y%m%dT%H%M%S.%fZ}-{version}.json", body)
    objects.put(CHAMPION_KEY, body)
    return names


@pytest.mark.parametrize("days", [25, 60, 400])
def test_the_newest_cost_what_is_shown(store: ModelStore, objects: ObjectStore, requests: list[str], days: int) -> None:
    """However many versions and promotions there have been."""
    names = many_versions(objects, days)
    for ask, answer, most in (
        (lambda: store.versions(newest=20), names[-20:], 21),
        (lambda: [manifest["version"] for manifest in store.manifests(newest=20)], names[-20:], 21),
        (lambda: [one.version for one in store.history(newest=5)], names[-5:], 8),
        (lambda: [one.version for one in store.history(newest=1)], names[-1:], 4),
        (lambda: [next(store.promotions()).version], names[-1:], 1),
        (lambda: store.is_registered(names[0]), True, 1),
    ):
        requests.clear()
        assert ask() == answer
        assert len(requests) <= most, requests
    assert store.versions() == names
    assert [one.version for one in store.history()] == names


def test_the_newest_of_a_store_that_has_rested_for_years(
    store: ModelStore, objects: ObjectStore, requests: list[str]
) -> None:
    names = ["20180101T000000Z-gsdmm", "20180102T000000Z-gsdmm", "20260101T000000Z-gsdmm"]
    for version in names:
        objects.put(f"models/{version}/manifest.json", b"{}")
    objects.put("models/20260102T000000Z-gsdmm/unfinished", b"")
    requests.clear()
    assert store.versions(newest=2) == names[-2:]
    assert len(requests) == 6, "three listings: the last 30 days, the last year, everything"
    assert store.versions(newest=20) == names
    assert store.unregistered() == ["20260102T000000Z-gsdmm"]


# --- expiry


def test_an_expired_version_is_gone_and_its_name_is_not_used_again(store: ModelStore, objects: ObjectStore) -> None:
    for version in (V1, V2):
        registered(store, version)
    first = store.promote(V1, None, "first", "tests")
    second = store.promote(V2, first.etag, "second", "tests")
    with pytest.raises(ConflictError, match=f"{V2} is the champion"):
        store.expire(V2)
    store.expire(V1)
    assert store.versions() == [V2]
    assert objects.keys(f"models/{V1}/") == []
    assert store.has_expired(V1)
    assert not store.has_expired(V2)
    assert [one.version for one in store.history()] == [V1, V2]
    uses: list[Callable[[], Any]] = [
        lambda: store.manifest(V1),
        lambda: store.load_arrays(V1),
        lambda: store.promote(V1, second.etag, "back", "tests"),
    ]
    for use in uses:
        with pytest.raises(IntegrityError, match=f"model {V1} has expired: it was deleted on 2026-11-05"):
            use()
    attempts: list[Callable[[], Any]] = [lambda: store.put_files(V1, {ARRAYS: b"again"}), lambda: store.discard(V1)]
    for attempt in attempts:
        with pytest.raises(ConflictError, match="has expired"):
            attempt()
    assert store.champion() == second


def test_a_version_that_is_being_deleted_is_whole_or_gone(objects: ObjectStore) -> None:
    """Killed before each of the writes, and finished by the next run."""
    store = ModelStore(Settings({}), objects=objects, clock=_clock())
    for number in range(1, 29):
        version = f"202610{number:02d}T000000Z-gsdmm"
        registered(store, version)
        dying = ModelStore(Settings({}), objects=KilledAfter(objects, number - 1), clock=store._clock)
        try:
            dying.expire(version)
        except KilledError:
            assert store.half_deleted() == ([version] if number > 1 else [])
        else:
            break
        if version in store.versions():
            store.verify(version)
        else:
            with pytest.raises(IntegrityError, match="has expired"):
                store.load_arrays(version)
        if number > 1:
            with pytest.raises(IntegrityError, match="has expired"):
                store.promote(version, None, "while it is being deleted", "tests")
        store.expire(version)
        assert store.files(version) == []
        assert store.half_deleted() == []
    assert number == 7, "the mark, the manifest, the drift and three files"


def test_ids_of_topics_are_used_once_whatever_expires(store: ModelStore, objects: ObjectStore) -> None:
    assert store.next_topic_id() == 0
    for version, next_topic_id in ((V1, 3), (V2, 12), (V3, 7)):
        store.put_files(version, {ARRAYS: b"arrays"})
        store.register(version, {"next_topic_id": next_topic_id})
    assert store.next_topic_id() == 12, "of an older release, which did not note them"
    store.use_topic_ids(store.next_topic_id())
    store.expire(V2)
    assert store.next_topic_id() == 12
    store.use_topic_ids(1_000)
    store.use_topic_ids(90)
    assert store.next_topic_id() == 1_000
    assert objects.keys("models/topic_ids/") == [f"models/topic_ids/{1_000:012d}"]


def test_a_note_of_ids_that_is_not_finished_is_not_read(store: ModelStore, objects: ObjectStore) -> None:
    """The local S3 lists the file of such a write next to the object, forever if it was killed."""
    store.use_topic_ids(90)
    objects.put(f"models/topic_ids/{90:012d}-387369a4-65aa-4529-bfec-10d06389625e", b"")
    assert store.next_topic_id() == 90
    store.use_topic_ids(90)
    assert store.next_topic_id() == 90


# --- the champion


def test_promotion_and_rollback(store: ModelStore) -> None:
    assert store.champion() is None
    assert store.history() == []
    registered(store, V1)
    registered(store, V2)
    first = store.promote(V1, None, "the first one", "tests")
    assert store.champion() == first
    assert (first.version, first.previous, first.by) == (V1, None, "tests")
    second = store.promote(V2, first.etag, "better", "tests")
    back = store.promote(V1, second.etag, "it was not", "tests")
    assert store.champion() == back
    assert back.previous == V2
    assert back.etag not in (first.etag, second.etag)
    assert [(one.version, one.reason) for one in store.history()] == [
        (V1, "the first one"),
        (V2, "better"),
        (V1, "it was not"),
    ]


def test_only_what_was_registered_is_promoted(store: ModelStore) -> None:
    store.put_files(V1, {ARRAYS: b"arrays"})
    with pytest.raises(IntegrityError, match="never registered"):
        store.promote(V1, None, "too early", "tests")
    assert store.champion() is None


def test_an_outdated_decision_changes_nothing(store: ModelStore) -> None:
    for version in (V1, V2, V3):
        registered(store, version)
    first = store.promote(V1, None, "first", "tests")
    second = store.promote(V2, first.etag, "second", "tests")
    for expected in (None, first.etag):
        with pytest.raises(ConflictError, match=f"now: {V2}"):
            store.promote(V3, expected, "late", "tests")
    assert store.champion() == second
    assert len(store.history()) == 2


@pytest.mark.parametrize("first_of_all", [True, False])
def test_a_race_has_one_winner(store: ModelStore, first_of_all: bool) -> None:
    for version in (V1, V2):
        registered(store, version)
    expected = None if first_of_all else store.promote(V1, None, "first", "tests").etag
    before = len(store.history())
    results = race(lambda number: store.promote(V2, expected, "race", f"racer {number}"))
    winners = [result for result in results if not isinstance(result, Exception)]
    assert len(winners) == 1
    assert sum(isinstance(result, ConflictError) for result in results) == RACERS - 1
    assert store.champion() == winners[0]
    history = store.history()
    assert len(history) == len({one.token for one in history}) == before + 1
    assert history[-1].by == winners[0].by


def test_a_promoter_killed_before_the_history_loses_nothing(store: ModelStore, objects: ObjectStore) -> None:
    registered(store, V1)
    registered(store, V2)
    first = store.promote(V1, None, "first", "tests")
    for key in objects.keys(HISTORY):
        objects.delete(key)
    assert [one.version for one in store.history()] == [V1]
    store.promote(V2, first.etag, "second", "tests")
    assert [one.version for one in store.history()] == [V1, V2]
    assert len(objects.keys(HISTORY)) == 2


def test_a_write_whose_response_was_lost_is_recognised(objects: ObjectStore) -> None:
    """The client repeats such a write; the repeat then conflicts with the first attempt."""
    store = ModelStore(Settings({}), objects=AnswerLost(objects), clock=_clock())
    registered(store, V1)
    champion = store.promote(V1, None, "first", "tests")
    assert store.champion() == champion
    assert len(store.history()) == 1


def test_a_damaged_pointer_is_reported(store: ModelStore, objects: ObjectStore) -> None:
    for damaged in (b"", b"[]", b'{"version": "x"}'):
        objects.put(CHAMPION_KEY, damaged)
        with pytest.raises(IntegrityError, match=CHAMPION_KEY):
            store.champion()


def test_no_key_ends_like_a_torn_upload_of_the_local_s3(store: ModelStore, objects: ObjectStore) -> None:
    registered(store, V1)
    store.promote(V1, None, "first", "tests")
    assert objects.keys("models/history/")[0].endswith(f"Z-{V1}.json")


# --- registration from files


def test_registration_gathers_the_files_of_the_jobs(store: ModelStore) -> None:
    metrics: dict[str, Any] = {
        "topics": 3, "vocabulary": 9, "documents": 10, "held_out": 5, "perplexity": 1.0, "unigram_perplexity": 2.0,
        "coherence": 0.1, "diversity": 0.5, "coverage": 1.0,
    }  # fmt: skip
    compared = {
        "challenger_perplexity": 1.0, "champion_perplexity": 1.1, "common_words_share": 1.0, "share_kept": 0.9,
        "champion": metrics,
    }  # fmt: skip
    files = {
        TRAINING: {
            "request": {"trainer": "gsdmm", "k": 3},
            "snapshot": 7,
            "tweets": 20,
            "documents": 10,
            "next_topic_id": 4,
        },
        TOPICS: {
            "topics": [
                {
                    "topic_id": 3,
                    "label": "goal · match",
                    "top_words": ["goal"],
                    "documents": 10,
                    "share": 1.0,
                    "status": "new",
                }
            ]
        },
        EVALUATION: {
            "metrics": metrics,
            "comparison": compared,
            "champion": {"version": V2, "etag": "x"},
            "verdict": {"promote": True, "reasons": ["good"]},
        },
    }
    store.put_files(V1, {ARRAYS: b"arrays", **{name: json.dumps(body).encode() for name, body in files.items()}})
    with pytest.raises(ConflictError, match=GOLDEN):
        register_version(store, V1)
    store.put_files(V1, {GOLDEN: b"{}"})
    manifest = register_version(store, V1)
    assert "**Gate: passes.** good." in store.read(V1, CARD).decode()
    assert manifest == store.manifest(V1)
    assert manifest["created_at"] == "2026-11-01T00:00:00+00:00"
    assert manifest["topics"][0]["label"] == "goal · match"
    assert (manifest["snapshot"], manifest["next_topic_id"], manifest["version"]) == (7, 4, V1)
    assert (manifest["tweets"], manifest["held_out_one_in"]) == (20, 20)
    judged, comparison = evaluated(manifest["evaluation"])
    assert judged.perplexity == 1.0
    assert comparison is not None
    assert comparison.champion == judged
    assert comparison.ratio is None, "as in versions from before it was kept"
    with_interval = {**compared, "ratio": {"low": 0.9, "high": 1.1}}
    _, comparison = evaluated({**manifest["evaluation"], "comparison": with_interval})
    assert comparison is not None
    assert comparison.ratio == Interval(0.9, 1.1)


# --- S3 alone


def test_unavailable_s3_is_retryable_and_a_wrong_bucket_is_not(request: pytest.FixtureRequest) -> None:
    services = request.getfixturevalue("services")
    down = S3Objects(services.settings(S3_ENDPOINT_URL="http://127.0.0.1:9").s3)
    with pytest.raises(RetryableError):
        down.get("k")
    wrong = S3Objects(services.settings(S3_BUCKET="no-such-bucket-here").s3)
    with pytest.raises(ConfigurationError, match="S3_BUCKET"):
        wrong.put("k", b"")


def test_of_many_people_who_name_topics_nobody_loses_a_change(store: ModelStore) -> None:
    store.use_topic_ids(RACERS)
    at = datetime(2026, 11, 5, tzinfo=UTC)
    by: dict[str, Any] = {"shown_with": None, "by": "tests", "at": at, "reason": ""}
    results = race(lambda number: set_naming(store, number, name=f"name {number}", **by))
    assert not [result for result in results if isinstance(result, Exception)]
    names = read_names(store)
    assert {topic_id: one.name for topic_id, one in names.topics.items()} == {i: f"name {i}" for i in range(RACERS)}
    assert len(names.history) == RACERS
    assert len(store.objects.keys(TOPIC_NAMES)) == RACERS


class KilledError(Exception):
    """Stands for kill -9."""


class KilledAfter:
    """An object store whose user is killed instead of making another write."""

    def __init__(self, inner: ObjectStore, writes: int) -> None:
        self._inner, self._left = inner, writes

    def __getattr__(self, name: str) -> Any:
        if name in ("put", "put_new", "replace", "delete"):
            if not self._left:
                raise KilledError
            self._left -= 1
        return getattr(self._inner, name)


class AnswerLost:
    """An object store that performs the first conditional write of the champion twice, as a retrying client does."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put_new(self, key: str, body: bytes) -> str:
        etag = self._inner.put_new(key, body)
        return self._inner.put_new(key, body) if key == CHAMPION_KEY else etag


def race(attempt: Callable[[int], Any]) -> list[Any]:
    """Results or exceptions of RACERS threads that start together."""
    barrier = threading.Barrier(RACERS)

    def run(number: int) -> Any:
        barrier.wait()
        try:
            return attempt(number)
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def test_the_claim_of_a_killed_promoter_is_completed(store: ModelStore, objects: ObjectStore) -> None:
    for version in (V1, V2, V3):
        registered(store, version)
    first = store.promote(V1, None, "first", "tests")

    def killed(*_: object) -> str:
        raise KilledError

    dying = ModelStore(Settings({}), objects=objects, clock=store._clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dying._succession, "_swap", killed)
        with pytest.raises(KilledError):
            dying.promote(V2, first.etag, "second", "the one that dies")
    assert store.champion() == first

    with pytest.raises(ConflictError, match=f"now: {V2}"):
        store.promote(V3, first.etag, "third", "tests")
    serving = store.champion()
    assert serving is not None
    assert (serving.version, serving.by) == (V2, "the one that dies")
    assert store.promote(V3, serving.etag, "third", "tests").version == V3
    assert [one.version for one in store.history()] == [V1, V2, V3]


def test_a_champion_that_a_person_put_back_is_succeeded_like_any_other(store: ModelStore, objects: ObjectStore) -> None:
    for version in (V1, V2, V3):
        registered(store, version)
    first = store.promote(V1, None, "first", "tests")
    kept = objects.get(CHAMPION_KEY)
    assert kept is not None
    second = store.promote(V2, first.etag, "second", "tests")
    store.promote(V3, second.etag, "third", "tests")
    for version in (V3, V2):  # as docs/operations.md says, and once more
        objects.put(CHAMPION_KEY, kept.body)
        serving = store.champion()
        assert serving is not None
        assert serving.version == V1
        assert store.promote(version, serving.etag, "again", "tests").version == version
        again = store.champion()
        assert again is not None
        assert again.version == version


def test_of_many_who_succeed_a_champion_that_was_put_back_one_wins(store: ModelStore, objects: ObjectStore) -> None:
    for version in (V1, V2):
        registered(store, version)
    first = store.promote(V1, None, "first", "tests")
    kept = objects.get(CHAMPION_KEY)
    assert kept is not None
    store.promote(V2, first.etag, "second", "tests")
    objects.put(CHAMPION_KEY, kept.body)
    serving = store.champion()
    assert serving is not None
    results = race(lambda number: store.promote(V2, serving.etag, f"racer {number}", "tests"))
    winners = [result for result in results if not isinstance(result, Exception)]
    assert len(winners) == 1
    assert store.champion() == winners[0]


def test_a_champion_that_is_missing_is_not_taken_for_none_yet(store: ModelStore, objects: ObjectStore) -> None:
    assert store.champion() is None
    for version in (V1, V2):
        registered(store, version)
    first = store.promote(V1, None, "first", "tests")
    store.promote(V2, first.etag, "second", "tests")
    objects.delete(CHAMPION_KEY)
    with pytest.raises(IntegrityError, match=f"{CHAMPION_KEY} is missing"):
        store.champion()
    with pytest.raises(IntegrityError, match=f"{CHAMPION_KEY} is missing"):
        store.promote(V2, None, "third", "tests")
    assert objects.get(CHAMPION_KEY) is None
