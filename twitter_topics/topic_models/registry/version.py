"""Names of model versions."""

from __future__ import annotations

import re
from datetime import UTC, datetime

TRAINERS = ("gsdmm", "spark-lda")

_VERSION = re.compile(r"^\d{8}T\d{6}Z-[a-z0-9]+(-[a-z0-9]+)*$")


def version_name(at: datetime, trainer: str) -> str:
    """Return the name of a model version: `20261101T120000Z-gsdmm`. Names sort by time.

    Raises:
        ValueError: a time without a zone, or an unknown trainer.
    """
    if at.tzinfo is None or trainer not in TRAINERS:
        msg = f"a version needs a time with a zone and one of {', '.join(TRAINERS)}; got {at!r}, {trainer!r}"
        raise ValueError(msg)
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{trainer}"


def is_version(name: str) -> bool:
    """Return whether a name is a valid version name."""
    return len(name) <= 80 and _VERSION.fullmatch(name) is not None


def created_at(version: str) -> datetime:
    """Return the time in a version's name."""
    return datetime.strptime(check_version(version).split("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def check_version(version: str) -> str:
    """Return the version unchanged.

    Raises:
        ValueError: not a version's name (it becomes part of keys, so nothing else may pass).
    """
    if not is_version(version):
        msg = f"{version!r} is not a version name such as 20261101T120000Z-gsdmm"
        raise ValueError(msg)
    return version
