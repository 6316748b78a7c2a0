"""The Java that runs Spark and the servers."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import inherited

SUPPORTED = (17, 21)  # on 25 Hadoop 3.4 ends with "getSubject is not supported"; bootstrap.sh has the same list
FIX = (
    "install one, e.g. `sudo apt-get install openjdk-21-jre-headless` (Debian 12: openjdk-17-jre-headless), "
    "or set JAVA_HOME to a Java 17 or 21"
)
_PLACES = ("/usr/lib/jvm", "/opt/java", "/opt")


@dataclass(frozen=True)
class Java:
    """A Java installation."""

    home: Path
    major: int

    @property
    def program(self) -> str:
        return str(self.home / "bin" / "java")


def find_java() -> Java:
    """Return JAVA_HOME if set, else the first supported version on PATH and in the usual folders.

    Raises:
        ConfigurationError: there is none; the message names those found.
    """
    chosen = inherited(["JAVA_HOME"]).get("JAVA_HOME")
    homes = [Path(chosen)] if chosen else _homes()
    found = [java for home in homes if (java := _try(home))]
    for java in found:
        if java.major in SUPPORTED:
            return java
    where = f"JAVA_HOME={chosen}" if chosen else "PATH and /usr/lib/jvm"
    seen = ", ".join(f"Java {java.major} in {java.home}" for java in found) or "no working Java"
    raise ConfigurationError(f"Java 17 or 21 is needed; {where} has {seen}: {FIX}")


def _homes() -> list[Path]:
    homes = []
    if on_path := shutil.which("java"):
        homes.append(Path(on_path).resolve().parents[1])
    for place in _PLACES:
        homes += sorted(program.parents[1] for program in Path(place).glob("*/bin/java"))
    return list(dict.fromkeys(homes))


def _try(home: Path) -> Java | None:
    try:
        command = [str(home / "bin" / "java"), "-version"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r'version "(\d+)', shown.stderr)
    return Java(home, int(version.group(1))) if version else None
