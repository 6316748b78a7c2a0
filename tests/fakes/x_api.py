"""A local X API v2: the filtered stream with its rules, usage, and batch compliance.

The stream follows a script of tests.fakes.script. `FakeX(10)` alone delivers ten made-up posts and stays.
Response shapes: docs.x.com, its openapi.json, and errors as clients have reported them.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from producer.tweets import snowflake
from tests.fakes.http import Connection, Request
from tests.fakes.script import ScriptedServer, Step, Stream, keep_open, message, posts
from tests.fakes.x_compliance import JOBS, PROBLEMS, ComplianceJobs, iso

TOKEN = "AAAA-bearer-of-a-test"
START_MS = 1_793_500_000_000
"""2026-11-01T02:26:40Z, the time of the first made-up post. One comes every 10 ms."""

_WORDS = ("storm", "final", "train", "song", "game", "coffee", "rocket", "market", "match", "rain", "café", "🚀")
STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
USAGE = "/2/usage/tweets"
MAX_RULES, MAX_RULE_LENGTH = 1000, 1024
CONNECTS, WINDOW_MS = 50, 15 * 60_000
RATE_LIMITED = {"title": "Too Many Requests", "detail": "Too Many Requests", "type": "about:blank", "status": 429}
UNAUTHORIZED = {"title": "Unauthorized", "detail": "Unauthorized", "type": "about:blank", "status": 401}
NO_CREDITS = {
    "title": "CreditsDepleted",
    "detail": "Your enrolled account does not have any credits to fulfill this request.",
    "type": f"{PROBLEMS}/credits",
}
OPERATIONAL_DISCONNECT = {
    "title": "operational-disconnect",
    "disconnect_type": "UpstreamOperationalDisconnect",
    "detail": "This stream has been disconnected upstream for operational reasons.",
    "type": f"{PROBLEMS}/operational-disconnect",
}
TOO_MANY_CONNECTIONS = {
    "title": "ConnectionException",
    "detail": "This stream is currently at the maximum allowed connection limit.",
    "connection_issue": "TooManyConnections",
    "type": f"{PROBLEMS}/streaming-connection",
}
NO_RULES = {
    "title": "ConnectionException",
    "detail": "Stream has no rules.",
    "connection_issue": "RuleConfigurationIssue",
    "type": f"{PROBLEMS}/streaming-connection",
}
NOT_ENROLLED = {
    "client_id": "1",
    "detail": "When authenticating requests to the X API v2 endpoints, you must use keys and tokens from an App that "
    "is attached to a Project.",
    "title": "Client Forbidden",
    "required_enrollment": "Appropriate Level of API Access",
    "reason": "client-not-enrolled",
    "type": f"{PROBLEMS}/client-forbidden",
}


def post_id(number: int, start_ms: int = START_MS) -> str:
    """Return the id of the n-th made-up post."""
    return str(snowflake(start_ms + number * 10, number >> 12, number))


def made_post(number: int, start_ms: int = START_MS, **fields: Any) -> dict[str, Any]:
    """Return the n-th made-up post as the stream sends it; `fields` override its own."""
    author = str(1000 + number % 7)
    words = " ".join(_WORDS[(number * step) % len(_WORDS)] for step in (1, 3, 5, 7))
    data = {
        "id": post_id(number, start_ms),
        "text": f"post number {number} about #topic{number % 5} {words}",
        "created_at": iso((start_ms + number * 10) // 1000 * 1000),
        "author_id": author,
        "lang": "en",
        "conversation_id": post_id(number, start_ms),
        "edit_history_tweet_ids": [post_id(number, start_ms)],
        "public_metrics": {"retweet_count": number % 3, "reply_count": 0, "like_count": number % 11, "quote_count": 0},
        "entities": {"hashtags": [{"start": 20, "end": 27, "tag": f"topic{number % 5}"}]},
    }
    user = {"id": author, "name": f"Author {author}", "username": f"author{author}", "verified": False}
    followers = {"followers_count": 10, "following_count": 20, "tweet_count": 30, "listed_count": 0}
    return {
        "data": data | fields,
        "includes": {"users": [user | {"public_metrics": followers}]},
        "matching_rules": [{"id": "1166916266197536768", "tag": "made up"}],
    }


def problem(body: dict[str, Any]) -> Step:
    """Send an error inside the stream."""
    return message(json.dumps({"errors": [body]}).encode())


class FakeX(ScriptedServer):
    """The server. Attributes may be changed while it runs.

    Args:
        number: of made-up posts.
        script: see tests.fakes.script; by default everything at once.
        start_ms: time of the first post.
        now_ms: its clock.

    Attributes:
        sent_ids: ids of the posts written, each once, in order.
        connected_at: when the stream was requested, Unix milliseconds; more than 50 in 15 minutes are answered 429.
        rejected_429: how often that happened, or a connection was already open.
        rules: by id, as the API gives them.
        usage: posts used by day (`YYYY-MM-DD`); None = the endpoint does not exist.
        jobs: batch compliance; `jobs.redactions[id] = reason` sets its answers.
        forbidden: the app has no access (403 client-not-enrolled).
    """

    def __init__(
        self,
        number: int = 0,
        script: Sequence[Sequence[Step]] = (),
        *,
        start_ms: int = START_MS,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.rules: dict[str, dict[str, str]] = {"1": {"id": "1", "value": "made up", "tag": "made up"}}
        self.usage: dict[str, int] | None = {}
        self.forbidden = False
        self.rejected_429 = 0
        self.connected_at: list[int] = []
        self._start_ms, self._now_ms = start_ms, now_ms
        self._open: list[Connection] = []
        self._next_rule = 1_166_916_266_197_536_768
        super().__init__(script or [[posts(number), keep_open]], number)
        self.jobs = ComplianceJobs(self.url, now_ms)

    def close(self) -> None:
        self.http.close()

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings that point to this server."""
        return {"X_BEARER_TOKEN": TOKEN, "X_API_URL": self.url}

    def asked(self, path: str) -> list[Request]:
        """Return the requests for one path."""
        return [request for request in self.requests if request.path == path]

    # --- the interface of tests.fakes.script

    def post_id(self, number: int) -> str:
        return post_id(number, self._start_ms)

    def post(self, number: int, length: int = 0) -> bytes:
        made = json.dumps(made_post(number, self._start_ms)).encode()
        if len(made) >= length:
            return made
        return json.dumps(made_post(number, self._start_ms, text="long " * (length // 5))).encode()

    def frame(self, message: bytes, request: Request) -> bytes:
        return message + b"\r\n"

    def is_stream(self, request: Request) -> bool:
        return request.path == STREAM

    def opening(self, stream: Stream) -> None:
        """Write nothing: the first keep-alive or post is the first byte."""

    def admit(self, connection: Connection) -> bool:
        if self.jobs.is_file(connection.request):
            return True
        if connection.request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._say(connection, 401, UNAUTHORIZED)
            return False
        if self.forbidden:
            self._say(connection, 403, NOT_ENROLLED)
        return not self.forbidden

    def answer(self, connection: Connection) -> None:
        request = connection.request
        if self.jobs.is_file(request):
            self.jobs.serve_file(connection)
        elif request.path == RULES:
            self._say(connection, *(self._post_rules(request) if request.method == "POST" else (200, self._rules())))
        elif request.path == USAGE and self.usage is not None:
            self._say(connection, 200, self._usage(self.usage))
        elif request.path.startswith(JOBS):
            self._say(connection, *self.jobs.serve(request))
        else:
            self._say(connection, 404, {"title": "Not Found", "type": "about:blank", "status": 404})

    # --- the limits of the stream

    def _serve(self, connection: Connection) -> None:
        if self.is_stream(connection.request) and not self._let_in(connection):
            return
        super()._serve(connection)

    def _let_in(self, connection: Connection) -> bool:
        """Allow one connection at a time, a limited number of attempts, and only with rules. The script runs for the
        connections that are accepted."""
        now = self._now_ms()
        with self._lock:
            self.connected_at.append(now)
            self._open = [one for one in self._open if not _is_gone(one)]
            is_busy = bool(self._open)
            window = [at for at in self.connected_at if at > now - WINDOW_MS]
            left = CONNECTS - len(window)
            if not is_busy and left >= 0 and self.rules:
                self._open.append(connection)
        limits = {
            "x-rate-limit-limit": str(CONNECTS),
            "x-rate-limit-remaining": str(max(0, left)),
            "x-rate-limit-reset": str((window[0] + WINDOW_MS) // 1000),
        }
        if is_busy or left < 0:
            self.rejected_429 += 1
            self._say(connection, 429, TOO_MANY_CONNECTIONS if is_busy else RATE_LIMITED, limits)
            return False
        if not self.rules:
            self._say(connection, 409, NO_RULES)
            return False
        begin = connection.open
        connection.open = lambda headers=None: begin(limits | (headers or {}))  # type: ignore[method-assign]
        return True

    # --- rules and usage

    def _rules(self) -> dict[str, Any]:
        meta = {"sent": iso(self._now_ms()), "result_count": len(self.rules)}
        return {"data": list(self.rules.values()), "meta": meta} if self.rules else {"meta": meta}

    def _post_rules(self, request: Request) -> tuple[int, dict[str, Any]]:
        dry = request.query.get("dry_run") == ["true"]
        body = request.json
        return self._delete_rules(body["delete"], dry) if "delete" in body else self._add_rules(body["add"], dry)

    def _add_rules(self, wanted: list[dict[str, str]], dry: bool) -> tuple[int, dict[str, Any]]:
        created: list[dict[str, str]] = []
        errors: list[dict[str, Any]] = []
        if len(self.rules) + len(wanted) > MAX_RULES:
            detail = f"Rules must be limited to {MAX_RULES}."
            return 422, {"title": "RulesCapExceeded", "detail": detail, "type": f"{PROBLEMS}/rule-cap"}
        known = {rule["value"]: rule["id"] for rule in self.rules.values()}
        for rule in wanted:
            value = rule["value"]
            if value in known:
                kind = f"{PROBLEMS}/duplicate-rules"
                errors.append({"value": value, "id": known[value], "title": "DuplicateRule", "type": kind})
            elif details := _rule_faults(value):
                kind = f"{PROBLEMS}/invalid-rules"
                errors.append({"value": value, "details": details, "title": "UnprocessableEntity", "type": kind})
            else:
                self._next_rule += 1
                known[value] = str(self._next_rule)
                created.append({"id": known[value], **rule})
        if not dry:
            self.rules |= {rule["id"]: rule for rule in created}
        counts = {"created": len(created), "not_created": len(errors), "valid": len(created), "invalid": len(errors)}
        answer: dict[str, Any] = {"meta": {"sent": iso(self._now_ms()), "summary": counts}}
        return 201, answer | ({"data": created} if created else {}) | ({"errors": errors} if errors else {})

    def _delete_rules(self, what: dict[str, list[str]], dry: bool) -> tuple[int, dict[str, Any]]:
        found = [rule_id for rule_id in what["ids"] if rule_id in self.rules]
        missing = [rule_id for rule_id in what["ids"] if rule_id not in self.rules]
        for rule_id in found if not dry else []:
            del self.rules[rule_id]
        counts = {"deleted": len(found), "not_deleted": len(missing)}
        answer: dict[str, Any] = {"meta": {"sent": iso(self._now_ms()), "summary": counts}}
        errors = [{"errors": [{"message": "Rule does not exist"}], "title": "Invalid Request"} for _ in missing]
        return 200, answer | ({"errors": errors} if errors else {})

    @staticmethod
    def _usage(used: dict[str, int]) -> dict[str, Any]:
        days = [{"date": f"{day}T00:00:00.000Z", "usage": str(count)} for day, count in used.items()]
        daily = {"project_id": "1", "usage": days}
        return {"data": {"project_usage": str(sum(used.values())), "daily_project_usage": daily, "cap_reset_day": 1}}

    @staticmethod
    def _say(connection: Connection, code: int, body: object, headers: dict[str, str] | None = None) -> None:
        connection.answer(code, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


def _rule_faults(value: str) -> list[str]:
    if len(value) > MAX_RULE_LENGTH:
        return [f"Rule length must be less than or equal to {MAX_RULE_LENGTH}"]
    if "nonsense:" in value:
        return [
            "Reference to invalid operator 'nonsense'. Operator is not available in current product (at position 1)"
        ]
    return []


def _is_gone(connection: Connection) -> bool:
    """Whether the client or the server has hung up."""
    raw = connection._handler.connection
    with suppress(OSError, ValueError):
        readable, _, _ = select.select([raw], [], [], 0)
        return bool(readable) and not raw.recv(1, socket.MSG_PEEK)
    return True
