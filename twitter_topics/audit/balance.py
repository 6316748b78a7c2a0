"""The balance of the pipeline: every produced record is archived once, indexed once and counted once, or rejected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date

    from twitter_topics.audit.indexed import HourDifference

_NAMED = 5
"""Maximum number of wrong hours listed in a finding."""

_EXPIRED_LETTERS = "Kafka has deleted as many dead letters or more, which said what the index rejected"

State = Literal["ok", "lagging", "broken"]
Kind = Literal["lost", "doubled", "unknown", "kept", "wrong", "behind", "stuck", "note"]


@dataclass(frozen=True, slots=True)
class Day:
    """Tweets of one event day in the archive and in the index.

    `expected` (archive) and `indexed` count the records before the limit; `settled` and `settled_indexed` only those
    that the aggregator has counted, which therefore must be indexed. `expired`: retention may have deleted the index.
    Deleted tweets are not counted.
    """

    day: date
    expected: int
    indexed: int
    settled: int
    settled_indexed: int
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What the stores contain of the records before the cut: numbers of records or of tweets.

    Kafka: `produced`, of which `expired_in_kafka` were deleted by Kafka's retention; `never_archived` records, not in
    `produced`, were deleted before the archive's first record.
    Archive: `archived` rows with `archived_records` distinct (partition, offset) pairs; `archive_holes`, offsets
    missing below the highest archived one; `archive_unknown`, records whose offset Kafka never assigned;
    `archive_rejects`; `archived_distinct` tweets, of which the index rejected `rejected_by_index` and `deleted` were
    deleted on request.
    Dead letters: `dead_letters`, distinct ones by stage; `rejects_without_letter`, of those whose letter Kafka must
    still have; `letters_without_reject`; `letters_expired`, deleted by Kafka, the newest of them on `letters_since`.
    Index: `days`, and `deleted_in_index`, documents of deleted tweets.
    Counts: `counted` tweets; `counted_expected` by the aggregator's own offsets; `uncounted` tweets after those
    offsets, of which `uncounted_old` are not newer than `letters_since`; `counted_ahead` tweets counted beyond the cut;
    `count_known` is False while the archive lags behind the counts; `repeated_after_deletion`, later records of deleted
    tweets, each of which may have been counted, because a tweet without a document is treated as new, and
    `repeated_after_expiry` those of tweets whose day's index may have been deleted; `restoring`,
    whether tweets that Kafka no longer has are still to be counted from the archive; `counted_mass` millionths of
    tweets in `counted_shares` shares.
    View: `shown_wrong`, a sentence for each wrong hour among the `shown` hours that were compared as a dashboard reads
    them; `view_behind_seconds`.
    Hours: `hours_different` of `hours_compared` hours, whose counts are not those of the documents.
    """

    produced: int
    archived: int
    archived_records: int
    archived_distinct: int
    counted: int
    counted_expected: int
    uncounted: int
    expired_in_kafka: int = 0
    never_archived: int = 0
    archive_holes: int = 0
    archive_unknown: int = 0
    archive_rejects: int = 0
    rejected_by_index: int = 0
    deleted: int = 0
    deleted_in_index: int = 0
    dead_letters: dict[str, int] = field(default_factory=dict)
    rejects_without_letter: int = 0
    letters_without_reject: int = 0
    letters_expired: int = 0
    letters_since: date | None = None
    uncounted_old: int = 0
    days: tuple[Day, ...] = ()
    counted_ahead: int = 0
    repeated_after_deletion: int = 0
    repeated_after_expiry: int = 0
    count_known: bool = True
    counted_mass: int | None = None
    counted_shares: int = 0
    shown: int = 0
    shown_wrong: tuple[str, ...] = ()
    view_behind_seconds: float = 0.0
    restoring: bool = False
    hours_compared: int = 0
    hours_different: tuple[HourDifference, ...] = ()

    @property
    def indexed(self) -> int:
        """Documents of records before the cut."""
        return sum(day.indexed for day in self.days)

    @property
    def counted_before_cut(self) -> int:
        """Counted tweets without those beyond the cut."""
        return self.counted - self.counted_ahead

    @property
    def expired_from_index(self) -> int:
        """Counted tweets of days older than the retention that are no longer in the index."""
        return sum(max(0, day.settled - day.settled_indexed) for day in self.days if day.expired)


@dataclass(frozen=True, slots=True)
class Finding:
    """An imbalance, or a note that explains the numbers, as a sentence."""

    hop: str
    kind: Kind
    count: int
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict. `ok`: balanced. `lagging`: records are in flight. `broken`: some are lost, doubled or stuck."""

    state: State
    findings: tuple[Finding, ...]
    facts: Facts


def balance(facts: Facts, *, still_seconds: float = 0) -> Report:
    """Judge the facts.

    Args:
        still_seconds: how long no number has changed, if that is too long: records that are behind are then stuck.
            0 = they are only behind.
    """
    index, counts = _index(facts), _counts(facts)
    in_flight = any(one.kind == "behind" for one in index + counts)
    hours = _hours(facts, in_flight=in_flight)
    findings = [*_archive(facts), *_dead_letters(facts), *index, *counts, *_view(facts), *hours]
    if still_seconds:
        findings = [_stuck(one, still_seconds) if one.kind == "behind" else one for one in findings]
    kinds = {one.kind for one in findings}
    state: State = "ok"
    if kinds - {"note", "behind"}:
        state = "broken"
    elif "behind" in kinds:
        state = "lagging"
    return Report(state, tuple(findings), facts)


def _archive(facts: Facts) -> list[Finding]:
    hop = "archive"
    doubled = facts.archived - facts.archived_records
    behind = facts.produced - (facts.archived_records - facts.archive_unknown) - facts.archive_holes
    return _findings(
        Finding(hop, "doubled", doubled, f"{doubled:,} archive rows are duplicates of another row's record"),
        Finding(hop, "lost", facts.archive_holes, f"{facts.archive_holes:,} records are missing between archived ones"),
        Finding(
            hop,
            "unknown",
            facts.archive_unknown,
            f"{facts.archive_unknown:,} archived records are not from this topic: "
            "it was re-created, or the archive belongs to another topic",
        ),
        Finding(hop, "behind", behind, f"{behind:,} produced records are not archived yet"),
        Finding(
            hop,
            "note",
            facts.never_archived,
            f"{facts.never_archived:,} records expired in Kafka before the archive began",
        ),
        Finding(hop, "note", facts.deleted, f"{facts.deleted:,} tweets were deleted on request"),
        Finding(
            hop, "note", facts.expired_in_kafka, f"{facts.expired_in_kafka:,} records were deleted by Kafka's retention"
        ),
    )


def _dead_letters(facts: Facts) -> list[Finding]:
    missing, extra = facts.rejects_without_letter, facts.letters_without_reject
    rejected_at_source = facts.dead_letters.get("producer", 0)
    return _findings(
        Finding("dead letters", "behind", missing, f"{missing:,} archived rejects have no dead letter yet"),
        Finding(
            "dead letters",
            "unknown",
            extra,
            f"{extra:,} dead letters are for records that are valid tweets in the archive",
        ),
        Finding(
            "dead letters",
            "note",
            rejected_at_source,
            f"{rejected_at_source:,} tweets were rejected before Kafka (too large)",
        ),
    )


def _index(facts: Facts) -> list[Finding]:
    found: list[Finding] = []
    unknown = 0
    for day in facts.days:
        lost = 0 if day.expired else day.settled - day.settled_indexed
        coming = (day.expected - day.settled) - (day.indexed - day.settled_indexed)
        extra = max(day.settled_indexed - day.settled, -coming)
        if facts.letters_since is not None and day.day <= facts.letters_since:
            allowed = facts.letters_expired - unknown
            excused_lost = max(0, min(lost, allowed))
            excused_coming = max(0, min(coming, allowed - excused_lost))
            lost, coming, unknown = (
                lost - excused_lost,
                coming - excused_coming,
                unknown + excused_lost + excused_coming,
            )
        found += _findings(
            Finding("index", "doubled", extra, f"{day.day}: {extra:,} more documents than tweets in the archive"),
            Finding("index", "lost", lost, f"{day.day}: {lost:,} counted tweets are not in the index"),
            Finding("index", "behind", coming, f"{day.day}: {coming:,} tweets are not indexed yet"),
        )
    expired, kept = facts.expired_from_index, facts.deleted_in_index
    return found + _findings(
        Finding(
            "index", "kept", kept, f"{kept:,} deleted tweets are in the index; the DAG tweet_deletions removes them"
        ),
        Finding(
            "index", "note", expired, f"{expired:,} tweets are older than the retention and no longer in the index"
        ),
        Finding(
            "index", "note", facts.rejected_by_index, f"{facts.rejected_by_index:,} tweets were rejected by the index"
        ),
        Finding("index", "note", unknown, f"{unknown:,} tweets are not in the index. {_EXPIRED_LETTERS}"),
    )


def _counts(facts: Facts) -> list[Finding]:
    if not facts.count_known:
        return [Finding("counts", "behind", 0, "the archive lags behind the counts; they cannot be compared yet")]
    extra = facts.counted - facts.counted_expected
    again = min(max(0, extra), facts.repeated_after_deletion)
    late = min(max(0, extra - again), facts.repeated_after_expiry)
    extra -= again + late
    missing = max(0, -extra)
    unknown = min(missing, facts.letters_expired)
    missing -= unknown
    old = min(facts.uncounted_old, facts.letters_expired - unknown)
    unknown += old
    if facts.restoring:
        text = f"{missing:,} older tweets are still to be counted from the archive"
        lacking = Finding("counts", "behind", missing, text)
    else:
        lacking = Finding("counts", "lost", missing, f"{missing:,} classified tweets were not counted")
    return _findings(
        Finding("counts", "note", again, f"{again:,} deleted tweets arrived again and were counted again"),
        Finding(
            "counts",
            "note",
            late,
            f"{late:,} tweets arrived again after their day's index had expired, and were counted again",
        ),
        Finding("counts", "note", unknown, f"{unknown:,} tweets were not counted. {_EXPIRED_LETTERS}"),
        Finding("counts", "doubled", extra, f"{extra:,} more tweets were counted than classified"),
        lacking,
        Finding("counts", "behind", facts.uncounted - old, f"{facts.uncounted - old:,} tweets are not counted yet"),
    )


def _view(facts: Facts) -> list[Finding]:
    named = "; ".join(facts.shown_wrong[:_NAMED])
    wrong, behind = len(facts.shown_wrong), round(facts.view_behind_seconds)
    # a share is rounded to a millionth, so each may be off by half of one
    off = 0 if facts.counted_mass is None else abs(facts.counted_mass - facts.counted * 1_000_000)
    mass_off = max(0, off - facts.counted_shares // 2 - 1)
    return _findings(
        Finding("view", "wrong", wrong, f"{wrong:,} of {facts.shown:,} hours are shown with wrong counts: {named}"),
        Finding("view", "behind", behind, f"InfluxDB shows the counts of {behind:,} s ago"),
        Finding(
            "counts", "wrong", mass_off, f"the topics' mass is {off / 1e6:,.3f} tweets off the {facts.counted:,} tweets"
        ),
    )


def _hours(facts: Facts, *, in_flight: bool) -> list[Finding]:
    deleted = facts.deleted + facts.repeated_after_deletion

    def is_wrong(one: HourDifference) -> bool:
        if one.topic_id is None and one.counted > one.indexed:  # only a deletion takes a counted document away
            return one.counted > one.indexed + deleted
        return not in_flight

    wrong = [] if facts.restoring else [one for one in facts.hours_different if is_wrong(one)]
    named = "; ".join(one.text for one in wrong[:_NAMED])
    text = f"{len(wrong):,} counts of {facts.hours_compared:,} hours differ from the documents: {named}"
    return _findings(Finding("counts", "wrong", len(wrong), text))


def _findings(*candidates: Finding) -> list[Finding]:
    return [one for one in candidates if one.count > 0]


def _stuck(finding: Finding, seconds: float) -> Finding:
    text = f"{finding.text}, and no number has changed for {seconds:.0f} s"
    return Finding(finding.hop, "stuck", finding.count, text)
