"""A source and the buffer behind it, opened where the last run stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Self

from producer.buffering.buffer import Buffer, MemoryBuffer, Recovered
from producer.buffering.spool import Spool
from producer.position import SourcePosition
from producer.sending.publisher import newest_cursor
from producer.source import Context, Source
from producer.sources import open_source, source_class
from twitter_topics.errors import RetryableError
from twitter_topics.settings import Settings


class Resumption(NamedTuple):
    """Where a run begins.

    Attributes:
        position: what Kafka has acknowledged, the first position to save. The source itself starts later, after the
            records in the buffer.
        received: records of the stream received so far, those in the buffer included.
        foreign: records up to this number come from another stream; their cursors mean nothing to this one.
    """

    position: SourcePosition
    received: int
    foreign: int


def resume(
    saved: SourcePosition | None, recovered: Recovered, open_at: Callable[[SourcePosition | None], Source]
) -> tuple[Source, Resumption]:
    """Open the source after the records left in the buffer, which are ahead of what Kafka has acknowledged."""
    ahead = saved
    if saved is not None and recovered.newest is not None:
        cursor = newest_cursor(recovered.newest.events) or saved.cursor
        ahead = replace(saved, cursor=cursor, alive_ms=max(saved.alive_ms, recovered.newest.received_ms))
    source = open_at(ahead)
    position = source.start
    same_stream = saved is not None and saved.belongs_to(position.identity)
    if saved is not None:
        cursor = saved.cursor if same_stream else position.cursor
        position = replace(position, number=saved.number, cursor=cursor)
    received = position.count + recovered.last - recovered.forgotten
    return source, Resumption(position, received, 0 if same_stream else recovered.last)


class Feed:
    """Owns a source and its buffer: leaving the `with` block closes both."""

    def __init__(self, source: Source, buffer: Buffer, begin: Resumption) -> None:
        self.source, self.buffer, self.begin = source, buffer, begin

    @classmethod
    def open(cls, settings: Settings, name: str, saved: SourcePosition | None, context: Context) -> Self:
        """Open the source `name`, with a spool if it is live, else with a buffer in memory.

        Raises:
            ConfigurationError, IntegrityError: see `open_source`.
            RetryableError: another producer uses the spool, or it cannot be read or written.
        """

        def open_at(position: SourcePosition | None) -> Source:
            return open_source(settings, name, position, context)

        if not source_class(name).live:
            source, begin = resume(saved, Recovered(), open_at)
            return cls(source, MemoryBuffer(begin.position.count, context.now_ms), begin)
        folder = settings.producer.state_dir / "spool" / name
        try:
            spool = Spool(folder, settings.producer.spool_max_mb << 20, context.now_ms, saved.number if saved else 0)
        except OSError as error:
            raise RetryableError(f"cannot open the spool in {folder}: {error}") from error
        try:
            source, begin = resume(saved, spool.recovered, open_at)
        except BaseException:
            spool.close()
            raise
        return cls(source, spool, begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.source.close()
        finally:
            self.buffer.close()
