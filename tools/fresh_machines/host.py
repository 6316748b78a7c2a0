"""Network settings that a fresh machine needs from its host: proxies, certificates, mirrors."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_COPIED = re.compile(
    r"(https?|ftp|no|all)_proxy"
    r"|\w*(_CA_BUNDLE|SSL_CERT_\w+|CA_CERTS(_FILE)?|SSL_CAINFO)"
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|PROXY|CERT|DEFAULT_TIMEOUT)|MAVEN_REPO_URL",
    re.IGNORECASE,
)
_SYSTEM = ("/etc/hosts", "/etc/resolv.conf", "/etc/pip.conf")
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_DISTRIBUTION = Path("/etc/ssl/certs")  # made by update-ca-certificates
_HOME = (".m2/settings.xml", ".config/pip/pip.conf", ".pip/pip.conf")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that affect how package registries are reached."""
    return {name: value for name, value in variables.items() if _COPIED.fullmatch(name)}


def apt_options(dump: str) -> str:
    """Return the proxy, certificate, retry and date-check lines of `apt-config dump`, for apt.conf.d."""
    wanted = re.compile(r'Acquire::((https?|ftp)::|Check-|Retries|ForceIPv)\S* ".+";')
    return "".join(f"{line}\n" for line in dump.splitlines() if wanted.fullmatch(line))


def copy_settings(root: Path, variables: Mapping[str, str]) -> None:
    """Copy the host's network settings into a root filesystem. Run `update-ca-certificates` in it afterwards."""
    named = [Path(value) for value in environment(variables).values() if value.startswith("/")]
    for file in [*map(Path, _SYSTEM), *_AUTHORITIES.glob("*.crt"), *named]:
        if file.is_file() and not file.is_relative_to(_DISTRIBUTION):
            _copy(file, root / file.relative_to("/"))
    if shutil.which("apt-config"):
        dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
        (root / "etc/apt/apt.conf.d/90host").write_text(apt_options(dump))


def copy_home_settings(home: Path) -> None:
    """Copy the user's settings of pip and Maven, if any, into a new home."""
    for name in _HOME:
        if (file := Path.home() / name).is_file():
            _copy(file, home / name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copy(source, target)
