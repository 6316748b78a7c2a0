"""Suites of Debian and Ubuntu: where their packages come from, and who signs them."""

from __future__ import annotations

import lzma
import re
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tools.fresh_machines.errors import FreshMachineError, UnreachableError

PREINSTALLED = ("ca-certificates", "git", "make")
# Ubuntu Archive Automatic Signing Key (2018)
UBUNTU_KEYS = ("F6ECB3762474EDA9D21B7022871920D1991BC93C",)


@dataclass(frozen=True)
class Distribution:
    """A distribution. Mirrors in the host's own sources take precedence over these addresses."""

    name: str
    archive: str
    security: str  # empty: security updates are in the archive
    components: str
    keyring: str
    script: str  # debootstrap's; it has no script named like a suite newer than itself


DEBIAN = Distribution(
    "debian",
    "http://deb.debian.org/debian",
    "http://deb.debian.org/debian-security",
    "main",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "sid",
)
UBUNTU = Distribution(
    "ubuntu",
    "http://archive.ubuntu.com/ubuntu",
    "",
    "main,universe",
    "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    "gutsy",
)
SUITES = {"bookworm": DEBIAN, "trixie": DEBIAN, "noble": UBUNTU, "resolute": UBUNTU}


@dataclass(frozen=True)
class Mirrors:
    archive: str
    security: str

    @classmethod
    def choose(cls, distribution: Distribution, sources: Iterable[str]) -> Mirrors:
        """Return the first mirrors for this distribution in the host's apt sources (file contents, either format)."""
        listed = [
            address.rstrip("/")
            for text in sources
            for line in text.splitlines()
            if re.match(r"\s*(deb\s|URIs:)", line)
            for address in re.findall(r"https?://\S+", line)
        ]
        archive = _ending(listed, f"/{distribution.name}") or distribution.archive
        security = _ending(listed, f"/{distribution.name}-security") or distribution.security
        return cls(archive, security or archive)


def _ending(addresses: list[str], end: str) -> str:
    return next((address for address in addresses if address.endswith(end)), "")


def host_sources() -> list[str]:
    folder = Path("/etc/apt")
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    return [file.read_text() for file in files if file.suffix in (".list", ".sources") and file.is_file()]


def sources_list(suite: str, mirrors: Mirrors) -> str:
    """Return the content of /etc/apt/sources.list: the release, its updates and its security updates."""
    distribution = SUITES[suite]
    rest = distribution.components.replace(",", " ")
    pockets = ((mirrors.archive, ""), (mirrors.archive, "-updates"), (mirrors.security, "-security"))
    return "".join(f"deb [signed-by={distribution.keyring}] {at} {suite}{pocket} {rest}\n" for at, pocket in pockets)


def check_reachable(suite: str, mirrors: Mirrors) -> None:
    """Check that the archive has the suite.

    Raises:
        UnreachableError: the archive does not answer, or has no such suite.
    """
    _read(f"{mirrors.archive}/dists/{suite}/Release")


def keyring(suite: str, mirrors: Mirrors, work: Path) -> Path:
    """Return the host's keyring; for Ubuntu, if the host has none, the one in Ubuntu's package.

    Only the pinned keys are taken from that package, so its signature need not be checked.

    Raises:
        FreshMachineError: there is none, or the package lacks the pinned keys.
    """
    distribution = SUITES[suite]
    if (own := Path(distribution.keyring)).exists():
        return own
    if distribution is DEBIAN:
        raise FreshMachineError(f"{own} is missing; type: apt-get install debian-archive-keyring")
    taken = work / own.name
    if not taken.exists():
        with tempfile.TemporaryDirectory() as scratch:
            package = Path(scratch) / "ubuntu-keyring.deb"
            package.write_bytes(_read(f"{mirrors.archive}/{_keyring_package(suite, mirrors)}"))
            _host("dpkg-deb", "--extract", package, scratch)
            pinned_keys(Path(scratch) / own.relative_to("/"), taken)
    return taken


def pinned_keys(source: Path, target: Path) -> None:
    """Copy UBUNTU_KEYS from the keyring `source` to the keyring `target`.

    Raises:
        FreshMachineError: a key is missing.
    """
    with tempfile.TemporaryDirectory() as home:
        gpg = ("gpg", "--batch", "--quiet", "--homedir", home)
        _host(*gpg, "--import", source)
        exported = _host(*gpg, "--export", *UBUNTU_KEYS)
        target.write_bytes(exported)
        listed = _host(*gpg, "--show-keys", "--with-colons", target).decode() if exported else ""
    found = set(re.findall(r"^fpr:+([0-9A-F]{40}):", listed, re.MULTILINE))
    if missing := set(UBUNTU_KEYS) - found:
        target.unlink()
        raise FreshMachineError(f"Ubuntu's keyring does not have the pinned key {', '.join(missing)}")


def _keyring_package(suite: str, mirrors: Mirrors) -> str:
    architecture = _host("dpkg", "--print-architecture").decode().strip()
    packages = lzma.decompress(
        _read(f"{mirrors.archive}/dists/{suite}/main/binary-{architecture}/Packages.xz")
    ).decode()
    paragraph = re.search(r"^Package: ubuntu-keyring\n(?:.+\n)*?Filename: (\S+)$", packages, re.MULTILINE)
    if not paragraph:
        raise FreshMachineError(f"{suite} has no package ubuntu-keyring")
    return paragraph.group(1)


def _read(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - an address of SUITES or of apt
            content: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise UnreachableError(f"{address}: {error}") from None
    return content


def _host(*command: str | Path) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
