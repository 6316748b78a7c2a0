"""A PostgreSQL server of a test's own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import URL, make_url

from tests.waiting import until
from twitter_topics.testing.broker import free_ports

USER = "counts"


@contextmanager
def running_postgresql(
    options: Mapping[str, str] | None = None, files: Mapping[str, bytes] | None = None
) -> Iterator[URL]:
    """Start a cluster on 127.0.0.1 and stop it afterwards. PostgreSQL does not run as root: then it runs as the user of
    its package.

    Args:
        options: of the server, over the defaults.
        files: written into its data folder before it starts, readable only by its user.

    Yields:
        the address of the database `postgres` for the superuser USER, who needs no password unless `pg_hba.conf` is
        among the files.
    """
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    port, _ = free_ports()
    as_user: dict[str, object] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        if as_user:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        run = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_user}
        init = [str(programs / "initdb"), "-D", f"{folder}/data", "-U", USER, "-A", "trust", "-E", "UTF8"]
        subprocess.run([*init, "--no-sync"], check=True, **run)  # type: ignore[call-overload]
        for name, content in (files or {}).items():
            _write(Path(folder, "data", name), content)
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": folder, **(options or {})}
        start = [str(programs / "postgres"), "-D", f"{folder}/data", "-p", str(port)]
        start += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        process = subprocess.Popen(start, **run)  # type: ignore[call-overload]
        try:
            until(Path(folder, "data", "postmaster.pid").exists, 60, "PostgreSQL starts")
            until(lambda: _is_ready(Path(folder, "data", "postmaster.pid")), 60, "PostgreSQL accepts connections")
            yield make_url(f"postgresql://{USER}@127.0.0.1:{port}/postgres")
        finally:
            process.send_signal(signal.SIGINT)  # without waiting for clients
            process.wait(timeout=60)


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _is_ready(file: Path) -> bool:
    return file.read_text().splitlines()[-1].strip() == "ready"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    if os.getuid() == 0:
        os.chown(path, pwd.getpwnam("postgres").pw_uid, -1)
