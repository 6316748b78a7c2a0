"""Passwords and keys of a local stack: random, created once, readable only by the user."""

from __future__ import annotations

import base64
import json
import os
import secrets
from typing import TYPE_CHECKING

from twitter_topics.errors import ConfigurationError
from twitter_topics.local.layout import write_private

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_API_SECRET",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD",
    "AIRFLOW_VIEWER_PASSWORD",
    "INFLUXDB_PASSWORD",
    "INFLUXDB_READ_PASSWORD",
    "S3_SECRET_ACCESS_KEY",
)


def load(path: Path) -> dict[str, str]:
    """Return the secrets of a stack by name, empty before its first start.

    Raises:
        ConfigurationError: the file is damaged.
    """
    if not path.exists():
        return {}
    path.chmod(0o600)
    try:
        known: dict[str, str] = json.loads(path.read_text())
    except ValueError:
        raise ConfigurationError(
            f"{path} is not valid JSON; restore it, or start from scratch with `make clean`"
        ) from None
    return known


def load_or_make(path: Path) -> tuple[dict[str, str], bool]:
    """Return the secrets by name, creating missing ones, and whether these are the stack's first.

    Raises:
        ConfigurationError: the file is damaged.
    """
    known = load(path)
    missing = [name for name in NAMES if name not in known]
    if missing:
        write_private(path, json.dumps(known | {name: _make(name) for name in missing}, indent=1) + "\n")
    return load(path), not known


def _make(name: str) -> str:
    if name == "AIRFLOW_FERNET_KEY":
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return secrets.token_urlsafe(18)
