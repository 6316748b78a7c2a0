"""Python's garbage collector in processes that handle records."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 50_000


def collect_seldom() -> None:
    """Exempt what is loaded now from collections, and make them rarer.

    Records in flight come by the hundred thousand and make no cycles: searching them at every 700th object takes a
    tenth of a producer's time and a third of a classifier's. In a forked process it would also copy the pages that are
    shared.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
