"""One driver of an app: the lease on a folder, on real S3 and in memory."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from twitter_topics.backends.lease import Folder, Generations, Lease
from twitter_topics.backends.objects import S3Objects
from twitter_topics.backends.s3 import PROMPT, ensure_bucket, s3_client
from twitter_topics.errors import ConfigurationError, ConflictError, RetryableError, SupersededError
from twitter_topics.settings import Settings
from twitter_topics.testing.objects import MemoryObjects

pytestmark = pytest.mark.contract


@pytest.fixture(params=["folder", "memory", "s3"])
def generations(request: pytest.FixtureRequest) -> Generations:
    if request.param == "memory":
        return MemoryObjects()
    if request.param == "folder":
        return Folder()
    settings = request.getfixturevalue("services").settings(S3_BUCKET=f"lease-{uuid.uuid4().hex[:12]}").s3
    ensure_bucket(s3_client(settings), settings.bucket)
    return S3Objects(settings, patience=PROMPT)


@pytest.fixture
def prefix(generations: Generations, tmp_path: Path) -> str:
    return f"{tmp_path}/x-driver/" if isinstance(generations, Folder) else "checkpoints/x-driver/"


def test_a_second_driver_takes_over_and_the_first_one_ends(generations: Generations, prefix: str) -> None:
    first, second = (Lease(generations, prefix, "x") for _ in range(2))
    first.hold()
    first.hold()
    second.hold()
    with pytest.raises(SupersededError, match="another driver of x"):
        first.hold()
    second.hold()


def test_only_the_last_generations_are_kept(generations: Generations, prefix: str) -> None:
    for _ in range(5):
        Lease(generations, prefix, "x").hold()
    assert [key.removeprefix(prefix) for key in generations.keys(prefix)] == ["000000000004.json", "000000000005.json"]


def test_of_many_that_start_at_once_one_stays(generations: Generations, prefix: str) -> None:
    leases = [Lease(generations, prefix, "x") for _ in range(8)]

    def start(lease: Lease) -> None:
        try:
            lease.hold()
        except (SupersededError, RetryableError):
            return

    with ThreadPoolExecutor(len(leases)) as pool:
        list(pool.map(start, leases))
    holders = [lease for lease in leases if lease._held and _holds(lease)]
    assert len(holders) == 1


def _holds(lease: Lease) -> bool:
    try:
        lease.hold()
    except SupersededError:
        return False
    return True


class LostAnswer(MemoryObjects):
    """The first new object is stored, and the client believes that it was not."""

    lost = False

    def put_new(self, key: str, body: bytes) -> str:
        etag = super().put_new(key, body)
        if not self.lost:
            self.lost = True
            raise ConflictError(f"{key} exists")
        return etag


def test_a_lease_whose_answer_was_lost_is_held() -> None:
    lease = Lease(LostAnswer(), "x/", "x")
    lease.hold()
    lease.hold()
    assert lease._held == 1


def test_it_is_beside_the_checkpoint(tmp_path: Path) -> None:
    def where(checkpoints: str) -> tuple[str, str]:
        lease = Lease.of(Settings({"SPEED_CHECKPOINT_DIR": checkpoints, "S3_BUCKET": "tweets"}), "app")
        bucket = lease._generations._bucket if isinstance(lease._generations, S3Objects) else ""
        return bucket, lease._prefix

    assert where(str(tmp_path / "c")) == ("", f"{tmp_path}/c/app-driver/")
    assert where((tmp_path / "c").as_uri()) == ("", f"{tmp_path}/c/app-driver/")
    assert where("s3a://other/some/prefix") == ("other", "some/prefix/app-driver/")
    bucket, prefix = where("hdfs://name:8020/c")
    assert bucket == "tweets"
    assert prefix.startswith("leases/")


def test_a_folder_that_cannot_be_written_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="SPEED_CHECKPOINT_DIR"):
        Lease(Folder(), f"{tmp_path}/file/x/", "x").hold()
