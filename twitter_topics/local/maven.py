"""How to reach Maven Central: mirror and proxy of the user's Maven settings."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twitter_topics.settings import inherited

if TYPE_CHECKING:
    from collections.abc import Iterable

CENTRAL = "https://repo1.maven.org/maven2"


@dataclass(frozen=True)
class MavenSettings:
    """Mirror and proxy for artifacts."""

    mirror: str = ""
    """Empty = Maven Central."""
    proxy: str = ""
    """host:port"""
    not_proxied: str = ""
    """Hosts, separated by `|`."""

    @property
    def repository(self) -> str:
        return (self.mirror or CENTRAL).rstrip("/")

    @property
    def proxies(self) -> dict[str, str]:
        """Return the proxy by scheme, for `requests`."""
        return dict.fromkeys(("http", "https"), f"http://{self.proxy}") if self.proxy else {}

    @property
    def java_options(self) -> tuple[str, ...]:
        """Return the proxy as options of a JVM."""
        if not self.proxy:
            return ()
        host, _, port = self.proxy.rpartition(":")
        address = [f"-D{scheme}.proxyHost={host}" for scheme in ("http", "https")]
        address += [f"-D{scheme}.proxyPort={port}" for scheme in ("http", "https")]
        return (*address, f"-Dhttp.nonProxyHosts={self.not_proxied}")


def of_user() -> MavenSettings:
    """Return MAVEN_REPO_URL, else the settings files of the user and of the installed Maven."""
    homes = inherited(["M2_HOME", "MAVEN_HOME"])
    installed = [Path(home) / "conf" / "settings.xml" for home in homes.values()]
    files = [Path.home() / ".m2" / "settings.xml", *installed, Path("/etc/maven/settings.xml")]
    return read(files, inherited(["MAVEN_REPO_URL"]).get("MAVEN_REPO_URL", ""))


def read(files: Iterable[Path], mirror: str) -> MavenSettings:
    """Return the first mirror of Maven Central and the first proxy in the files.

    Args:
        mirror: overrides the files, unless empty.
    """
    found = MavenSettings(mirror)
    for file in files:
        if file.is_file():
            root = _without_namespaces(ET.parse(file).getroot())  # noqa: S314 - the user's own file
            proxy, not_proxied = (found.proxy, found.not_proxied) if found.proxy else _proxy(root)
            found = MavenSettings(found.mirror or _mirror(root), proxy, not_proxied)
    return found


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


def _proxy(root: ET.Element) -> tuple[str, str]:
    for proxy in root.iterfind("./proxies/proxy"):
        if (proxy.findtext("active") or "true") == "true":
            address = f"{proxy.findtext('host')}:{proxy.findtext('port') or '8080'}"
            return address, proxy.findtext("nonProxyHosts") or "localhost|127.*"
    return "", ""
