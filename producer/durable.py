"""Files and folders that survive a power cut."""

from __future__ import annotations

import os
from pathlib import Path


def replace_durably(path: Path, content: str) -> None:
    """Replace a file; when this returns, the new content survives a power cut. The folder is created if missing.

    Raises:
        OSError: the folder is not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """When this returns, the names of the files in the folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
