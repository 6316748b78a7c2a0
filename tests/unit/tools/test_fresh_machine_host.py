"""Settings that a fresh machine copies from its host, and its package sources."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.fresh_machines import host, systems
from tools.fresh_machines.errors import FreshMachineError
from tools.fresh_machines.systems import DEBIAN, UBUNTU, Mirrors

DEB822 = """\
Types: deb
# https://mirror.example.org/old/debian
URIs: https://mirror.example.org/debian/
Suites: bookworm
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://mirror.example.org/debian-security
Suites: bookworm-security
"""
ONE_LINE = """\
# deb http://commented.example.org/ubuntu noble main
deb [arch=amd64] http://mirror.example.org/ubuntu noble main
deb https://deb.example.org/node_20.x nodistro main
"""


@pytest.mark.parametrize(
    ("distribution", "sources", "mirrors"),
    [
        (DEBIAN, [DEB822], Mirrors("https://mirror.example.org/debian", "https://mirror.example.org/debian-security")),
        (DEBIAN, [ONE_LINE], Mirrors(DEBIAN.archive, DEBIAN.security)),
        (UBUNTU, [DEB822], Mirrors(UBUNTU.archive, UBUNTU.archive)),
        (UBUNTU, [DEB822, ONE_LINE], Mirrors("http://mirror.example.org/ubuntu", "http://mirror.example.org/ubuntu")),
    ],
)
def test_the_hosts_own_mirror_comes_first(
    distribution: systems.Distribution, sources: list[str], mirrors: Mirrors
) -> None:
    assert Mirrors.choose(distribution, sources) == mirrors


def test_sources_have_updates_and_security() -> None:
    assert systems.sources_list("noble", Mirrors("http://a/ubuntu", "http://s/ubuntu")).splitlines() == [
        f"deb [signed-by={UBUNTU.keyring}] http://a/ubuntu noble main universe",
        f"deb [signed-by={UBUNTU.keyring}] http://a/ubuntu noble-updates main universe",
        f"deb [signed-by={UBUNTU.keyring}] http://s/ubuntu noble-security main universe",
    ]


def test_only_the_way_to_the_registries_is_taken_over() -> None:
    taken = {"https_proxy": "p", "NO_PROXY": "n", "SSL_CERT_FILE": "c", "REQUESTS_CA_BUNDLE": "r", "PIP_INDEX_URL": "i"}
    other = {
        "HOME": "/root",
        "PIP_FIND_LINKS": "/x",
        "JAVA_HOME": "/j",
        "KAFKA_SSL_CAFILE": "k",
        "MY_PROXY_PASSWORD": "s",
    }
    assert host.environment({**taken, **other}) == taken


def test_apt_options_of_the_network() -> None:
    dump = """\
APT::Architecture "amd64";
Acquire "";
Acquire::http::Proxy "http://proxy:3128";
Acquire::https::Proxy "";
Acquire::Check-Valid-Until "false";
Acquire::Languages:: "en";
"""
    assert host.apt_options(dump) == 'Acquire::http::Proxy "http://proxy:3128";\nAcquire::Check-Valid-Until "false";\n'


@pytest.mark.skipif(not shutil.which("gpg"), reason="gpg makes the keys of this test")
def test_of_a_keyring_only_pinned_keys_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    try:
        for name in ("ours", "another"):
            subprocess.run([*gpg, "--passphrase", "", "--quick-gen-key", name, "rsa2048", "sign", "never"], check=True)
        listed = subprocess.run(
            [*gpg, "--list-keys", "--with-colons"], check=True, capture_output=True, text=True
        ).stdout
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    ours, another = (line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    both, taken = tmp_path / "both.gpg", tmp_path / "taken.gpg"
    both.write_bytes(subprocess.run([*gpg, "--export"], check=True, capture_output=True).stdout)

    monkeypatch.setattr(systems, "UBUNTU_KEYS", (ours,))
    systems.pinned_keys(both, taken)
    shown = subprocess.run([*gpg, "--show-keys", "--with-colons", taken], check=True, capture_output=True, text=True)
    assert ours in shown.stdout
    assert another not in shown.stdout

    monkeypatch.setattr(systems, "UBUNTU_KEYS", ("0" * 40,))
    with pytest.raises(FreshMachineError, match="does not have the pinned key 0000"):
        systems.pinned_keys(both, taken)
    assert not taken.exists()


_LIVE_IN_A_NAMESPACE = """
import signal, sys, threading
from pathlib import Path
from tools.fresh_machines.namespace import Namespace

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
root = Path(sys.argv[1])
with Namespace(Path("/")) as namespace:
    line = 'mount -t tmpfs none "$1"; touch "$1/inside"; (setsid sleep 600 &); echo started; exec sleep 600'
    namespace.run(["sh", "-c", line, "sh", root], sys.stdout.fileno())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts and namespaces need root")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_mounted_or_running(tmp_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-c", _LIVE_IN_A_NAMESPACE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
        assert tool.stdout
        assert tool.stdout.readline() == b"started\n"
        assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
        inside = [pid for pid in _processes() if str(tmp_path) in _mounts(pid)]
        assert len(inside) >= 3  # the first process, a daemon, the command
        tool.send_signal(ending)
        assert tool.wait(30) != 0
    end = time.monotonic() + 30
    while left := [pid for pid in inside if str(tmp_path) in _mounts(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _mounts(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        return ""
