"""Replays stored tweets: files, folders, S3 prefixes, the archive; unchanged or shifted to now."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Self

from producer.position import SourcePosition
from producer.source import Context, Event
from producer.sources.replay.ages import Ages
from producer.sources.replay.damage import Gaps
from producer.sources.replay.files import local_files
from producer.sources.replay.material import Material, StoppedError, time_text
from producer.sources.replay.pace import Pace
from producer.sources.replay.records import ReplayRecord, moved
from twitter_topics.errors import ConfigurationError, IntegrityError
from twitter_topics.records.notice import Notice
from twitter_topics.settings import REPLAY_ARCHIVE, ProducerSettings, Settings

_log = logging.getLogger(__name__)


class ReplaySource:
    """Replays what PRODUCER_REPLAY_FILE names, once.

    v1.1 tweets are sent byte for byte, unless their times are shifted; other forms are mapped to them. A record that is
    not a tweet is sent too: rejecting it is the classifier's job, not ours. Deletion lines become notices, and damaged
    parts of files gaps.
    """

    name = "replay"
    live = False

    def __init__(
        self, material: Material, start: SourcePosition, context: Context, settings: Settings, opened_ms: int
    ) -> None:
        """`opened_ms`: when, in Unix milliseconds, the files were listed or before. Raises ConfigurationError if
        PRODUCER_REPLAY_SPEED is 0."""
        self.start = start
        self._opened_ms = opened_ms
        self._material = material
        self._context = context
        self._factor = _factor(settings.producer.replay_speed)
        self._limit = settings.producer.limit
        self._shift_ms = start.origin.get("shift_ms", 0)
        self._max_days = settings.speed.max_age_days
        self._announced = False

    @classmethod
    def open(cls, settings: Settings, saved: SourcePosition | None, context: Context) -> Self:
        """Open at the saved position if it belongs to the same material and PRODUCER_REPLAY_TIMES, else at the start.

        Raises:
            ConfigurationError: PRODUCER_REPLAY_FILE is missing, unreadable or empty, or another PRODUCER_REPLAY_* is
                wrong.
            RetryableError: the object store or the catalog does not answer.
        """
        chosen, opened_ms = settings.producer, context.now_ms()
        _factor(chosen.replay_speed)
        material = _material(settings, context)
        try:
            identity = {**material.identity, "times": chosen.replay_times}
        except IntegrityError as error:
            raise ConfigurationError(f"PRODUCER_REPLAY_FILE: {error}") from error
        if saved is not None and saved.belongs_to(identity):
            return cls(material, saved, context, settings, opened_ms)
        if saved is not None:
            _log.warning(
                "PRODUCER_REPLAY_FILE or PRODUCER_REPLAY_TIMES differs from the last run: replaying from the start"
            )
        start = SourcePosition(identity, material.origin())
        if chosen.replay_times == "shift":
            newest = material.newest_ms(start, chosen.limit)
            shift_ms = 0 if newest is None else context.now_ms() - newest
            start = replace(start, origin={**start.origin, "shift_ms": shift_ms})
        return cls(material, start, context, settings, opened_ms)

    def check(self) -> str:
        """Return what will be replayed: how much, from when, what is left out, and at first how many tweets are too
        old."""
        found = f"replays {self._material.describe(self.start)}"
        if self.start.count:  # what was sent would have to be read once more
            return f"{found}; {self.start.count:,} records sent so far"
        old = self._old_tweets()
        self._announced = bool(old)
        return f"{found}; {old}" if old else found

    def oldest_ms(self) -> int | None:
        """Return the time with which the oldest tweet is sent, in Unix milliseconds. It reads everything."""
        oldest = min(self._material.tweet_times(self.start), default=None)
        return None if oldest is None else oldest + self._shift_ms

    def events(self) -> Iterator[Event | None]:
        """Yield the records after the start position.

        Raises:
            ConfigurationError: the material can no longer be read.
            IntegrityError: it is shorter than what was already sent, or, with PRODUCER_REPLAY_STRICT, damaged;
                everything before is yielded.
            RetryableError: a disk or the catalog fails.
        """
        status = self._context.status
        status.connected, status.alive_ms = True, self._opened_ms
        status.read_bytes, status.total_bytes = 0, self._material.bytes_after(self.start)
        pace = Pace(self._factor, self._context) if self._factor else None
        before_ms = self.start.event_time_ms - self._shift_ms if self.start.event_time_ms else None
        gaps, ages = Gaps(self.name, self._context.now_ms, self._shift_ms, before_ms), self._ages()
        cutoff_ms = ages.cutoff_ms - self._shift_ms
        try:
            for record in self._material.records(self.start):
                if record is None:
                    yield None
                    continue
                time_ms = record.time_ms
                if time_ms is not None:
                    if gaps.opened:
                        yield from gaps.closed(time_ms)
                    gaps.last_ms = time_ms
                    if pace is not None:
                        yield from pace.wait_for(time_ms)
                    if time_ms < cutoff_ms and record.tweet_id is not None:
                        self._note_old(ages, time_ms)
                elif record.damage:
                    gaps.open(record.damage)
                    continue
                yield self._event(record)
            yield from gaps.closed(None)
        except StoppedError:
            return
        if ages.old:
            _log.warning("%s", ages.sentence("the tweets sent"))

    def close(self) -> None:
        """Release what the material holds open."""
        self._material.close()

    def _event(self, record: ReplayRecord) -> Event:
        raw, cursor, _, time_ms, notice, reason, kind, _ = record
        if reason:
            return Event("unreadable", record.key(), raw, None, cursor, reason)
        if time_ms is not None and self._shift_ms:
            time_ms += self._shift_ms
            if notice is None:
                raw = moved(raw, time_ms)
            else:
                notice = notice._replace(value=_at(notice.value, time_ms), event_time_ms=time_ms)
        if notice is not None:
            return notice._replace(cursor=cursor)
        return Event(kind, record.key(), raw, time_ms, cursor)

    def _note_old(self, ages: Ages, time_ms: int) -> None:
        ages.add(time_ms + self._shift_ms)
        if not self._announced:
            self._announced = True
            _log.warning("a tweet of %s is older than %d days", time_text(time_ms), self._max_days)

    def _old_tweets(self) -> str:
        """Return how many tweets are too old, as a sentence; empty if none is found."""
        ages = self._ages()
        times = (time_ms + self._shift_ms for time_ms in self._material.tweet_times(self.start))
        everything = ages.count(islice(times, self._limit or None), self._context.monotonic)
        return ages.sentence(f"{ages.tweets:,} tweets" if everything else f"the first {ages.tweets:,} tweets")

    def _ages(self) -> Ages:
        return Ages.of(self._context.now_ms(), self._max_days)


def _at(notice: bytes, time_ms: int) -> bytes:
    """Return the notice with another time."""
    return replace(Notice.from_value(notice), at_ms=time_ms).value()


def _material(settings: Settings, context: Context) -> Material:
    chosen = settings.producer
    if not chosen.replay_file:
        msg = "PRODUCER_REPLAY_FILE is not set: use a file or folder of tweets, s3://BUCKET/PREFIX, or archive"
        raise ConfigurationError(msg)
    if chosen.replay_file == REPLAY_ARCHIVE:
        from producer.sources.replay.archive import ArchivedTweets

        return ArchivedTweets.open(settings, context)
    _reject_hours(chosen)
    if "://" in chosen.replay_file:
        from producer.sources.replay.objects import stored_files

        return stored_files(chosen.replay_file, settings.s3, context, strict=chosen.replay_strict)
    return local_files(chosen.replay_file, context, strict=chosen.replay_strict)


def _reject_hours(chosen: ProducerSettings) -> None:
    for name in ("replay_from", "replay_to"):
        if getattr(chosen, name):
            msg = f"PRODUCER_{name.upper()} only works with PRODUCER_REPLAY_FILE=archive; unset it to replay files"
            raise ConfigurationError(msg)


def _factor(speed: str) -> float | None:
    if speed == "max":
        return None
    factor = float(speed)
    if factor <= 0:
        raise ConfigurationError(f"PRODUCER_REPLAY_SPEED={speed} must be max or greater than 0")
    return factor


SOURCE = ReplaySource
