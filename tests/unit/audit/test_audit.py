"""The audit finds every seeded loss or duplicate at its hop, and never flags a clean run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from inspect import signature

import pytest

from twitter_topics.archive.reader import ArchiveRecords
from twitter_topics.audit.balance import Report, balance
from twitter_topics.audit.collect import collect
from twitter_topics.audit.indexed import HourDifference, IndexComparison
from twitter_topics.audit.run import STILL_SECONDS, audit
from twitter_topics.audit.shown import Mismatch, ViewComparison
from twitter_topics.audit.stores import Counted, Documents, Kept, Limits, before, not_from
from twitter_topics.backends.dead_letters import DeadLetters, sort_letters
from twitter_topics.backends.kafka_offsets import Range
from twitter_topics.backends.kafka_partitioner import partition_of
from twitter_topics.cli.audit import audit as command
from twitter_topics.counts.panes import Series, Sums
from twitter_topics.search.index import index_day

TODAY = date(2026, 3, 10)
RETENTION_DAYS = 14
RAW_PARTITIONS = 3


@dataclass
class Pipeline:
    """The stores in memory: archive rows, documents (day, partition, offset), dead letters, counts, high-water marks.

    `deleted` are ids of tweets whose rows have no text, except the rows in `readable`.
    """

    ranges: dict[int, Range]
    rows: list[tuple[int, int, str | None, date]]
    indexed: list[tuple[date, int, int]]
    letters: list[tuple[str, int, int]]
    tweets: int
    lanes: dict[tuple[int, int], int]
    lane_count: int
    elsewhere: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    readable: set[tuple[int, int]] = field(default_factory=set)
    comparison: ViewComparison = field(default_factory=ViewComparison)
    mass: int | None = None
    hours: IndexComparison = field(default_factory=IndexComparison)
    restoring: bool = False
    letters_expired: int = 0
    letters_since_ms: int | None = None

    def raw_ranges(self) -> dict[int, Range]:
        return dict(self.ranges)

    def processed_partitions(self) -> int:
        return self.lane_count

    def dead_letters(self) -> DeadLetters:
        pairs: dict[str, set[tuple[int, int]]] = {}
        for stage, partition, offset in self.letters:
            pairs.setdefault(stage, set()).add((partition, offset))
        return DeadLetters(pairs, self.elsewhere, self.letters_expired, self.letters_since_ms)

    def archive(self) -> ArchiveRecords:
        deleted = {at for at, row in enumerate(self.rows) if row[2] in self.deleted and row[:2] not in self.readable}
        return ArchiveRecords.of(self.rows, deleted=deleted)

    def documents(self, limits: Limits, settled: Limits) -> dict[date, Documents]:
        whole, done = Counter[date](), Counter[date]()
        for day, partition, offset in self.indexed:
            whole[day] += offset < limits.get(partition, 0)
            done[day] += offset < settled.get(partition, 0)
        return {day: Documents(whole[day], done[day]) for day in whole}

    def documents_of(self, tweet_ids: Sequence[str]) -> list[Kept]:
        wanted = {(row[0], row[1]) for row in self.rows if row[2] in tweet_ids}
        return [Kept(day, *pair) for day, *pair in self.indexed if tuple(pair) in wanted]

    def delete(self, *tweets: str) -> None:
        """Delete documents of any record and the text of all rows, as tweet_deletions does."""
        wanted = {row[:2] for row in self.rows if row[2] in tweets}
        self.indexed = [one for one in self.indexed if one[1:] not in wanted]
        self.deleted |= set(tweets)

    def archive_ids(self) -> list[str]:
        """Return the indexed tweets, in order."""
        owners = {(partition, offset) for _, partition, offset in self.indexed}
        return sorted({row[2] for row in self.rows if row[2] and row[:2] in owners})

    def counted(self) -> Counted:
        mass = self.tweets * 1_000_000 if self.mass is None else self.mass
        return Counted(self.tweets, dict(self.lanes), mass, shares=100, restoring=self.restoring)

    def shown(self) -> ViewComparison:
        return self.comparison

    def indexed_hours(self, oldest: date) -> IndexComparison:
        return self.hours


def healthy(seed: int = 1, *, records: int = 300, lane_count: int = 2) -> Pipeline:
    """A pipeline at rest: tweets over four days, some of them twice, rejects, and a few that the index rejected."""
    chance = random.Random(seed)
    pipeline = Pipeline({}, [], [], [], 0, {}, lane_count)
    ends = dict.fromkeys(range(RAW_PARTITIONS), 0)
    known: dict[str, tuple[int, date]] = {}
    for number in range(records):
        tweet = f"{chance.choice(['', 'bsky:'])}{10**15 + number}"
        if known and chance.random() < 0.1:
            tweet = chance.choice(sorted(known))
        partition, day = known.get(tweet, (chance.randrange(RAW_PARTITIONS), TODAY - timedelta(chance.randrange(4))))
        offset = ends[partition]
        ends[partition] += 1
        if chance.random() < 0.1:
            pipeline.rows.append((partition, offset, None, day))
            pipeline.letters += [("parse", partition, offset)] * chance.choice([1, 2])
            continue
        pipeline.rows.append((partition, offset, tweet, day))
        if tweet in known:
            continue
        if chance.random() < 0.05:
            pipeline.letters.append(("index", partition, offset))
            continue
        known[tweet] = (partition, day)
        pipeline.indexed.append((day, partition, offset))
        pipeline.tweets += 1
        pipeline.lanes[partition, partition_of(tweet.encode(), lane_count)] = offset
    pipeline.ranges = {partition: Range(0, end) for partition, end in ends.items()}
    chance.shuffle(pipeline.rows)
    return pipeline


def judge(pipeline: Pipeline, *, still_seconds: float = 0) -> Report:
    clock = Clock()
    facts = collect(
        pipeline,
        pipeline.raw_ranges(),
        today=TODAY,
        retention_days=RETENTION_DAYS,
        clock=lambda: clock.now,
        sleep=clock.sleep,
    )
    return balance(facts, still_seconds=still_seconds)


def named(report: Report) -> set[tuple[str, str]]:
    return {(one.hop, one.kind) for one in report.findings if one.kind != "note"}


@pytest.mark.parametrize("seed", range(50))
def test_a_clean_run_is_never_flagged(seed: int) -> None:
    pipeline = healthy(seed, records=random.Random(seed).randrange(400), lane_count=1 + seed % 4)
    report = judge(pipeline)
    assert (report.state, named(report)) == ("ok", set())
    facts = report.facts
    assert facts.produced == facts.archived == facts.archived_records == len(pipeline.rows)
    assert (
        facts.archived_distinct - facts.rejected_by_index
        == facts.indexed
        == facts.counted_before_cut
        == pipeline.tweets
    )
    assert facts.archive_rejects == facts.dead_letters.get("parse", 0)


def with_deletions(seed: int, **options: int) -> Pipeline:
    """A pipeline at rest after a fifth of its tweets were deleted."""
    pipeline = healthy(seed, **options)
    ids = pipeline.archive_ids()
    pipeline.delete(*random.Random(seed).sample(ids, len(ids) // 5))
    return pipeline


@pytest.mark.parametrize("seed", range(50))
def test_deletions_leave_the_balance(seed: int) -> None:
    pipeline = with_deletions(seed, records=random.Random(seed).randrange(400), lane_count=1 + seed % 4)
    report = judge(pipeline)
    assert (report.state, named(report)) == ("ok", set())
    facts = report.facts
    assert facts.produced == facts.archived == facts.archived_records == len(pipeline.rows)
    assert facts.deleted == len(pipeline.deleted)
    assert facts.indexed == facts.counted_before_cut - facts.deleted == len(pipeline.indexed)
    assert facts.archived_distinct - facts.rejected_by_index == facts.counted_before_cut == pipeline.tweets
    assert facts.archive_rejects == facts.dead_letters.get("parse", 0)
    notes = [one.text for one in report.findings if "deleted on request" in one.text]
    assert notes == ([f"{len(pipeline.deleted)} tweets were deleted on request"] if pipeline.deleted else [])


def lose_archive_row(pipeline: Pipeline, chance: random.Random) -> None:
    inner = [row for row in pipeline.rows if row[1] < pipeline.ranges[row[0]].end - 1]
    pipeline.rows.remove(chance.choice(inner))


def double_archive_row(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.rows.append(chance.choice(pipeline.rows))


def archive_unknown_row(pipeline: Pipeline, chance: random.Random) -> None:
    partition = chance.randrange(RAW_PARTITIONS)
    pipeline.rows.append((partition, pipeline.ranges[partition].end + 5, "7", TODAY))


def lose_document(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.indexed.remove(chance.choice(pipeline.indexed))


def double_document(pipeline: Pipeline, chance: random.Random) -> None:
    pipeline.indexed.append(chance.choice(pipeline.indexed))


def move_document_to_another_day(pipeline: Pipeline, chance: random.Random) -> None:
    day, partition, offset = chance.choice(pipeline.indexed)
    pipeline.indexed.remove((day, partition, offset))
    pipeline.indexed.append((day - timedelta(1), partition, offset))


def lose_count(pipeline: Pipeline, _: random.Random) -> None:
    pipeline.tweets -= 1


def double_count(pipeline: Pipeline, _: random.Random) -> None:
    pipeline.tweets += 1


def invent_letter(pipeline: Pipeline, chance: random.Random) -> None:
    readable = [row for row in pipeline.rows if row[2] is not None and ("index", *row[:2]) not in pipeline.letters]
    pipeline.letters.append(("parse", *chance.choice(readable)[:2]))


Mutation = Callable[[Pipeline, random.Random], None]
MUTATIONS: list[tuple[Mutation, set[tuple[str, str]]]] = [
    (lose_archive_row, {("archive", "lost")}),
    (double_archive_row, {("archive", "doubled")}),
    (archive_unknown_row, {("archive", "unknown")}),
    (lose_document, {("index", "lost")}),
    (double_document, {("index", "doubled")}),
    (move_document_to_another_day, {("index", "lost"), ("index", "doubled")}),
    (lose_count, {("counts", "lost")}),
    (double_count, {("counts", "doubled")}),
    (invent_letter, {("dead letters", "unknown")}),
]


@pytest.mark.parametrize(("mutate", "expected"), MUTATIONS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("seed", range(20))
def test_one_record_lost_or_doubled_is_named_at_its_hop(
    mutate: Mutation, expected: set[tuple[str, str]], seed: int
) -> None:
    pipeline = healthy(seed)
    mutate(pipeline, random.Random(seed))
    report = judge(pipeline)
    assert report.state == "broken"
    assert expected <= named(report)


@pytest.mark.parametrize(("mutate", "expected"), MUTATIONS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("seed", range(20))
def test_deletions_hide_no_fault(mutate: Mutation, expected: set[tuple[str, str]], seed: int) -> None:
    """Only tweets that arrived once are deleted: a repeated one may rightly be counted again."""
    pipeline = healthy(seed)
    times = Counter(row[2] for row in pipeline.rows)
    ids = [one for one in pipeline.archive_ids() if times[one] == 1]
    pipeline.delete(*random.Random(seed).sample(ids, len(ids) // 5))
    mutate(pipeline, random.Random(seed))
    report = judge(pipeline)
    assert report.state == "broken"
    assert expected <= named(report)


@pytest.mark.parametrize("seed", range(20))
def test_a_deleted_tweet_in_the_index_is_named_and_hides_no_lost_one(seed: int) -> None:
    pipeline, chance = with_deletions(seed), random.Random(seed)
    pair, day = chance.choice([(row[:2], row[3]) for row in pipeline.rows if row[2] in pipeline.deleted])
    pipeline.indexed.append((day, *pair))
    report = judge(pipeline)
    assert (report.state, named(report)) == ("broken", {("index", "kept")})
    assert report.facts.deleted_in_index == 1
    lost = chance.choice([one for one in pipeline.indexed if one[0] == day and one[1:] != pair])
    pipeline.indexed.remove(lost)
    assert named(judge(pipeline)) == {("index", "kept"), ("index", "lost")}


def arrives_again(pipeline: Pipeline, row: tuple[int, int, str | None, date], day: date) -> None:
    """A tweet is archived, indexed and counted once more."""
    again = (row[0], pipeline.ranges[row[0]].end)
    pipeline.ranges[row[0]] = Range(0, again[1] + 1)
    pipeline.rows.append((*again, row[2], day))
    pipeline.indexed.append((day, *again))
    pipeline.tweets += 1
    pipeline.lanes[row[0], 0] = again[1]


def owned(pipeline: Pipeline) -> list[tuple[int, int, str | None, date]]:
    indexed = {one[1:] for one in pipeline.indexed}
    return [row for row in pipeline.rows if row[:2] in indexed]


def test_a_tweet_that_arrives_again_after_its_index_has_expired_is_counted_again() -> None:
    pipeline = healthy(lane_count=1)
    expired = TODAY - timedelta(RETENTION_DAYS + 1)
    moved = owned(pipeline)[0]
    pipeline.rows = [(*row[:3], expired) if row[2] == moved[2] else row for row in pipeline.rows]
    pipeline.indexed = [one for one in pipeline.indexed if one[1:] != moved[:2]]
    assert judge(pipeline).state == "ok"
    arrives_again(pipeline, moved, expired)
    report = judge(pipeline)
    assert report.state == "ok", report.findings
    text = "1 tweets arrived again after their day's index had expired, and were counted again"
    assert text in [one.text for one in report.findings]
    pipeline.tweets += 1 + sum(1 for row in pipeline.rows if row[2] == moved[2])
    assert named(judge(pipeline)) == {("counts", "doubled")}


def test_an_id_with_the_time_of_another_day_is_another_tweet() -> None:
    """As a replay sends it that shifts its times, on another day."""
    pipeline = healthy(lane_count=1)
    row = next(one for one in owned(pipeline) if one[3] != TODAY)
    arrives_again(pipeline, row, TODAY)
    report = judge(pipeline)
    assert (report.state, named(report)) == ("ok", set())
    assert report.facts.archived_distinct == report.facts.indexed + report.facts.rejected_by_index


def test_a_deleted_tweet_that_arrives_again() -> None:
    """It is indexed and counted like a new one, until the next run of tweet_deletions."""
    pipeline = healthy(lane_count=1)
    times = Counter(row[2] for row in pipeline.rows)
    tweet = next(one for one in pipeline.archive_ids() if times[one] == 1)
    pipeline.delete(tweet)
    assert judge(pipeline).state == "ok"
    partition, _, _, day = next(row for row in pipeline.rows if row[2] == tweet)
    again = (partition, pipeline.ranges[partition].end)
    pipeline.ranges[partition] = Range(0, again[1] + 1)
    pipeline.rows.append((*again, tweet, day))
    pipeline.readable.add(again)
    pipeline.indexed.append((day, *again))
    pipeline.tweets += 1
    pipeline.lanes[partition, 0] = again[1]
    assert named(judge(pipeline)) == {("index", "kept")}

    pipeline.readable.clear()
    pipeline.delete(tweet)

    report = judge(pipeline)
    assert (report.state, report.facts.deleted) == ("ok", 1)
    assert "1 deleted tweets arrived again and were counted again" in [one.text for one in report.findings]
    pipeline.tweets += 1
    assert named(judge(pipeline)) == {("counts", "doubled")}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("still_seconds", [0, 600])
def test_dead_letters_that_kafka_has_deleted_are_not_missed(seed: int, still_seconds: float) -> None:
    pipeline = healthy(seed)
    day_of = {row[:2]: row[3] for row in pipeline.rows}
    last = TODAY - timedelta(2)
    kept = [one for one in pipeline.letters if day_of[one[1:]] > last]
    pipeline.letters_expired = len(pipeline.letters) - len(kept)
    pipeline.letters_since_ms = int(datetime(last.year, last.month, last.day, 23, tzinfo=UTC).timestamp() * 1000)
    pipeline.letters = kept
    assert named(judge(pipeline, still_seconds=still_seconds)) == set()

    reject = next(row for row in pipeline.rows if row[2] is None and row[3] > last)
    pipeline.letters = [one for one in kept if one[1:] != reject[:2]]
    assert named(judge(pipeline)) == {("dead letters", "behind")}


def test_more_missing_tweets_than_expired_dead_letters_are_lost() -> None:
    pipeline = healthy()
    pipeline.letters_expired, pipeline.letters_since_ms = 3, int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
    pipeline.tweets -= 4
    assert [one.text for one in judge(pipeline).findings if one.kind == "lost"] == [
        "1 classified tweets were not counted"
    ]


@pytest.mark.parametrize("seed", range(20))
def test_a_lag_alone_is_not_broken(seed: int) -> None:
    """Any part may be any number of records behind the one before it."""
    chance = random.Random(seed)
    pipeline = healthy(seed)
    stop = {partition: chance.randrange(1, offsets.end + 1) for partition, offsets in pipeline.ranges.items()}
    later = {partition: chance.randrange(end + 1) for partition, end in stop.items()}
    archived = {partition: chance.randrange(offsets.end + 1) for partition, offsets in pipeline.ranges.items()}
    owners = {(partition, offset) for _, partition, offset in pipeline.indexed}
    pipeline.indexed = [one for one in pipeline.indexed if one[2] < stop[one[1]]]
    pipeline.letters = [one for one in pipeline.letters if one[2] < stop[one[1]]]
    pipeline.lanes, pipeline.tweets = {}, 0
    for partition, offset, tweet, _ in sorted(pipeline.rows, key=lambda row: row[:2]):
        if tweet and (partition, offset) in owners and offset < later[partition]:
            pipeline.lanes[partition, partition_of(tweet.encode(), pipeline.lane_count)] = offset
            pipeline.tweets += 1
    pipeline.rows = [row for row in pipeline.rows if row[1] < archived[row[0]]]
    report = judge(pipeline)
    assert report.state == "lagging"
    assert {kind for _, kind in named(report)} == {"behind"}
    stuck = judge(pipeline, still_seconds=60)
    assert stuck.state == "broken"
    assert {kind for _, kind in named(stuck)} == {"stuck"}


def test_a_running_stream_balances_at_the_cut() -> None:
    """Records after the cut are in some stores and not in others; none affects the balance."""
    pipeline = healthy()
    cut = pipeline.raw_ranges()
    whole = healthy(records=500)  # the same start, 200 records later
    assert all(whole.ranges[partition].end >= offsets.end for partition, offsets in cut.items())
    facts = collect(whole, cut, today=TODAY, retention_days=RETENTION_DAYS)
    assert balance(facts).state == "ok"
    assert facts.produced == facts.archived == len(pipeline.rows)
    assert facts.indexed == facts.counted_before_cut == pipeline.tweets
    assert facts.counted == whole.tweets > pipeline.tweets


def test_a_lost_last_record_is_stuck_when_nothing_changes() -> None:
    pipeline = healthy()
    last = max(row[:2] for row in pipeline.rows if row[0] == 0)
    pipeline.rows = [row for row in pipeline.rows if row[:2] != last]
    assert judge(pipeline).state == "lagging"
    assert ("archive", "stuck") in named(judge(pipeline, still_seconds=60))


def test_days_older_than_the_retention_may_be_missing_from_the_index_but_not_doubled() -> None:
    pipeline = healthy()
    old = TODAY - timedelta(days=RETENTION_DAYS + 1)
    move = {TODAY: old}
    pipeline.rows = [(p, o, tweet, move.get(day, day)) for p, o, tweet, day in pipeline.rows]
    moved = [(move.get(day, day), p, o) for day, p, o in pipeline.indexed]
    pipeline.indexed = [one for one in moved if one[0] != old]
    report = judge(pipeline)
    assert report.state == "ok"
    assert report.facts.expired_from_index == len(moved) - len(pipeline.indexed) > 0
    pipeline.indexed = moved
    assert judge(pipeline).facts.expired_from_index == 0
    pipeline.indexed.append(next(one for one in moved if one[0] == old))
    assert ("index", "doubled") in named(judge(pipeline))


def test_records_expired_in_kafka_stay_in_the_balance() -> None:
    pipeline = healthy()
    pipeline.ranges = {partition: Range(5, offsets.end) for partition, offsets in pipeline.ranges.items()}
    report = judge(pipeline)
    assert (report.state, report.facts.expired_in_kafka) == ("ok", 5 * RAW_PARTITIONS)
    assert report.facts.produced == len(pipeline.rows)


def test_empty_stores_balance() -> None:
    report = judge(Pipeline({}, [], [], [], 0, {}, 0))
    assert (report.state, report.findings) == ("ok", ())


class Clock:
    """Time that passes only by sleeping; `after` changes the stores at a given time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[tuple[float, Callable[[], None]]] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [one for one in self.events if one[0] <= self.now]:
            self.events.remove(event)
            event[1]()


def watch(pipeline: Pipeline, clock: Clock, wait_seconds: float) -> Report:
    return audit(
        pipeline,
        retention_days=(datetime.now(UTC).date() - TODAY).days + RETENTION_DAYS,
        wait_seconds=wait_seconds,
        clock=lambda: clock.now,
        sleep=clock.sleep,
    )


def archived_late(seconds: float) -> tuple[Pipeline, Clock]:
    """Return a pipeline whose last record is counted, but archived only after some time."""
    pipeline, clock = healthy(), Clock()
    missing = max(pipeline.rows)
    pipeline.rows.remove(missing)
    clock.events.append((seconds, lambda: pipeline.rows.append(missing)))
    return pipeline, clock


def test_waiting_ends_when_everything_has_arrived() -> None:
    pipeline, clock = archived_late(20)
    assert watch(pipeline, clock, wait_seconds=0).state == "lagging"
    assert watch(pipeline, clock, wait_seconds=60).state == "ok"
    assert clock.now < 30


def test_an_audit_waits_for_the_archivers_next_batch() -> None:
    """The counts are usually ahead of the archive by one, which says nothing about either."""
    pipeline, clock = archived_late(9)
    assert watch(pipeline, clock, wait_seconds=0).state == "ok"


def test_waiting_ends_when_nothing_changes() -> None:
    pipeline, clock = healthy(), Clock()
    pipeline.rows.remove(max(pipeline.rows))
    assert watch(pipeline, clock, wait_seconds=600).state == "broken"
    assert 45 <= clock.now < 75


def test_the_command_waits_long_enough_to_know_that_records_are_stuck() -> None:
    pipeline, clock = healthy(), Clock()
    pipeline.rows.remove(max(pipeline.rows))
    wait = signature(command).parameters["wait"]
    assert watch(pipeline, clock, wait_seconds=wait.default).state == "broken"
    assert f"takes {STILL_SECONDS:.0f} to know" in wait.annotation


def test_a_temporary_mismatch_between_two_reads_is_checked_again() -> None:
    pipeline, clock = healthy(), Clock()
    pipeline.tweets += 1
    clock.events.append((1, lambda: setattr(pipeline, "tweets", pipeline.tweets - 1)))
    assert watch(pipeline, clock, wait_seconds=0).state == "ok"
    pipeline.tweets += 1
    assert watch(pipeline, clock, wait_seconds=0).state == "broken"


def test_dead_letters_are_grouped_by_their_record() -> None:
    stages = {
        "raw-tweets-0-5": "parse",
        "raw-tweets-1-7": "index",
        "replay-0-9": "producer",
        "no-key-2-3": "unreadable",
    }
    letters = sort_letters(stages, "raw-tweets")
    assert letters.pairs == {"parse": {(0, 5)}, "index": {(1, 7)}}
    assert letters.elsewhere == {"producer": 1, "unreadable": 1}


def test_queries_and_names_of_the_index() -> None:
    assert index_day("tweets-2026.03.09", "tweets") == date(2026, 3, 9)
    assert index_day("tweets-other", "tweets") is None
    assert before({}) == {"bool": {"should": [{"match_none": {}}]}}
    assert not_from({1: 5}) == {
        "bool": {
            "must_not": [{"bool": {"filter": [{"term": {"raw_partition": 1}}, {"range": {"raw_offset": {"gte": 5}}}]}}]
        }
    }


def test_an_hour_that_is_shown_wrongly_breaks_the_audit_and_is_named() -> None:
    pipeline = healthy()
    wrong = Mismatch(1_790_000_010_000, Series(4, "storm", "m1"), Sums(12), Sums(9))
    pipeline.comparison = ViewComparison(720, (wrong,))
    report = judge(pipeline)
    assert (report.state, named(report)) == ("broken", {("view", "wrong")})
    text = next(one.text for one in report.findings if one.hop == "view")
    assert "topic 4 (storm), hour until 2026-09-21 14:13:30: counted 12, read 9" in text


def test_a_view_that_is_behind_is_lagging_and_never_hides_what_is_broken() -> None:
    pipeline = healthy()
    pipeline.comparison = ViewComparison(720, (), behind_seconds=42)
    assert judge(pipeline).state == "lagging"
    pipeline.tweets += 1
    report = judge(pipeline)
    assert report.state == "broken"
    assert {("view", "behind"), ("counts", "doubled")} <= named(report)


def test_the_view_is_compared_after_the_counts_are_read() -> None:
    """What is counted between the two must not be called complete while no dashboard shows it."""

    class Counting(Pipeline):
        def counted(self) -> Counted:
            self.comparison = ViewComparison(720, (), behind_seconds=7)
            return super().counted()

    pipeline = healthy()
    assert named(judge(Counting(**vars(pipeline)))) == {("view", "behind")}


@pytest.mark.parametrize(("off", "state"), [(0, "ok"), (50, "ok"), (52, "broken"), (-52, "broken")])
def test_mass_equals_tweets_but_for_half_a_millionth_a_share(off: int, state: str) -> None:
    pipeline = healthy()
    pipeline.mass = pipeline.tweets * 1_000_000 + off
    assert judge(pipeline).state == state


END = 1_790_000_000_000


def test_an_hour_with_more_counts_than_documents_is_wrong_even_while_tweets_are_in_flight() -> None:
    pipeline = healthy()
    pipeline.lanes = dict.fromkeys(pipeline.lanes, -1)
    pipeline.tweets = 0
    pipeline.hours = IndexComparison(3, (HourDifference(END, None, 7, 6),))
    report = judge(pipeline)
    assert report.state == "broken"
    [found] = [one for one in report.findings if one.kind == "wrong"]
    assert "all topics, hour until 2026-09-21 14:13:20: counted 7, documents 6" in found.text
    pipeline.hours = IndexComparison(3, (HourDifference(END, None, 6, 7), HourDifference(END, 4, 6, 5)))
    assert judge(pipeline).state == "lagging"


def test_documents_without_counts_and_other_topics_are_wrong_when_nothing_is_in_flight() -> None:
    for one in (HourDifference(END, None, 6, 7), HourDifference(END, 4, 6, 5)):
        pipeline = healthy()
        pipeline.hours = IndexComparison(3, (one,))
        assert {(found.hop, found.kind) for found in judge(pipeline).findings} >= {("counts", "wrong")}


def test_a_deleted_tweet_explains_a_missing_document() -> None:
    pipeline = healthy()
    pipeline.delete(pipeline.archive_ids()[0])
    pipeline.hours = IndexComparison(3, (HourDifference(END, None, 7, 6),))
    assert judge(pipeline).state == "ok"
    pipeline.hours = IndexComparison(3, (HourDifference(END, None, 20, 6),))
    assert judge(pipeline).state == "broken"


def test_what_is_still_to_come_from_the_archive_is_behind_and_not_lost() -> None:
    pipeline = healthy()
    pipeline.tweets -= 20
    pipeline.restoring = True
    pipeline.hours = IndexComparison(3, (HourDifference(END, None, 6, 7),))
    report = judge(pipeline)
    assert report.state == "lagging"
    assert "20 older tweets are still to be counted from the archive" in [one.text for one in report.findings]
    pipeline.restoring = False
    assert judge(pipeline).state == "broken"
