"""The jars of Spark and of the servers, fetched from Maven Central as locked in jars.lock.

    python -m twitter_topics.local.jars          fetch missing files; every file is checked against the lock
    python -m twitter_topics.local.jars --check  exit code 0 if everything is there, else 1
    python -m twitter_topics.local.jars --lock   resolve ivy.xml with Ivy and rewrite the lock

MAVEN_REPO_URL and the mirror and proxy of the user's Maven settings are used. (Not `spark-submit --packages`: it
resolves at every submit and adds second copies of jars that Spark has.)
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from twitter_topics.errors import EXIT_FAILED, ConfigurationError, IntegrityError, RetryableError, TwitterTopicsError
from twitter_topics.local import maven
from twitter_topics.local.downloads import Download, fetch_all, sha256
from twitter_topics.local.java import find_java
from twitter_topics.local.layout import ELASTICSEARCH, JARS, RECIPES, SHARED
from twitter_topics.settings import inherited

JAR_GROUPS = ("spark", "kafka", "s3", "elasticsearch")
LOCK = RECIPES / "jars.lock"
_STAMP = SHARED / "jars.stamp"
_FIX = "run `make up`, or `python -m twitter_topics.local.jars`"
_MB = 1_000_000
log = logging.getLogger("jars")


@dataclass(frozen=True)
class LockedFile:
    """One line of the lock."""

    sha256: str
    size: int
    group: str
    path: str
    """Relative to the repository's URL: org/apache/kafka/…/NAME.jar"""

    @property
    def name(self) -> str:
        """group/file, relative to the folder of jars."""
        return f"{self.group}/{Path(self.path).name}"

    def line(self) -> str:
        """Return the line of the lock."""
        return f"{self.sha256}  {self.size:>9}  {self.group:<13}  {self.path}\n"


def require() -> None:
    """Check that every file of the lock is there. Quick: it compares a stamp, names and sizes.

    Raises:
        ConfigurationError: something is missing; the message names the fix.
    """
    if not is_complete():
        raise ConfigurationError(f"the jars are missing or differ from {LOCK.name}: {_FIX}")


def is_complete(lock: Path = LOCK, folder: Path = JARS, stamp: Path = _STAMP) -> bool:
    """Return whether the folder is unchanged since it was checked against this lock file."""
    return stamp.exists() and stamp.read_text() == _stamp_text(lock, folder)


def _stamp_text(lock: Path, folder: Path) -> str:
    sizes = []
    for locked in read_lock(lock):
        file = folder / locked.name
        sizes.append(f"{locked.name} {file.stat().st_size if file.exists() else 'missing'}")
    return "\n".join([hashlib.sha256(lock.read_bytes()).hexdigest(), *sizes]) + "\n"


def read_lock(lock: Path) -> list[LockedFile]:
    """Return the files of the lock, in its order."""
    found = []
    for line in lock.read_text().splitlines():
        digest, size, group, path = line.split()
        found.append(LockedFile(digest, int(size), group, path))
    return found


def check(folder: Path, lock: Path) -> None:
    """Check that the folder holds exactly the files of the lock, by hash.

    Raises:
        IntegrityError: files differ; the message names them.
    """
    wanted = {locked.name: locked.sha256 for locked in read_lock(lock)}
    found = {f"{group}/{file.name}": sha256(file) for group in JAR_GROUPS for file in (folder / group).glob("*")}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise IntegrityError(f"{folder} differs from {lock.name}: {', '.join(wrong)}")


def fetch() -> None:
    """Fetch missing files, remove files that are not in the lock, check everything.

    Raises:
        RetryableError: the repository is unreachable; the next run resumes.
        IntegrityError: a file differs from the lock.
    """
    locked = read_lock(LOCK)
    _STAMP.unlink(missing_ok=True)
    _remove_others({file.name for file in locked})
    settings = maven.of_user()
    downloads = [
        Download(f"{settings.repository}/{file.path}", JARS / file.name, file.size, file.sha256) for file in locked
    ]
    try:
        fetch_all(downloads, _ProgressLines(), proxies=settings.proxies)
    except RetryableError as error:
        fix = "Behind a proxy or a mirror, configure it in ~/.m2/settings.xml or set MAVEN_REPO_URL"
        raise RetryableError(f"{error}. {fix}") from error
    check(JARS, LOCK)
    _unpack_elasticsearch()
    _STAMP.write_text(_stamp_text(LOCK, JARS))


def _remove_others(names: set[str]) -> None:
    for file in JARS.glob("*/*"):
        if f"{file.parent.name}/{file.name.removesuffix('.part')}" not in names:
            file.unlink()


class _ProgressLines:
    """Logs `12 of 293 MB`, at most once per second."""

    def __init__(self) -> None:
        self._shown_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self._shown_at >= 1:
            self._shown_at = time.monotonic()
            log.info("%d of %d MB", done // _MB, total // _MB)


def relock() -> None:
    """Resolve ivy.xml with Ivy, which pyspark ships, and write the lock.

    Raises:
        ConfigurationError: no Java that Spark supports, or no pyspark.
        RetryableError: Ivy cannot fetch; its message is on stderr.
    """
    with tempfile.TemporaryDirectory() as scratch:
        _resolve(Path(scratch))
        found = sorted(_locked_file(Path(scratch), file) for file in Path(scratch).rglob("*") if file.is_file())
    LOCK.write_text("".join(line for _, line in found))


def _locked_file(root: Path, file: Path) -> tuple[str, str]:
    group, organisation, *rest = file.relative_to(root).parts
    locked = LockedFile(sha256(file), file.stat().st_size, group, "/".join([*organisation.split("."), *rest]))
    return locked.name, locked.line()


def _resolve(out: Path) -> None:
    spark = importlib.util.find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise ConfigurationError("pyspark is not installed; run `make up`")
    user = maven.of_user()
    settings = (RECIPES / "ivysettings.xml").read_text()
    if user.mirror:
        settings = settings.replace('m2compatible="true"', f'm2compatible="true" root="{user.repository}"')
    with tempfile.TemporaryDirectory() as scratch:
        settings_file = Path(scratch) / "ivysettings.xml"
        settings_file.write_text(settings)
        cache = inherited(["IVY_CACHE"]).get("IVY_CACHE") or str(Path.home() / ".ivy2" / "cache")
        command = [find_java().program, *user.java_options, f"-Divy.cache={cache}"]
        command += ["-cp", f"{Path(spark.origin).parent}/jars/*", "org.apache.ivy.Main", "-error"]
        command += ["-settings", str(settings_file), "-ivy", str(RECIPES / "ivy.xml"), "-confs", *JAR_GROUPS]
        pattern = "[conf]/[organisation]/[module]/[revision]/[artifact]-[revision](-[classifier]).[ext]"
        command += ["-retrieve", f"{out}/{pattern}"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise RetryableError("Ivy cannot resolve ivy.xml; see its message above")


def _unpack_elasticsearch() -> None:
    """Unpack it with the archive's file modes, which Python's zipfile drops."""
    archive = next((JARS / "elasticsearch").glob("*.zip"))
    done = ELASTICSEARCH / ".unpacked"
    if done.exists() and done.read_text() == archive.name:
        return
    with tempfile.TemporaryDirectory(dir=SHARED, prefix="elasticsearch-") as scratch:
        unpack(archive, Path(scratch))
        top = next(Path(scratch).iterdir())
        for empty in ("plugins", "logs"):
            (top / empty).mkdir(exist_ok=True)
        (top / ".unpacked").write_text(archive.name)
        if ELASTICSEARCH.exists():
            shutil.rmtree(ELASTICSEARCH)
        top.rename(ELASTICSEARCH)


def unpack(archive: Path, target: Path) -> None:
    """Extract a zip file with its file modes."""
    with zipfile.ZipFile(archive) as content:
        for entry in content.infolist():
            path = content.extract(entry, target)
            if mode := entry.external_attr >> 16:
                os.chmod(path, mode & 0o755)


def main() -> int:
    """Command line of this module."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m twitter_topics.local.jars", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit code 0 if everything is there, else 1")
    parser.add_argument("--lock", action="store_true", help="rewrite jars.lock from ivy.xml")
    options = parser.parse_args()
    try:
        if options.check:
            return 0 if is_complete() else 1
        if options.lock:
            relock()
        if not is_complete():
            fetch()
    except TwitterTopicsError as error:
        log.error("%s", error)
        return EXIT_FAILED
    log.info("%d jars, all as locked", len(read_lock(LOCK)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
