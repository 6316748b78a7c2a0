"""The jars of Spark and of the servers, fetched with the Ivy that pyspark ships: Java and pyspark are all it needs.

    python -m twitter_topics.local.jars          fetch what is missing; every file is checked against jars.sha256
    python -m twitter_topics.local.jars --lock   fetch, and write jars.sha256 anew (after a change of ivy.xml)

Ivy knows Maven Central by itself. A mirror or proxy of the user's Maven settings is honoured, and MAVEN_REPO_URL. (Not
`spark-submit --packages`: it resolves at every submit, and brings second copies of what Spark already has.)
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
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import dataclass
from pathlib import Path

from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError, TwitterTopicsError
from twitter_topics.local.java import find_java
from twitter_topics.local.layout import ELASTICSEARCH, JARS, RECIPES, SHARED
from twitter_topics.settings import inherited

GROUPS = ("spark", "kafka", "s3", "elasticsearch")
LOCK = RECIPES / "jars.sha256"
_STAMP = SHARED / "jars.stamp"
_FIX = "run `make up`, or `python -m twitter_topics.local.jars`"
log = logging.getLogger("jars")


@dataclass(frozen=True)
class MavenSettings:
    """Of the user: address of a mirror (empty = Maven Central) and Java options for a proxy."""

    mirror: str = ""
    proxy_options: tuple[str, ...] = ()


def require() -> None:
    """Everything is there, as of the lock file. Quick: it compares a stamp, names and sizes.

    Raises:
        ConfigurationError: something is missing; says how to get it.
    """
    if not is_complete():
        raise ConfigurationError(f"the jars are missing or not those of {LOCK.name}: {_FIX}")


def is_complete(lock: Path = LOCK, folder: Path = JARS, stamp: Path = _STAMP) -> bool:
    """Whether the folder still is what was checked against this lock file."""
    return stamp.exists() and stamp.read_text() == _stamp_text(lock, folder)


def _stamp_text(lock: Path, folder: Path) -> str:
    sizes = []
    for name in sorted(read_lock(lock)):
        file = folder / name
        sizes.append(f"{name} {file.stat().st_size if file.exists() else 'missing'}")
    return "\n".join([hashlib.sha256(lock.read_bytes()).hexdigest(), *sizes]) + "\n"


def read_lock(lock: Path) -> dict[str, str]:
    """group/file → sha256."""
    pairs = (line.split(maxsplit=1) for line in lock.read_text().splitlines() if line)
    return {name.strip(): digest for digest, name in pairs}


def check(folder: Path, lock: Path) -> None:
    """Every file of the lock, and no other, with its hash.

    Raises:
        IntegrityError: names the files that differ.
    """
    wanted, found = read_lock(lock), hashes(folder)
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        raise IntegrityError(f"{folder}: not as in {lock.name}: {', '.join(wrong)}")


def hashes(folder: Path) -> dict[str, str]:
    """group/file → sha256 of what lies in the folder."""
    found = {}
    for group in GROUPS:
        for file in sorted((folder / group).glob("*")):
            with file.open("rb") as content:
                found[f"{group}/{file.name}"] = hashlib.file_digest(content, "sha256").hexdigest()
    return found


def fetch(*, relock: bool = False) -> None:
    """Fetch, check and put in place as a whole; a start that is interrupted leaves nothing half done.

    Raises:
        ConfigurationError: no Java that Spark takes.
        RetryableError: Ivy could not fetch; its message is on stderr.
        IntegrityError: a file is not the one of the lock.
    """
    SHARED.mkdir(exist_ok=True)
    if relock or not _is_as_locked(JARS):
        with tempfile.TemporaryDirectory(dir=SHARED, prefix="jars-") as fresh:
            _resolve(Path(fresh))
            if relock:
                LOCK.write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(hashes(Path(fresh)).items())))
            check(Path(fresh), LOCK)
            for group in GROUPS:
                _replace_folder(Path(fresh) / group, JARS / group)
    _unpack_elasticsearch()
    _STAMP.write_text(_stamp_text(LOCK, JARS))


def _is_as_locked(folder: Path) -> bool:
    try:
        check(folder, LOCK)
    except IntegrityError:
        return False
    return True


def _replace_folder(new: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    new.rename(target)


def _resolve(out: Path) -> None:
    spark = importlib.util.find_spec("pyspark")
    if spark is None or spark.origin is None:
        raise ConfigurationError("pyspark is not installed: run `make up`, which installs the requirements")
    maven = maven_settings(_settings_files(), inherited(["MAVEN_REPO_URL"]).get("MAVEN_REPO_URL", ""))
    settings = (RECIPES / "ivysettings.xml").read_text()
    if maven.mirror:
        settings = settings.replace('m2compatible="true"', f'm2compatible="true" root="{maven.mirror.rstrip("/")}"')
    with tempfile.TemporaryDirectory() as scratch:
        settings_file = Path(scratch) / "ivysettings.xml"
        settings_file.write_text(settings)
        cache = inherited(["IVY_CACHE"]).get("IVY_CACHE") or str(Path.home() / ".ivy2" / "cache")
        command = [find_java().program, *maven.proxy_options, f"-Divy.cache={cache}"]
        command += ["-cp", f"{Path(spark.origin).parent}/jars/*", "org.apache.ivy.Main", "-error"]
        command += ["-settings", str(settings_file), "-ivy", str(RECIPES / "ivy.xml"), "-confs", *GROUPS]
        command += ["-retrieve", f"{out}/[conf]/[artifact]-[revision](-[classifier]).[ext]"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            raise RetryableError(
                "the jars could not be fetched (see above). Behind a proxy or a mirror: name it in ~/.m2/settings.xml, "
                "or set MAVEN_REPO_URL"
            )


def _settings_files() -> list[Path]:
    homes = inherited(["M2_HOME", "MAVEN_HOME"])
    installed = [Path(home) / "conf" / "settings.xml" for home in homes.values()]
    return [Path.home() / ".m2" / "settings.xml", *installed, Path("/etc/maven/settings.xml")]


def maven_settings(files: list[Path], mirror: str) -> MavenSettings:
    """Mirror of Maven Central and proxy, the first that a file names.

    Args:
        mirror: beats what the files say, unless empty.
    """
    proxy: tuple[str, ...] = ()
    for file in files:
        if file.is_file():
            root = _without_namespaces(ET.parse(file).getroot())  # noqa: S314 - the user's own file
            mirror = mirror or _mirror(root)
            proxy = proxy or _proxy_options(root)
    return MavenSettings(mirror, proxy)


def _without_namespaces(root: ET.Element) -> ET.Element:
    for element in root.iter():
        element.tag = element.tag.rsplit("}", 1)[-1]
    return root


def _mirror(root: ET.Element) -> str:
    for mirror in root.iterfind(".//mirror"):
        of = {name.strip() for name in (mirror.findtext("mirrorOf") or "").split(",")}
        if mirror.findtext("blocked") != "true" and of & {"central", "*", "external:*"} and "!central" not in of:
            return (mirror.findtext("url") or "").strip()
    return ""


def _proxy_options(root: ET.Element) -> tuple[str, ...]:
    for proxy in root.iterfind("./proxies/proxy"):
        if (proxy.findtext("active") or "true") == "true":
            host, port = proxy.findtext("host"), proxy.findtext("port") or "8080"
            address = [f"-D{scheme}.proxyHost={host}" for scheme in ("http", "https")]
            address += [f"-D{scheme}.proxyPort={port}" for scheme in ("http", "https")]
            return (*address, f"-Dhttp.nonProxyHosts={proxy.findtext('nonProxyHosts') or 'localhost|127.*'}")
    return ()


def _unpack_elasticsearch() -> None:
    """With the archive's file modes, which Python's zipfile drops."""
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
        _replace_folder(top, ELASTICSEARCH)


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
    parser.add_argument("--lock", action="store_true", help="write jars.sha256 anew")
    relock = parser.parse_args().lock
    if is_complete() and not relock:
        return 0
    try:
        fetch(relock=relock)
    except TwitterTopicsError as error:
        log.error("%s", error)
        return 1
    log.info("%d jars, all as locked", len(read_lock(LOCK)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
