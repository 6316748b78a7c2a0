"""Whose fault is an error of Elasticsearch: the tweet's, the operation's, or unknown.

Only the tweet's own fault makes it a dead letter. Everything else leaves the batch to be repeated, and names the
setting or the command that helps.

Sources: the exceptions of Elasticsearch 8.19 (`org.elasticsearch.ElasticsearchException` and its subclasses; the type
in a response is the class name in snake case) and their `status()`. The HTTP status alone decides nothing below 500:
the shard limit, a closed index and a value that does not fit are all 400 (elastic/elasticsearch#70349), and a disk
block was 403 in early versions (elastic/elasticsearch#49393). An id that is too long fails the whole request
(elastic/elasticsearch#54549).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from twitter_topics.errors import RetryableError

_MAX_REASON = 300


class Fault(Enum):
    """Whose fault an error is."""

    TWEET = "tweet"
    """Its value does not fit the mapping, or it is too large. A retry would not help."""
    OPERATION = "operation"
    """The store is full, locked, overloaded or wrongly configured. The same tweet will be accepted later."""
    UNKNOWN = "unknown"
    """An error that no rule names: treated like OPERATION, unless it persists for one tweet alone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose fault, why, and what a person can do about it."""

    fault: Fault
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.reason}. {self.advice}" if self.advice else self.reason


class NotWrittenError(RetryableError):
    """Elasticsearch did not accept all documents in one attempt. Repeat the batch later; nothing is lost.

    `suspects`: positions of documents with an unknown error whose neighbours in the same index were accepted, and the
    error of each.
    """

    def __init__(self, message: str, suspects: Mapping[int, str] | None = None) -> None:
        super().__init__(message)
        self.suspects = dict(suspects or {})


class _Rule(NamedTuple):
    """Matches an error type, and if `text` is given, only errors whose reason contains it."""

    type: str
    fault: Fault
    advice: str = ""
    text: str = ""


_WRITE_BLOCK = 'Unlock it: PUT /{index}/_settings {{"index.blocks.%s": null}}'
_CLUSTER_BLOCK = 'Unlock the cluster: PUT /_cluster/settings {{"persistent": {{"cluster.blocks.%s": null}}}}'
_SHARDS = (
    "Raise cluster.max_shards_per_node, add a node, or delete old indices (ELASTICSEARCH_RETENTION_DAYS, "
    "elasticsearch_retention)"
)
_OLD_MAPPING = (
    "The index has another version's mapping: restart the classifier (`twitter-topics stop classify-tweets`, then "
    "`twitter-topics up`), which adds the new fields when it starts"
)
_RIGHTS = (
    "Check ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, and that this user may create "
    "and write the indices of ELASTICSEARCH_INDEX_PREFIX"
)
_AUTO_CREATE = "Allow the indices of ELASTICSEARCH_INDEX_PREFIX in action.auto_create_index"
_PIPELINE = "Correct or remove the ingest pipeline (index.default_pipeline, index.final_pipeline) of {index}"
_TEMPLATE = "Correct the index templates that match {index}, or ELASTICSEARCH_INDEX_PREFIX"
_OVERLOADED = "Elasticsearch is overloaded: give it more heap or CPU, or lower SPEED_MAX_TWEETS_PER_BATCH"
_CLUSTER = "Check the cluster: GET /_cluster/health, GET /_cluster/allocation/explain"
_VERSION = "Elasticsearch must be 8.x"

_RULES = (
    # cluster blocks, by the number of the block
    _Rule("cluster_block_exception", Fault.OPERATION, _WRITE_BLOCK % "read_only", "/5/"),
    _Rule("cluster_block_exception", Fault.OPERATION, _CLUSTER_BLOCK % "read_only", "/6/"),
    _Rule("cluster_block_exception", Fault.OPERATION, _WRITE_BLOCK % "write", "/8/"),
    _Rule("cluster_block_exception", Fault.OPERATION, _WRITE_BLOCK % "metadata", "/9/"),
    _Rule(
        "cluster_block_exception",
        Fault.OPERATION,
        "The disk is nearly full: free space or raise cluster.routing.allocation.disk.watermark.flood_stage; "
        "Elasticsearch then unlocks the index itself",
        "/12/",
    ),
    _Rule("cluster_block_exception", Fault.OPERATION, _CLUSTER_BLOCK % "read_only_allow_delete", "/13/"),
    _Rule("cluster_block_exception", Fault.OPERATION, "Open it: POST /{index}/_open", "/4/index closed"),
    _Rule("cluster_block_exception", Fault.OPERATION, _CLUSTER),
    # limits and states of indices
    _Rule("validation_exception", Fault.OPERATION, _SHARDS, "this action would add"),
    _Rule("illegal_argument_exception", Fault.OPERATION, _SHARDS, "this action would add"),  # before 7.16
    _Rule("validation_exception", Fault.OPERATION, _TEMPLATE),
    _Rule("strict_dynamic_mapping_exception", Fault.OPERATION, _OLD_MAPPING),
    _Rule("illegal_argument_exception", Fault.OPERATION, _OLD_MAPPING, "cannot be changed from type"),
    _Rule(
        "illegal_argument_exception",
        Fault.OPERATION,
        'Raise it: PUT /{index}/_settings {{"index.mapping.total_fields.limit": 2000}}',
        "Limit of total fields",
    ),
    _Rule(
        "illegal_argument_exception",
        Fault.OPERATION,
        "Raise ELASTICSEARCH_SHARDS; it applies to the next day's index",
        "umber of documents in the",
    ),
    _Rule("illegal_argument_exception", Fault.OPERATION, _PIPELINE, "pipeline with id"),
    _Rule("illegal_argument_exception", Fault.OPERATION, _TEMPLATE, "no write index is defined"),
    _Rule("index_closed_exception", Fault.OPERATION, "Open it: POST /{index}/_open"),
    _Rule("index_not_found_exception", Fault.OPERATION, _AUTO_CREATE),
    _Rule("invalid_index_name_exception", Fault.OPERATION, "Correct ELASTICSEARCH_INDEX_PREFIX"),
    _Rule("invalid_index_template_exception", Fault.OPERATION, _TEMPLATE),
    _Rule("invalid_alias_name_exception", Fault.OPERATION, _TEMPLATE),
    _Rule("routing_missing_exception", Fault.OPERATION, _TEMPLATE),
    _Rule("resource_already_exists_exception", Fault.OPERATION),  # two batches create an index at once
    _Rule("snapshot_in_progress_exception", Fault.OPERATION),
    _Rule("ingest_processor_exception", Fault.OPERATION, _PIPELINE),
    _Rule("ingest_pipeline_exception", Fault.OPERATION, _PIPELINE),
    _Rule("media_type_header_exception", Fault.OPERATION, _VERSION),
    _Rule("security_exception", Fault.OPERATION, _RIGHTS),
    # shards that move, recover or are missing; most of these have a status of 404 or 409
    *(
        _Rule(type_, Fault.OPERATION, _CLUSTER)
        for type_ in (
            "illegal_index_shard_state_exception",
            "index_primary_shard_not_allocated_exception",
            "index_shard_closed_exception",
            "index_shard_not_recovering_exception",
            "index_shard_not_started_exception",
            "index_shard_recovering_exception",
            "index_shard_relocated_exception",
            "index_shard_started_exception",
            "shard_not_found_exception",
            "shard_not_in_primary_mode_exception",
            "primary_missing_action_exception",
            "unavailable_shards_exception",
            "no_shard_available_action_exception",
            "master_not_discovered_exception",
            "process_cluster_event_timeout_exception",
            "task_cancelled_exception",
        )
    ),
    _Rule("es_rejected_execution_exception", Fault.OPERATION, _OVERLOADED),
    _Rule("circuit_breaking_exception", Fault.OPERATION, _OVERLOADED),
    # the tweet's own value
    _Rule("document_parsing_exception", Fault.TWEET),
    _Rule("mapper_parsing_exception", Fault.TWEET),  # before 8.8
    _Rule("max_bytes_length_exceeded_exception", Fault.TWEET),
    _Rule("illegal_argument_exception", Fault.TWEET, text="immense term"),
    _Rule("illegal_argument_exception", Fault.TWEET, text="number of nested documents"),
    _Rule("illegal_argument_exception", Fault.TWEET, text="is too long"),
    _Rule("action_request_validation_exception", Fault.TWEET, text="is too long"),
)
"""The first match decides, of the innermost cause first: the outer error often only wraps it."""

_STATUS = {
    401: (Fault.OPERATION, _RIGHTS),
    403: (Fault.OPERATION, _RIGHTS),
    406: (Fault.OPERATION, _VERSION),
    408: (Fault.OPERATION, ""),
    413: (Fault.TWEET, "Raise http.max_content_length, or the limit of the proxy before Elasticsearch"),
    429: (Fault.OPERATION, _OVERLOADED),
}
"""For errors that no rule names, such as those of a proxy."""


def judge(status: int, error: object, *, index: str = "") -> Verdict:
    """Judge an error of one item of a bulk request, or of a whole request.

    Args:
        status: HTTP status.
        error: the `error` of the item or of the response; anything, if a proxy has answered.
        index: for the advice.
    """
    chain = list(_causes(error))
    reason = _reason(status, chain, error)
    for type_, text in reversed(chain):
        for rule in _RULES:
            if rule.type == type_ and rule.text in text:
                return Verdict(rule.fault, reason, rule.advice.format(index=index or "INDEX"))
    fault, advice = _STATUS.get(status, (Fault.OPERATION if status >= 500 else Fault.UNKNOWN, ""))
    return Verdict(fault, reason, advice)


def is_conflict(status: int, error: object) -> bool:
    """Return whether a document with this id exists. Other errors have the status 409 too."""
    return status == 409 and any(type_ == "version_conflict_engine_exception" for type_, _ in _causes(error))


def _causes(error: object) -> Iterator[tuple[str, str]]:
    """Yield (type, reason) of an error and its causes, the outer error first."""
    while isinstance(error, Mapping):
        yield str(error.get("type", "")), str(error.get("reason", ""))
        error = error.get("caused_by")


def _reason(status: int, chain: list[tuple[str, str]], error: object) -> str:
    if not chain:
        return f"HTTP {status}: {error}"[:_MAX_REASON] if error else f"HTTP {status}"
    type_, text = chain[0]
    inner = chain[-1][1] if len(chain) > 1 else ""
    shown = f"{text}: {inner}" if inner and inner not in text else text
    return f"HTTP {status}: {type_}: {shown}"[:_MAX_REASON]


def request_error(body: Any) -> object:
    """Return the `error` in the body of a failed request; the body itself, if it has another form."""
    return body["error"] if isinstance(body, Mapping) and "error" in body else body
