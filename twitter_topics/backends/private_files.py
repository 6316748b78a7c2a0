"""Files that only this user can read, for programs that take a key or a certificate only as a file."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path


def private_file(name: str, content: bytes) -> Path:
    """Write a file for the rest of this process and return its path."""
    path = _folder() / name
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    return path


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="twitter-topics-")  # 0700
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
