"""The search store: daily indices of classified tweets, written by id."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from elasticsearch import ApiError, AuthenticationException, Elasticsearch, NotFoundError

from twitter_topics.backends import tls
from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.search.bulk import Answer, Attempt, single_request
from twitter_topics.search.encoded import EncodedDocument
from twitter_topics.search.faults import Fault, NotWrittenError, Verdict, is_conflict, judge
from twitter_topics.search.index import (
    MAPPING_VERSION,
    MAPPINGS,
    index_day,
    index_name,
    index_template,
    mapping_version,
    missing_fields,
)
from twitter_topics.search.ownership import HELD_FIELDS, Outcome, Written, resolve

if TYPE_CHECKING:
    from twitter_topics.settings import ElasticsearchSettings

log = logging.getLogger(__name__)

REFRESH_SECONDS = 1
"""So soon a written document is searchable, as long as nobody calls `refresh_every`."""

MAX_SUSPECTS = 20
"""Unknown errors reported per attempt. If there are more, the store is more likely at fault than the tweets."""

MAX_VERSIONS = 10_000

PAGE = 10_000
"""Tweets found by one search: the most that Elasticsearch allows by default."""


class SearchStore:
    """Documents as in search.index.

    `create` makes one attempt, whatever the patience: its caller is a task that must not occupy an executor while it
    waits. The other calls retry within `patience_seconds`, then raise RetryableError.
    """

    def __init__(self, settings: ElasticsearchSettings, *, patience_seconds: float = 60.0) -> None:
        self._settings = settings
        self._retries = RetryPolicy(patience_seconds)
        self._client = elasticsearch_client(settings)

    def prepare(self) -> None:
        """Put the index template, which new indices follow, and give the open indices the fields that they lack.

        An index that does not accept them (locked, made by someone else) stays as it is: only writing to it fails.
        """
        self._put_template(REFRESH_SECONDS)
        answer = self._patiently(
            lambda: self._client.indices.get_mapping(index=f"{self._settings.index_prefix}-*", expand_wildcards="open")
        )
        for name, held in answer.items():
            if mapping_version(held["mappings"]) < MAPPING_VERSION:
                self._upgrade(name, held["mappings"].get("properties", {}))

    def refresh_every(self, seconds: int) -> None:
        """Make new documents searchable at this interval, in the open indices and in those to come.

        An index that does not accept it keeps its interval.

        Raises:
            RetryableError: Elasticsearch is unavailable.
        """
        self._put_template(seconds)
        interval = {"index.refresh_interval": f"{seconds}s"}
        for name in self._names(expand_wildcards="open"):
            change = partial(self._client.indices.put_settings, index=name, settings=interval)
            self._change(f"index {name} keeps its refresh interval", change)

    def create(self, documents: Sequence[EncodedDocument]) -> list[Written]:
        """Write documents by tweet id, each id once, in one attempt of at most ATTEMPT_SECONDS.

        The first record with an id owns the document. A repeat of that record changes nothing and gets back what was
        counted. A later edit is shown instead; any other record with that id is a duplicate.

        Returns:
            One outcome per document, in order.

        Raises:
            NotWrittenError: some documents were not accepted for a reason that is not theirs.
            RetryableError: Elasticsearch is unavailable. In both cases a repeat loses nothing.
        """
        attempt = self._attempt()
        answers = attempt.send("create", documents, range(len(documents)))
        outcomes = self._settle(attempt, documents, answers)
        conflicts = [one.position for one in answers if is_conflict(one.status, one.error)]
        outcomes |= self._resolve(attempt, documents, conflicts)
        return [outcomes[position] for position in range(len(documents))]

    def delete(self, tweets: Sequence[tuple[str, int]]) -> int:
        """Delete the documents of tweets (tweet id, event time in Unix milliseconds).

        Returns:
            The number of documents that existed. A missing document or day counts as deleted.

        Raises:
            RetryableError: Elasticsearch did not delete all of them within the patience.
        """
        named = [EncodedDocument(tweet_id, event_time_ms) for tweet_id, event_time_ms in tweets]
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
        return {name: self.count(index=name) for name in self._names()}

    def refresh(self, index: str = "") -> None:
        """Make everything acknowledged searchable, in all days or one index.

        Raises:
            RetryableError: Elasticsearch is unavailable.
        """
        target = index or f"{self._settings.index_prefix}-*"
        self._patiently(lambda: self._client.indices.refresh(index=target, ignore_unavailable=True))

    def count(self, query: dict[str, Any] | None = None, *, index: str = "") -> int:
        """Count the documents that match, in all days or one index, including everything acknowledged."""
        self.refresh(index)
        target = index or f"{self._settings.index_prefix}-*"
        answer = self._patiently(lambda: self._client.count(index=target, query=query, ignore_unavailable=True))
        return int(answer["count"])

    def search(self, **body: Any) -> dict[str, Any]:
        """Search all days; keywords as in Elasticsearch's search API."""
        answer = self._patiently(
            lambda: self._client.search(index=f"{self._settings.index_prefix}-*", ignore_unavailable=True, **body)
        )
        return dict(answer)

    def find(self, query: dict[str, Any]) -> Iterator[tuple[str, int]]:
        """Yield the searchable tweets that match, from all open days: (tweet id, event time in Unix milliseconds).

        Raises:
            RetryableError: Elasticsearch is unavailable, or a part of an index is.
        """
        order = [{"created_at": {"unmapped_type": "date"}}, {"tweet_id": {"unmapped_type": "keyword"}}]
        page: dict[str, Any] = {"size": PAGE, "source": False, "sort": order, "allow_partial_search_results": False}
        while hits := self.search(query=query, **page)["hits"]["hits"]:
            for hit in hits:
                if index_day(hit["_index"], self._settings.index_prefix):
                    yield hit["_id"], hit["sort"][0]
            page["search_after"] = hits[-1]["sort"]

    def model_versions(self) -> set[str]:
        """Return the model versions that documents name: by which they are shown, or were counted.

        Raises:
            RetryableError: Elasticsearch is unavailable, or a part of an index is.
            IntegrityError: there are more than MAX_VERSIONS.
        """
        fields = ("model_version", "counted_model_version")
        wanted = {field: {"terms": {"field": field, "size": MAX_VERSIONS}} for field in fields}
        found = self.search(size=0, aggs=wanted, allow_partial_search_results=False).get("aggregations", {})
        if any(one["sum_other_doc_count"] for one in found.values()):
            msg = f"the documents of {self._settings.index_prefix}-* name more than {MAX_VERSIONS:,} model versions"
            raise IntegrityError(msg)
        return {bucket["key"] for one in found.values() for bucket in one["buckets"]}

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

    def _put_template(self, refresh_seconds: int) -> None:
        s = self._settings
        body = index_template(s.index_prefix, shards=s.shards, replicas=s.replicas, refresh_seconds=refresh_seconds)
        self._patiently(lambda: self._client.indices.put_index_template(name=s.index_prefix, **body))

    def _names(self, **options: Any) -> list[str]:
        rows = self._patiently(
            lambda: self._client.cat.indices(
                index=f"{self._settings.index_prefix}-*", format="json", h="index", **options
            )
        )
        return sorted(row["index"] for row in rows)

    def _upgrade(self, name: str, held: dict[str, Any]) -> None:
        fields = {"properties": missing_fields(held), "meta": MAPPINGS["_meta"]}
        if self._change(
            f"index {name} keeps its old mapping",
            lambda: self._client.indices.put_mapping(index=name, **fields),
        ):
            log.info("index %s has the fields of mapping version %d", name, MAPPING_VERSION)

    def _change(self, otherwise: str, call: Callable[[], Any]) -> bool:
        """Change one index, if it lets itself be changed."""
        try:
            self._patiently(call)
        except (RetryableError, ApiError) as error:
            log.error("%s: %s", otherwise, error)
            return False
        return True

    def _resolve(
        self, attempt: Attempt, documents: Sequence[EncodedDocument], conflicts: Sequence[int]
    ) -> dict[int, Written]:
        """Return the outcomes of the documents whose ids exist, and replace those that have to change."""
        outcomes: dict[int, Written] = {}
        newest: dict[tuple[str, str], dict[str, Any]] = {}  # a batch may have several records of a tweet
        rewrites: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
        for position, held in zip(conflicts, self._held(attempt, documents, conflicts), strict=True):
            name = held["_index"], held["_id"]
            outcomes[position], rewrite = resolve(documents[position].fields(), newest.get(name, held["_source"]))
            if rewrite is not None:
                newest[name] = rewrite
                rewrites[name] = position, {"if_seq_no": held["_seq_no"], "if_primary_term": held["_primary_term"]}
        sent = [EncodedDocument.of(newest[name]) for name in rewrites]
        positions, conditions = zip(*rewrites.values(), strict=True) if rewrites else ((), ())
        answers = attempt.send("index", sent, range(len(sent)), conditions)
        if any(is_conflict(one.status, one.error) for one in answers):
            raise RetryableError(f"Elasticsearch at {self._settings.url}: another writer changed the same tweets")
        for at, written in self._settle(attempt, sent, answers).items():
            if written.outcome is Outcome.REJECTED:
                outcomes[positions[at]] = written
        return outcomes

    def _settle(
        self, attempt: Attempt, documents: Sequence[EncodedDocument], answers: Sequence[Answer]
    ) -> dict[int, Written]:
        """Return the outcomes by position, without the conflicts.

        Raises:
            NotWrittenError: some failed for a reason that is not the tweet's.
        """
        outcomes, failed, accepting = {}, [], set()
        for one in answers:
            if one.status < 300:
                outcomes[one.position] = Written(Outcome.OWNED, counted=documents[one.position].counted)
                accepting.add(one.index)
            elif is_conflict(one.status, one.error):
                accepting.add(one.index)
            elif (verdict := _verdict(one)).fault is Fault.TWEET:
                outcomes[one.position] = Written(Outcome.REJECTED, verdict.reason)
            else:
                failed.append((one, verdict))
        if failed:
            raise self._not_written("index", failed, len(answers), _suspects(attempt, failed, accepting))
        return outcomes

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

    def _held(
        self, attempt: Attempt, documents: Sequence[EncodedDocument], positions: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Return what exists under the ids of the documents at `positions`, with its version."""
        if not positions:
            return []
        prefix = self._settings.index_prefix
        docs = [
            {
                "_index": index_name(prefix, documents[position].created_at),
                "_id": documents[position].tweet_id,
                "_source": HELD_FIELDS,
            }
            for position in positions
        ]
        found = attempt.request(lambda client: client.mget(docs=docs))["docs"]
        for one in found:
            if not one.get("found"):
                reason = judge(500, one["error"], index=one["_index"]) if "error" in one else "it was deleted"
                raise RetryableError(f"document {one['_id']} could not be read after a conflict: {reason}")
        return list(found)

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
        **tls.elasticsearch(settings.tls),
    )


def _verdict(answer: Answer) -> Verdict:
    return judge(answer.status, answer.error, index=answer.index)


def _suspects(attempt: Attempt, failed: Sequence[tuple[Answer, Verdict]], accepting: set[str]) -> dict[int, str]:
    """Return the unknown errors that concern one document alone: its index accepts others, or a probe."""
    unknown = [(one, verdict) for one, verdict in failed if verdict.fault is Fault.UNKNOWN][:MAX_SUSPECTS]
    accepting |= {index for index in {one.index for one, _ in unknown} - accepting if index and attempt.accepts(index)}
    return {one.position: verdict.reason for one, verdict in unknown if one.index in accepting}
