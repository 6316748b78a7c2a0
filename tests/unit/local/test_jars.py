"""The jars' lock, stamp and Maven settings. (`make` fetches the jars first.)"""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

import pytest

from twitter_topics.errors import IntegrityError
from twitter_topics.local import jars, maven

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <mirrors><mirror><id>m</id><url> https://mirror.example.org/maven </url><mirrorOf>{of}</mirrorOf></mirror></mirrors>
  <proxies><proxy><host>proxy.example.org</host><port>3128</port></proxy></proxies>
</settings>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "jars"
    for name in ("spark/one.jar", "kafka/two.jar"):
        (made / name).parent.mkdir(parents=True)
        (made / name).write_bytes(name.encode())
    return made


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "jars.lock"
    lines = []
    for name in ("kafka/two.jar", "spark/one.jar"):
        group, artifact = name.split("/")
        digest = hashlib.sha256(name.encode()).hexdigest()
        lines.append(jars.LockedFile(digest, len(name), group, f"org/example/{artifact}").line())
    file.write_text("".join(lines))
    return file


def test_the_right_files_pass(folder: Path, lock: Path) -> None:
    jars.check(folder, lock)


@pytest.mark.parametrize("change", ["other content", "missing", "one too many"])
def test_anything_else_is_named(folder: Path, lock: Path, change: str) -> None:
    if change == "missing":
        (folder / "spark" / "one.jar").unlink()
    else:
        (folder / "spark" / ("one.jar" if change == "other content" else "more.jar")).write_text("changed")
    with pytest.raises(IntegrityError, match=r"spark/(one|more)\.jar"):
        jars.check(folder, lock)


def test_the_stamp_holds_until_the_lock_or_a_file_changes(folder: Path, lock: Path, tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    assert not jars.is_complete(lock, folder, stamp)
    stamp.write_text(jars._stamp_text(lock, folder))
    assert jars.is_complete(lock, folder, stamp)
    (folder / "spark" / "one.jar").write_text("torn")
    assert not jars.is_complete(lock, folder, stamp)
    stamp.write_text(jars._stamp_text(lock, folder))
    lock.write_text(lock.read_text().splitlines()[0] + "\n")
    assert not jars.is_complete(lock, folder, stamp)


def test_every_jar_of_the_project_is_locked() -> None:
    locked = jars.read_lock(jars.LOCK)
    assert {file.group for file in locked} == set(jars.JAR_GROUPS)
    assert all(len(file.sha256) == 64 and file.size > 0 for file in locked)
    assert len({file.name for file in locked}) == len(locked)


def test_what_the_lock_does_not_name_goes_and_half_a_download_stays(
    folder: Path, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "JARS", folder)
    (folder / "spark" / "old.jar").touch()
    (folder / "spark" / "one.jar.part").touch()
    (folder / "spark" / "old.jar.part").touch()
    jars._remove_others({file.name for file in jars.read_lock(lock)})
    assert sorted(path.name for path in folder.rglob("*.*")) == ["one.jar", "one.jar.part", "two.jar"]


@pytest.mark.parametrize(
    ("of", "found"), [("central", True), ("*", True), ("external:*,!central", False), ("other", False)]
)
def test_a_mirror_of_central_is_honoured(tmp_path: Path, of: str, found: bool) -> None:
    file = tmp_path / "settings.xml"
    file.write_text(SETTINGS.format(of=of))
    read = maven.read([tmp_path / "none.xml", file], mirror="")
    assert read.repository == ("https://mirror.example.org/maven" if found else maven.CENTRAL)
    assert read.proxies["https"] == "http://proxy.example.org:3128"
    assert "-Dhttps.proxyHost=proxy.example.org" in read.java_options
    assert "-Dhttps.proxyPort=3128" in read.java_options
    assert maven.read([file], mirror="https://chosen.example.org").repository == "https://chosen.example.org"


def test_programs_stay_programs(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "server.zip", "w") as archive:
        entry = zipfile.ZipInfo("server/bin/start")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, "#!/bin/sh\n")
    jars.unpack(tmp_path / "server.zip", tmp_path)
    assert (tmp_path / "server" / "bin" / "start").stat().st_mode & 0o777 == 0o755
