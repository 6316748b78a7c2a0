"""Tweets that Elasticsearch rejects for an unknown reason, attempt after attempt, while it accepts their neighbours.

The driver counts the attempts, because tasks keep nothing. Spark carries an exception from a task to the driver as text
only, so the suspects are JSON in the last line of the message, which health does not show.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from twitter_topics.errors import RetryableError

log = logging.getLogger(__name__)

TRIES = 5
"""Attempts that must fail before a tweet is set aside. With the query's back-off they take at least 15 s."""

_MARK = "\nsuspects: "

Place = tuple[int, int]
"""Partition and offset of a record in the raw topic."""


class HandedBackError(RetryableError):
    """A task could not write its part of a batch. The batch is repeated; nothing is lost."""

    def __init__(self, message: str, suspects: Mapping[Place, str]) -> None:
        listed = [[*place, reason] for place, reason in suspects.items()]
        super().__init__(f"{message}{_MARK}{json.dumps(listed)}" if listed else message)


def suspects_in(text: str) -> dict[Place, str]:
    """Return the suspects in the text of a Spark error, with the reason of each."""
    at = text.find(_MARK)
    if at < 0:
        return {}
    try:
        listed, _ = json.JSONDecoder().raw_decode(text, at + len(_MARK))
        return {(int(partition), int(offset)): str(reason) for partition, offset, reason in listed}
    except (ValueError, TypeError):
        return {}


class Quarantine:
    """Counts failed attempts per record. In the driver; survives a restart of the query, not of the process."""

    def __init__(self) -> None:
        self._tries: Counter[Place] = Counter()
        self._reasons: dict[Place, str] = {}

    def note_failure(self, text: str) -> None:
        """Note a failed attempt by the text of its error."""
        for place, reason in suspects_in(text).items():
            self._tries[place] += 1
            if self._tries[place] == TRIES:
                log.error("record %d-%d becomes a dead letter after %d attempts: %s", *place, TRIES, reason)
                self._reasons[place] = reason

    def note_success(self) -> None:
        """Forget everything: the batch is done."""
        self._tries.clear()
        self._reasons.clear()

    @property
    def records(self) -> Mapping[Place, str]:
        """The records to set aside, each with the last reason."""
        return MappingProxyType(dict(self._reasons))
