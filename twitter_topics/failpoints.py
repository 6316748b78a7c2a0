"""Failpoints: named places where a test makes a running program fail.

They act only in a process that was started with TWITTER_TOPICS_FAILPOINTS=FOLDER. That is deliberately not a setting:
no `.env` or secrets file sets it, and the local stack does not pass it on, so nothing arms a failpoint by accident.
Spark's Python workers inherit it from their driver.

A file in the folder, named after a point, holds one of the actions below. The first process to reach the point takes
the file, so each file acts once.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from enum import StrEnum
from pathlib import Path

from twitter_topics.errors import RetryableError
from twitter_topics.settings import inherited

log = logging.getLogger(__name__)

VARIABLE = "TWITTER_TOPICS_FAILPOINTS"

_FOLDER = inherited([VARIABLE]).get(VARIABLE, "")


class Action(StrEnum):
    """What happens to the process that reaches an armed point."""

    KILL = "kill"
    """kill -9."""
    RAISE = "raise"
    """An error that no code expects."""
    HANG = "hang"
    """Nothing, until the file `<point>.reached` is deleted."""
    REPLY_LOST = "reply lost"
    """The error of a client that got no answer, although what came before the point has been done."""


def reach(point: str) -> None:
    """Act if the point is armed. Costs one comparison in a process without a folder.

    Raises:
        RuntimeError, RetryableError: as the action says.
    """
    if _FOLDER:
        _act(Path(_FOLDER), point)


def _act(folder: Path, point: str) -> None:
    taken = folder / f"{point}.reached"
    try:
        (folder / point).rename(taken)  # atomic: of several processes one succeeds
    except FileNotFoundError:
        return
    action = Action(taken.read_text(encoding="utf-8").strip())
    log.warning("failpoint %s: %s", point, action)
    if action is Action.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    elif action is Action.RAISE:
        raise RuntimeError(f"failpoint {point}")
    elif action is Action.REPLY_LOST:
        raise RetryableError(f"failpoint {point}: no answer")
    while taken.exists():  # SIGKILL takes a moment, too
        time.sleep(0.05)
