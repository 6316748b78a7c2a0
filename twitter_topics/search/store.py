"""The search store: daily indices of classified tweets, written by id."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from elasticsearch import AuthenticationException, Elasticsearch, NotFoundError

from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.search.bulk import Answer, Attempt, single_request
from twitter_topics.search.faults import Fault, NotWrittenError, Verdict, is_conflict, judge
from twitter_topics.search.index import index_name, index_template

if TYPE_CHECKING:
    from twitter_topics.settings import ElasticsearchSettings

log = logging.getLogger(__name__)

MAX_SUSPECTS = 20
"""Unknown errors reported per attempt. If there are more, the store is more likely at fault than the tweets."""


class Outcome(Enum):
    """What happened to a document."""

    OWNED = "owned"
    """This record owns the document: it is new, or a repeated batch wrote it again."""
    DUPLICATE = "duplicate"
    """Another record with the same tweet came first."""
    REJECTED = "rejected"
    """Elasticsearch cannot index it (mapping, size). A retry would not help."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one document; `reason` explains a rejection."""

    outcome: Outcome
    reason: str = ""


class SearchStore:
    """Documents as in search.index.

    `create` makes one attempt, whatever the patience: its caller is a task that must not occupy an executor while it
    waits. The other calls retry within `patience_seconds`, then raise RetryableError.
    """

    def __init__(self, settings: ElasticsearchSettings, *, patience_seconds: float = 60.0) -> None:
        self._settings = settings
        self._retries = RetryPolicy(patience_seconds)
        self._client = elasticsearch_client(settings)

    def ensure_template(self) -> None:
        """Put the index template; new indices follow it."""
        s = self._settings
        body = index_template(s.index_prefix, shards=s.shards, replicas=s.replicas)
        self._patiently(lambda: self._client.indices.put_index_template(name=s.index_prefix, **body))

    def create(self, documents: Sequence[dict[str, Any]]) -> list[Written]:
        """Write documents by tweet id, each id once, in one attempt of at most ATTEMPT_SECONDS.

        The first record with an id owns the document. A repeat of that record overwrites it (a repeated batch may use
        another model); any other record with that id is a duplicate.

        Returns:
            One outcome per document, in order.

        Raises:
            NotWrittenError: some documents were not accepted for a reason that is not theirs.
            RetryableError: Elasticsearch is unavailable. In both cases a repeat loses nothing.
        """
        attempt = self._attempt()
        outcomes: list[Written | None] = [None] * len(documents)
        answers = attempt.send("create", documents, range(len(documents)))
        conflicts = [one.position for one in answers if is_conflict(one.status, one.error)]
        self._settle(attempt, outcomes, answers)
        if conflicts:
            owned = self._owned(attempt, documents, conflicts)
            for position in conflicts:
                outcomes[position] = Written(Outcome.OWNED if position in owned else Outcome.DUPLICATE)
            self._settle(attempt, outcomes, attempt.send("index", documents, sorted(owned)))
        return [one for one in outcomes if one is not None]

    def delete(self, tweets: Sequence[tuple[str, int]]) -> int:
        """Delete the documents of tweets (tweet id, event time in Unix milliseconds).

        Returns:
            The number of documents that existed. A missing document or day counts as deleted.

        Raises:
            RetryableError: Elasticsearch did not delete all of them within the patience.
        """
        named = [{"tweet_id": tweet_id, "created_at": event_time_ms} for tweet_id, event_time_ms in tweets]
        waiting = list(range(len(named)))
        deleted = 0

        def send() -> None:
            nonlocal deleted
            answers = self._attempt().send("delete", named, waiting)
            failed = [one for one in answers if one.status >= 300 and one.status != 404]
            deleted += sum(one.status < 300 for one in answers)
            waiting[:] = [one.position for one in failed]
            if failed:
                raise self._not_written("delete", [(one, _verdict(one)) for one in failed], len(answers))

        self._retries.run(send)
        return deleted

    def daily_indices(self) -> dict[str, int]:
        """Return the number of documents per daily index, by name."""
        rows = self._patiently(
            lambda: self._client.cat.indices(index=f"{self._settings.index_prefix}-*", format="json", h="index")
        )
        names = sorted(row["index"] for row in rows)
        return {name: self.count(index=name) for name in names}

    def count(self, query: dict[str, Any] | None = None, *, index: str = "") -> int:
        """Count the documents that match, in all days or one index, including everything acknowledged."""
        target = index or f"{self._settings.index_prefix}-*"
        self._patiently(lambda: self._client.indices.refresh(index=target, ignore_unavailable=True))
        answer = self._patiently(lambda: self._client.count(index=target, query=query, ignore_unavailable=True))
        return int(answer["count"])

    def search(self, **body: Any) -> dict[str, Any]:
        """Search all days; keywords as in Elasticsearch's search API."""
        answer = self._patiently(
            lambda: self._client.search(index=f"{self._settings.index_prefix}-*", ignore_unavailable=True, **body)
        )
        return dict(answer)

    def delete_index(self, name: str) -> bool:
        """Delete one daily index by its exact name. Returns False if it does not exist.

        Raises:
            ValueError: not the name of a daily index; patterns are never accepted.
        """
        if not name.startswith(f"{self._settings.index_prefix}-") or any(sign in name for sign in "*,?"):
            msg = f"{name!r} is not the name of a daily index"
            raise ValueError(msg)
        try:
            self._patiently(lambda: self._client.indices.delete(index=name))
        except NotFoundError:
            return False
        return True

    def _attempt(self) -> Attempt:
        return Attempt(self._client, self._settings.url, self._settings.index_prefix)

    def _settle(self, attempt: Attempt, outcomes: list[Written | None], answers: Sequence[Answer]) -> None:
        """Note the outcome of each answer, except conflicts.

        Raises:
            NotWrittenError: some failed for a reason that is not the tweet's.
        """
        failed, accepting = [], set()
        for one in answers:
            if one.status < 300:
                outcomes[one.position] = Written(Outcome.OWNED)
                accepting.add(one.index)
            elif is_conflict(one.status, one.error):
                accepting.add(one.index)
            elif (verdict := _verdict(one)).fault is Fault.TWEET:
                outcomes[one.position] = Written(Outcome.REJECTED, verdict.reason)
            else:
                failed.append((one, verdict))
        if failed:
            raise self._not_written("index", failed, len(answers), _suspects(attempt, failed, accepting))

    def _not_written(
        self,
        action: str,
        failed: Sequence[tuple[Answer, Verdict]],
        tried: int,
        suspects: dict[int, str] | None = None,
    ) -> NotWrittenError:
        reasons = Counter(str(verdict) for _, verdict in failed)
        reason = reasons.most_common(1)[0][0]
        for _, verdict in failed:
            if verdict.fault is Fault.UNKNOWN:
                log.error("Elasticsearch returned an error that is not in search.faults: %s", verdict.reason)
                break
        text = f"Elasticsearch at {self._settings.url} did not {action} {len(failed):,} of {tried:,} tweets: {reason}"
        return NotWrittenError(text, suspects)

    def _owned(self, attempt: Attempt, documents: Sequence[dict[str, Any]], positions: Sequence[int]) -> set[int]:
        """Return which of the conflicting documents are owned by their own record."""
        prefix = self._settings.index_prefix
        docs = [
            {
                "_index": index_name(prefix, documents[position]["created_at"]),
                "_id": documents[position]["tweet_id"],
                "_source": ["raw_partition", "raw_offset"],
            }
            for position in positions
        ]
        answer = attempt.request(lambda client: client.mget(docs=docs))
        owned = set()
        for position, found in zip(positions, answer["docs"], strict=True):
            if not found.get("found"):
                reason = judge(500, found["error"], index=found["_index"]) if "error" in found else "it was deleted"
                raise RetryableError(f"document {found['_id']} could not be read after a conflict: {reason}")
            mine = documents[position]
            source = found["_source"]
            if (source["raw_partition"], source["raw_offset"]) == (mine["raw_partition"], mine["raw_offset"]):
                owned.add(position)
        return owned

    def _patiently(self, call: Callable[[], Any]) -> Any:
        return self._retries.run(lambda: self._once(call))

    def _once(self, call: Callable[[], Any]) -> Any:
        try:
            return single_request(self._settings.url, call)
        except RetryableError as error:
            if not isinstance(error.__cause__, AuthenticationException):
                raise
            msg = f"ELASTICSEARCH_USERNAME/PASSWORD/API_KEY: {self._settings.url} rejected the credentials"
            raise ConfigurationError(msg) from None


def elasticsearch_client(settings: ElasticsearchSettings) -> Elasticsearch:
    """Return the official client, without its retries: this store retries itself and sees every outcome."""
    key, password = settings.api_key.get_secret_value(), settings.password.get_secret_value()
    return Elasticsearch(
        settings.url,
        api_key=key or None,
        basic_auth=(settings.username, password) if settings.username and not key else None,
        request_timeout=30,
        max_retries=0,
        retry_on_timeout=False,
    )


def _verdict(answer: Answer) -> Verdict:
    return judge(answer.status, answer.error, index=answer.index)


def _suspects(attempt: Attempt, failed: Sequence[tuple[Answer, Verdict]], accepting: set[str]) -> dict[int, str]:
    """Return the unknown errors that concern one document alone: its index accepts others, or a probe."""
    unknown = [(one, verdict) for one, verdict in failed if verdict.fault is Fault.UNKNOWN][:MAX_SUSPECTS]
    accepting |= {index for index in {one.index for one, _ in unknown} - accepting if index and attempt.accepts(index)}
    return {one.position: verdict.reason for one, verdict in unknown if one.index in accepting}
