"""Wait for something that another process or thread does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


def until(
    condition: Callable[[], object],
    seconds: float = 20,
    what: str | Callable[[], object] = "the condition",
    *,
    pause: float = 0.02,
) -> Any:
    """Wait until a condition is true and return its value; fail if it does not become true in time.

    Args:
        what: named in the failure; a function is called then.
        pause: seconds between two looks; longer if a look asks a server.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause)
    return found
