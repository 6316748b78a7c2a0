"""Concurrent tests start their stacks on different ports."""

from __future__ import annotations

import subprocess
import sys

from twitter_topics.testing.services import free_offset

_ASK = """
import sys
from twitter_topics.testing.services import free_offset
print(free_offset(), flush=True)
sys.stdin.read()
"""


def test_no_two_processes_get_the_same_offset() -> None:
    ours = [free_offset(), free_offset()]
    command = [sys.executable, "-c", _ASK]
    asked = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    theirs = []
    for process in asked:
        assert process.stdout is not None
        theirs.append(int(process.stdout.readline()))
    assert len({*ours, *theirs}) == 5
    for process in asked:
        process.communicate()
        assert process.returncode == 0
