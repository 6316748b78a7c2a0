"""Which archived tweets a new state lacks, because Kafka no longer has their processed records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from twitter_topics.counts.batch import Lane, Marks


class Scope(StrEnum):
    """What is counted from the archive. `expired`: only what Kafka no longer has. `all`: everything archived, with the
    champion; Kafka's records then count from there on."""

    expired = "expired"
    all = "all"


@dataclass(frozen=True, slots=True)
class Restoration:
    """Counting from the archive that is due or under way.

    Args:
        scope: what is to be counted.
        raw_topic_id: Kafka's id of the raw topic that was archived; empty until the restoration has begun.
        processed_partitions: number of partitions of the processed topic.
        expired: processed partitions whose oldest records Kafka has deleted.
        archived: by raw partition, the first raw offset that is not restored, because it was not archived at the begin.
        counted_from: by raw partition, then processed partition, the lowest raw offset that was counted from Kafka.
        next_day: days since 1970-01-01; tweets of earlier days are restored.
    """

    scope: Scope
    raw_topic_id: str = ""
    processed_partitions: int = 0
    expired: tuple[int, ...] = ()
    archived: Mapping[int, int] | None = None
    counted_from: Mapping[int, Mapping[int, int]] | None = None
    next_day: int = 0

    @property
    def begun(self) -> bool:
        return bool(self.raw_topic_id)

    def limit(self, raw_partition: int, processed_partition: int) -> int:
        """Return the first raw offset of a lane that is not restored; 0 if nothing is."""
        if self.archived is None or self.counted_from is None or processed_partition not in self.expired:
            return 0
        archived = self.archived.get(raw_partition, 0)
        return min(archived, self.counted_from.get(raw_partition, {}).get(processed_partition, archived))

    def limits(self) -> dict[int, int]:
        """Return, by raw partition, the first raw offset after all that are restored."""
        partitions = range(self.processed_partitions)
        return {raw: max((self.limit(raw, one) for one in partitions), default=0) for raw in self.archived or {}}

    def begin(
        self,
        lanes: Mapping[Lane, Marks],
        raw_topic_id: str,
        archived: Mapping[int, int],
        expired: Iterable[int],
        partitions: int,
    ) -> Restoration:
        """Fix what is restored.

        Args:
            lanes: what is counted so far.
            raw_topic_id: Kafka's id of the raw topic.
            archived: by raw partition, the offset after the last archived one.
            expired: partitions of the processed topic whose oldest records Kafka has deleted.
            partitions: number of partitions of the processed topic.
        """
        counted_from: dict[int, dict[int, int]] = {raw: {} for raw in archived}
        for lane, marks in lanes.items():
            if lane.raw_topic_id == raw_topic_id:
                counted_from.setdefault(lane.raw_partition, {})[lane.partition] = marks.low
        every = tuple(range(partitions))
        return replace(
            self,
            raw_topic_id=raw_topic_id,
            processed_partitions=partitions,
            expired=every if self.scope is Scope.all else tuple(sorted(expired)),
            archived=dict(archived),
            counted_from=counted_from,
        )

    def new_lanes(self) -> dict[Lane, Marks]:
        """Return the lanes of which Kafka had nothing: restored up to what is archived, so that a record that arrives
        late is recognized as counted."""
        found = {}
        for raw, end in (self.archived or {}).items():
            known = (self.counted_from or {}).get(raw, {})
            for processed in set(self.expired) - set(known):
                if end:
                    found[Lane(self.raw_topic_id, raw, processed)] = Marks(0, end - 1)
        return found

    def text(self) -> str:
        """Return the value as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> Restoration:
        """Return the value of `text`."""
        fields = json.loads(text)
        if fields["archived"] is not None:
            fields["archived"] = {int(raw): end for raw, end in fields["archived"].items()}
            fields["counted_from"] = {
                int(raw): {int(partition): low for partition, low in lows.items()}
                for raw, lows in fields["counted_from"].items()
            }
        return cls(**(fields | {"scope": Scope(fields["scope"]), "expired": tuple(fields["expired"])}))
