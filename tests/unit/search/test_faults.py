"""Whose fault each error of Elasticsearch is. Types and statuses as 8.19 has them; the rest is what proxies answer."""

from __future__ import annotations

from typing import Any

import pytest

from twitter_topics.search.faults import Fault, is_conflict, judge, request_error


def error(type_: str, reason: str = "", cause: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": type_, "reason": reason} | ({"caused_by": cause} if cause else {})


def block(text: str) -> dict[str, Any]:
    return error("cluster_block_exception", f"index [tweets-2026.11.18] blocked by: [{text}];")


TWEETS = [
    (400, error("document_parsing_exception", "[1:9] failed to parse field [topic_id] of type [integer]")),
    (400, error("mapper_parsing_exception", "failed to parse field [topic_id]", error("number_format_exception"))),
    (400, error("illegal_argument_exception", 'Document contains at least one immense term in field="lang"')),
    (400, error("document_parsing_exception", "x", error("max_bytes_length_exceeded_exception", "bytes can be …"))),
    (400, error("illegal_argument_exception", "The number of nested documents has exceeded the allowed limit")),
    (
        400,
        error("action_request_validation_exception", "Validation Failed: 1: id [aaa] is too long, must be no longer"),
    ),
    (413, None),
    (413, "<html><center>nginx"),
]

SHARDS = "Validation Failed: 1: this action would add [1] shards, but this cluster currently has [5]/[5] maximum normal"
OPERATION = [
    (400, error("validation_exception", SHARDS), "cluster.max_shards_per_node"),
    (400, error("illegal_argument_exception", SHARDS), "cluster.max_shards_per_node"),
    (400, error("validation_exception", "Validation Failed: 1: something about an alias"), "index templates"),
    (400, error("strict_dynamic_mapping_exception", "mapping set to strict, dynamic introduction"), "restart"),
    (400, error("document_parsing_exception", "[1:9]", error("strict_dynamic_mapping_exception", "x")), "restart"),
    (400, error("illegal_argument_exception", "mapper [a] cannot be changed from type [long] to [text]"), "restart"),
    (
        400,
        error("document_parsing_exception", "x", error("illegal_argument_exception", "Limit of total fields [9]")),
        "total_fields",
    ),
    (400, error("illegal_argument_exception", "Number of documents in the index can't exceed [2147483519]"), "SHARDS"),
    (400, error("illegal_argument_exception", "pipeline with id [clean] does not exist"), "default_pipeline"),
    (400, error("illegal_argument_exception", "no write index is defined for alias [tweets]"), "templates"),
    (400, error("index_closed_exception", "closed"), "POST /tweets-2026.11.18/_open"),
    (400, error("invalid_index_name_exception", "Invalid index name [A]"), "ELASTICSEARCH_INDEX_PREFIX"),
    (400, error("invalid_index_template_exception", "x"), "templates"),
    (400, error("invalid_alias_name_exception", "x"), "templates"),
    (400, error("routing_missing_exception", "routing is required"), "templates"),
    (400, error("resource_already_exists_exception", "index already exists"), ""),
    (400, error("snapshot_in_progress_exception", "x"), ""),
    (400, error("media_type_header_exception", "compatible-with=9"), "8.x"),
    (400, error("ingest_processor_exception", "x", error("script_exception", "y")), "pipeline"),
    (400, error("task_cancelled_exception", "x"), "_cluster/health"),
    (401, error("security_exception", "missing authentication credentials"), "ELASTICSEARCH_API_KEY"),
    (403, error("security_exception", "action [indices:admin/auto_create] is unauthorized"), "may create"),
    (401, "<html>proxy", "ELASTICSEARCH_API_KEY"),
    (403, "<html>proxy", "ELASTICSEARCH_API_KEY"),
    (403, block("FORBIDDEN/5/index read-only (api)"), '"index.blocks.read_only": null'),
    (403, block("FORBIDDEN/6/cluster read-only (api)"), '"cluster.blocks.read_only": null'),
    (403, block("FORBIDDEN/8/index write (api)"), '/tweets-2026.11.18/_settings {"index.blocks.write": null}'),
    (403, block("FORBIDDEN/9/index metadata (api)"), '"index.blocks.metadata": null'),
    (403, block("FORBIDDEN/4/index closed"), "_open"),
    (403, block("FORBIDDEN/12/index read-only / allow delete (api)"), "watermark"),
    (429, block("TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow"), "disk"),
    (403, block("FORBIDDEN/13/cluster read-only / allow delete (api)"), "cluster.blocks.read_only_allow_delete"),
    (503, block("SERVICE_UNAVAILABLE/1/state not recovered / initialized"), "_cluster/health"),
    (503, block("SERVICE_UNAVAILABLE/2/no master"), "_cluster/health"),
    (404, error("index_not_found_exception", "no such index and [action.auto_create_index] is [false]"), "auto_create"),
    (404, error("index_shard_closed_exception", "x"), "_cluster/health"),
    (404, error("illegal_index_shard_state_exception", "x"), "_cluster/health"),
    (404, error("index_shard_not_started_exception", "x"), "_cluster/health"),
    (404, error("index_shard_not_recovering_exception", "x"), "_cluster/health"),
    (404, error("index_shard_recovering_exception", "x"), "_cluster/health"),
    (404, error("index_shard_relocated_exception", "x"), "_cluster/health"),
    (404, error("index_shard_started_exception", "x"), "_cluster/health"),
    (404, error("shard_not_found_exception", "x"), "_cluster/health"),
    (404, error("shard_not_in_primary_mode_exception", "x"), "_cluster/health"),
    (409, error("index_primary_shard_not_allocated_exception", "x"), "_cluster/health"),
    (406, "<html>", "8.x"),
    (408, None, ""),
    (429, error("es_rejected_execution_exception", "rejected execution of coordinating operation"), "overloaded"),
    (429, error("circuit_breaking_exception", "[parent] Data too large"), "overloaded"),
    (429, "<html>proxy", "overloaded"),
    (500, error("mapper_exception", "timed out while waiting for a dynamic mapping update"), ""),
    (500, error("null_pointer_exception", ""), ""),
    (500, error("translog_exception", "No space left on device"), ""),
    (500, error("no_longer_primary_shard_exception", "x"), ""),
    (500, error("node_disconnected_exception", "x"), ""),
    (500, error("receive_timeout_transport_exception", "x"), ""),
    (502, "<html>proxy", ""),
    (503, error("unavailable_shards_exception", "primary shard is not active"), "allocation/explain"),
    (503, error("no_shard_available_action_exception", "x"), "_cluster/health"),
    (503, error("primary_missing_action_exception", "x"), "_cluster/health"),
    (503, error("master_not_discovered_exception", ""), "_cluster/health"),
    (503, error("process_cluster_event_timeout_exception", "failed to process cluster event (put-mapping)"), "health"),
    (503, error("node_closed_exception", "node closed"), ""),
    (504, "<html>proxy", ""),
]

UNKNOWN = [
    (400, error("illegal_argument_exception", "a rule that nobody has seen yet")),
    (400, error("x_content_parse_exception", "unexpected end")),
    (400, error("an_exception_of_the_next_version", "")),
    (400, error("status_exception", "")),
    (404, error("type_missing_exception", "")),
    (409, error("another_conflict_exception", "")),
    (400, "<html>proxy"),
    (405, None),
    (418, {}),
]


@pytest.mark.parametrize(("status", "given"), TWEETS)
def test_only_the_own_value_of_a_tweet_is_its_fault(status: int, given: Any) -> None:
    assert judge(status, given).fault is Fault.TWEET


@pytest.mark.parametrize(("status", "given", "advice"), OPERATION)
def test_operation_is_named_with_what_helps(status: int, given: Any, advice: str) -> None:
    verdict = judge(status, given, index="tweets-2026.11.18")
    assert verdict.fault is Fault.OPERATION
    assert verdict.reason.startswith(f"HTTP {status}")
    assert advice in verdict.advice
    assert bool(advice) == bool(verdict.advice)
    assert "{{" not in str(verdict)


@pytest.mark.parametrize(("status", "given"), UNKNOWN)
def test_everything_else_is_unknown(status: int, given: Any) -> None:
    assert judge(status, given).fault is Fault.UNKNOWN


def test_the_reason_names_the_innermost_cause() -> None:
    given = error(
        "document_parsing_exception", "failed to parse", error("wrapper", "w", error("inner", 'For input: "x"'))
    )
    assert judge(400, given).reason == 'HTTP 400: document_parsing_exception: failed to parse: For input: "x"'
    assert len(judge(400, error("validation_exception", "x" * 5_000)).reason) == 300


def test_only_a_version_conflict_is_a_document_that_exists() -> None:
    assert is_conflict(409, error("version_conflict_engine_exception", "document already exists"))
    assert not is_conflict(409, error("index_primary_shard_not_allocated_exception", ""))
    assert not is_conflict(400, error("version_conflict_engine_exception", ""))


def test_the_error_of_a_request_is_found_in_its_body() -> None:
    assert request_error({"error": error("a", "b"), "status": 400}) == error("a", "b")
    assert request_error("<html>") == "<html>"
