"""Topic models on S3: immutable versions, and one small object that names the champion.

models/<version>/…                    files of a version; manifest.json is written last and lists them with their sha256
models/champion.json                  the only mutable object, changed by conditional writes
models/claims/…                       successors of champions: see succession.py
models/history/<utc>-<version>.json   every promotion
models/expired/<version>.json         a version that was deleted: its name is not used again
models/topic_ids/<number>             no version has a topic id from this number on
models/topic_names/<number>.json      what people call topics: see topic_names.py
models/drift/<version>.json           what its live drift was; written again after each measured day
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twitter_topics.backends.numbered import numbered, numbers
from twitter_topics.backends.objects import ObjectStore, S3Objects, is_unfinished
from twitter_topics.backends.s3 import PATIENT, Patience
from twitter_topics.errors import ConflictError, IntegrityError
from twitter_topics.topic_models.registry import json_objects
from twitter_topics.topic_models.registry.promotion import Champion, Promotion, decode
from twitter_topics.topic_models.registry.succession import CHAMPION_KEY, HISTORY, Succession, conflict
from twitter_topics.topic_models.registry.version import check_version, is_version

if TYPE_CHECKING:
    from twitter_topics.settings import Settings

log = logging.getLogger(__name__)

ROOT = "models/"
TOPIC_IDS = ROOT + "topic_ids/"
EXPIRED = ROOT + "expired/"
MANIFEST, ARRAYS = "manifest.json", "arrays.npz"

_LOOK_BACK_DAYS = (30, 365, None)
"""How far back the newest names are listed, until there are enough of them."""


class ModelStore:
    """Reads and writes models.

    Every method raises RetryableError while S3 is unavailable and ValueError for an invalid version name.

    Args:
        settings: address of S3.
        objects: another object store, for tests.
        clock: time of promotions.
        patience: how long a request to S3 may take.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        objects: ObjectStore | None = None,
        clock: Callable[[], datetime] | None = None,
        patience: Patience = PATIENT,
    ) -> None:
        self._objects: ObjectStore = objects if objects is not None else S3Objects(settings.s3, patience=patience)
        self._clock = clock or (lambda: datetime.now(UTC))
        self._succession = Succession(self._objects)

    @property
    def objects(self) -> ObjectStore:
        """The bucket, for what is derived from versions."""
        return self._objects

    # --- versions

    def versions(self, newest: int | None = None) -> list[str]:
        """Return the registered versions, oldest first; with `newest`, the last ones, at the cost of so many reads.

        A version without a manifest is unfinished and not listed.
        """
        return [version for version, _ in self._registered(newest)]

    def manifests(self, newest: int | None = None) -> list[dict[str, Any]]:
        """Return the manifests of these versions, which name them.

        Raises:
            IntegrityError: one is unreadable.
        """
        return [json_objects.decode(body, _key(version, MANIFEST)) for version, body in self._registered(newest)]

    def is_registered(self, version: str) -> bool:
        return self._objects.get(_key(version, MANIFEST)) is not None

    def unregistered(self) -> list[str]:
        """Return the versions that have files but no manifest: being trained, given up, or half deleted."""
        return [name for name in self._folders() if not self.is_registered(name)]

    def last_change(self, version: str) -> datetime | None:
        """Return when a file of a version was last written; None if it has none."""
        return self._objects.last_change(_key(version, ""))

    def manifest(self, version: str) -> dict[str, Any]:
        """Return the manifest of a registered version.

        Raises:
            IntegrityError: the version is not registered, or its manifest is unreadable.
        """
        found = self._objects.get(_key(version, MANIFEST))
        if found is None:
            raise IntegrityError(self._missing_message(version))
        return json_objects.decode(found.body, _key(version, MANIFEST))

    def read(self, version: str, name: str) -> bytes:
        """Return one file of a registered version, as it was registered.

        Raises:
            IntegrityError: the file is not in the manifest, is missing, or its sha256 differs.
        """
        listed = self.manifest(version).get("files", {})
        found = self._objects.get(_key(version, name))
        if name not in listed or found is None:
            raise IntegrityError(f"model {version} lacks {name}")
        if hashlib.sha256(found.body).hexdigest() != listed[name]["sha256"]:
            raise IntegrityError(f"{name} of model {version} has changed since registration: its sha256 differs")
        return found.body

    def load_arrays(self, version: str) -> bytes:
        """Return `arrays.npz` of a registered version, verified like `read`."""
        return self.read(version, ARRAYS)

    def verify(self, version: str) -> None:
        """Read every file of a registered version.

        Raises:
            IntegrityError: at the first file that is missing or differs.
        """
        for name in self.manifest(version).get("files", {}):
            self.read(version, name)

    def put_files(self, version: str, files: Mapping[str, bytes] | Path) -> None:
        """Add files to a version that is not registered yet: names and contents, or a folder with everything in it.

        Raises:
            ConflictError: the version is registered and therefore immutable.
        """
        self._require_unregistered(version)
        contents = _folder_contents(files) if isinstance(files, Path) else files
        for name, body in contents.items():
            self._objects.put(_key(version, name), body)

    def read_unregistered(self, version: str, name: str) -> bytes:
        """Return one file of a version that may not be registered yet. Its content is not verified.

        Raises:
            ConflictError: the file does not exist; only a new training can write it.
        """
        found = self._objects.get(_key(version, name))
        if found is None:
            raise ConflictError(
                f"model {version} lacks {name}: an earlier step did not finish, or model_retention has deleted its "
                "files, which had not changed for days; train again"
            )
        return found.body

    def files(self, version: str) -> list[str]:
        """Return the names of all files of a version, registered or not."""
        prefix = _key(version, "")
        return [key.removeprefix(prefix) for key in self._objects.keys(prefix) if not is_unfinished(key)]

    def discard(self, version: str) -> None:
        """Delete the files that an earlier attempt left, so that a repeated training starts clean.

        Raises:
            ConflictError: the version is registered.
        """
        self._require_unregistered(version)
        self._delete_files(version)

    def register(self, version: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Finish a version: list its files with size and sha256, write the manifest and return it.

        Raises:
            ConflictError: the version is already registered.
            IntegrityError: the version has no arrays.
        """
        self._require_unregistered(version)
        listed = {name: _fingerprint(self.read_unregistered(version, name)) for name in self.files(version)}
        if ARRAYS not in listed:
            msg = f"model {version} lacks {ARRAYS}: the training did not finish"
            raise IntegrityError(msg)
        whole = {**manifest, "version": version, "files": listed}
        try:
            self._objects.put_new(_key(version, MANIFEST), json_objects.encode(whole))
        except ConflictError:
            raise ConflictError(_registered_message(version)) from None
        return whole

    def expire(self, version: str) -> None:
        """Delete a version for good. Its promotions stay in the history.

        The mark that it has expired comes first, then its manifest goes, without which nothing loads it. So the version
        is whole or gone whenever this is killed, and a repeat finishes it.

        Raises:
            ConflictError: it is the champion.
        """
        champion = self.champion()
        if champion is not None and champion.version == version:
            raise ConflictError(f"model {version} is the champion and cannot expire")
        expired = {"version": version, "expired_at": self._clock().astimezone(UTC).isoformat(timespec="seconds")}
        self._objects.put(_expired_key(version), json_objects.encode(expired))
        self._objects.delete(_key(version, MANIFEST))
        self._objects.delete(drift_key(version))
        self._delete_files(version)

    def has_expired(self, version: str) -> bool:
        return self._objects.get(_expired_key(version)) is not None

    def half_deleted(self) -> list[str]:
        """Return the versions that have expired and still have files."""
        expired = set(self._objects.keys(EXPIRED))
        return [name for name in self._folders() if _expired_key(name) in expired]

    def next_topic_id(self) -> int:
        """Return an id above those of all versions, expired ones included."""
        noted = self._noted_ids()
        return max(noted) if noted else self.next_registered_topic_id()  # an older release did not note them

    def next_registered_topic_id(self) -> int:
        """Return an id above those of all registered versions."""
        return max((int(manifest.get("next_topic_id", 0)) for manifest in self.manifests()), default=0)

    def use_topic_ids(self, end: int) -> None:
        """Give no id below `end` to another topic, ever."""
        self._objects.put(numbered(TOPIC_IDS, end), b"")
        for lower in self._noted_ids()[:-1]:
            self._objects.delete(numbered(TOPIC_IDS, lower))

    def _noted_ids(self) -> list[int]:
        return numbers(self._objects.keys(TOPIC_IDS), TOPIC_IDS)

    def _registered(self, newest: int | None) -> list[tuple[str, bytes]]:
        names = self._folders() if newest is None else self._newest_first(self._objects.folders, ROOT)
        manifests = (
            (name, found.body)
            for name in names
            if is_version(name) and (found := self._objects.get(_key(name, MANIFEST))) is not None
        )
        return sorted(islice(manifests, newest))

    def _folders(self) -> list[str]:
        return [name for name in self._objects.folders(ROOT) if is_version(name)]

    def _newest_first(self, listed: Callable[[str, str], list[str]], prefix: str) -> Iterator[str]:
        """Yield the names below a prefix, which start with their time. A listing of the newest is enough for most."""
        until = "~"
        for days in _LOOK_BACK_DAYS:
            since = "" if days is None else f"{self._clock() - timedelta(days=days):%Y%m%d}"
            names = [name.removeprefix(prefix) for name in listed(prefix, since)]
            yield from reversed([name for name in names if name < until])
            until = since

    def _delete_files(self, version: str) -> None:
        for key in self._objects.keys(_key(version, "")):
            self._objects.delete(key)

    def _require_unregistered(self, version: str) -> None:
        if self.is_registered(version):
            raise ConflictError(_registered_message(version))
        if self.has_expired(version):
            raise ConflictError(self._missing_message(version))

    def _missing_message(self, version: str) -> str:
        found = self._objects.get(_expired_key(version))
        if found is None:
            return f"model {version} has no {MANIFEST}: it was never registered, or it was deleted"
        at = json_objects.decode(found.body, _expired_key(version)).get("expired_at", "")
        return f"model {version} has expired: it was deleted on {at[:10]} (MODELS_KEEP_DAYS, MODELS_KEEP_VERSIONS)"

    # --- the champion

    def champion(self) -> Champion | None:
        """Return the version in production, or None before the first promotion.

        Raises:
            IntegrityError: champion.json is damaged, or it is missing although there have been promotions.
            DeniedError: S3 does not say whether there is one: the user may not list the bucket.
        """
        found = self._succession.champion()
        return None if found is None else decode(found.body, CHAMPION_KEY).champion(found.etag)

    def promote(self, version: str, expected_etag: str | None, reason: str, by: str) -> Champion:
        """Make a registered version the champion. Rolling back to an older version is the same call.

        Args:
            expected_etag: ETag of the champion that the decision was based on; None when there was none.
            reason: explanation for people. by: who or what decided.

        Raises:
            ConflictError: the champion has changed since; nothing was written. Read it and decide again.
            IntegrityError: the version is not registered, or as `champion`.
        """
        self.manifest(version)
        if self.has_expired(version):
            raise IntegrityError(self._missing_message(version))
        current = self._succession.champion()
        previous = None if current is None else decode(current.body, CHAMPION_KEY)
        if previous is not None:
            self._succession.record(previous)  # its promoter may have been killed before it could
        at = self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
        replaced = None if previous is None else previous.version
        promotion = Promotion(version, at, reason, by, replaced, secrets.token_hex(8))
        if expected_etag != (None if current is None else current.etag):
            raise conflict(promotion, previous)
        return promotion.champion(self._succession.succeed(promotion, previous, expected_etag))

    def history(self, newest: int | None = None) -> list[Promotion]:
        """Return the promotions, oldest first; with `newest`, the last ones, at the cost of so many reads."""
        found = list(self.promotions() if newest is None else islice(self.promotions(), newest + 1))
        return sorted(found, key=lambda promotion: promotion.promoted_at)[-newest if newest else 0 :]

    def promotions(self) -> Iterator[Promotion]:
        """Yield the champion's promotion and then the others, newest first, each read when it is asked for.

        Damaged objects are logged and left out.
        """
        tokens = set()
        for name in chain(("",), self._newest_first(self._objects.keys, HISTORY)):
            key = HISTORY + name if name else CHAMPION_KEY
            stored = self._objects.get(key)
            try:
                promotion = None if stored is None else decode(stored.body, key)
            except IntegrityError as error:
                log.warning("%s", error)
                continue
            if promotion is not None and promotion.token not in tokens:
                tokens.add(promotion.token)
                yield promotion


def drift_key(version: str) -> str:
    return f"{ROOT}drift/{check_version(version)}.json"


def _key(version: str, name: str) -> str:
    return f"{ROOT}{check_version(version)}/{name}"


def _expired_key(version: str) -> str:
    return f"{EXPIRED}{check_version(version)}.json"


def _registered_message(version: str) -> str:
    return f"model {version} is registered and immutable; choose another version"


def _folder_contents(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    # Hadoop's local checksums are useless on S3
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.suffix != ".crc"}


def _fingerprint(body: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
