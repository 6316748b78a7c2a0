"""Rows of lanes, inside a transaction of the counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from twitter_topics.counts import tables as t
from twitter_topics.counts.batch import Lane, Marks

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def lanes(connection: Connection) -> dict[Lane, Marks]:
    """Return the marks of each lane that something was counted of."""
    return {
        Lane(row.raw_topic_id, row.raw_partition, row.kafka_partition): Marks(row.low_offset, row.high_water_mark)
        for row in connection.execute(sa.select(t.LANE))
    }


def raise_marks(connection: Connection, marks_of: Mapping[Lane, Marks]) -> None:
    """Set the upper marks of lanes; the lower one of a lane stays what it was at first."""
    for lane, marks in marks_of.items():
        values = {
            "raw_topic_id": lane.raw_topic_id,
            "raw_partition": lane.raw_partition,
            "kafka_partition": lane.partition,
            "low_offset": marks.low,
            "high_water_mark": marks.high,
        }
        connection.execute(t.replace(t.LANE, connection.dialect.name, ["high_water_mark"]), values)
