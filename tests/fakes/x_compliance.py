"""A local batch compliance API of X: jobs, upload and download. tests.fakes.x_api.FakeX serves it as `jobs`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.fakes.http import Connection, Request

JOBS = "/2/compliance/jobs"
PROBLEMS = "https://api.x.com/2/problems"
CREATED_MS = 1_793_500_000_000
"""2026-11-01: when every post in a result was created; it was redacted an hour later."""


def iso(time_ms: int) -> str:
    """Return `2026-11-01T02:26:40.000Z`, X's time format."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ComplianceJobs:
    """Batch compliance: created → (upload) in_progress → complete after `polls` status requests.

    Attributes:
        jobs: by id, with status and, once uploaded, `ids`.
        redactions: what has happened, by id: `deleted`, `suspended`, `protected`, `deactivated`, `scrub_geo` or
            `bounced`.
        limited: this many of the next requests are answered 429.
    """

    def __init__(self, url: str, now_ms: Callable[[], int], polls: int = 2) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.redactions: dict[str, str] = {}
        self.polls = polls
        self.limited = 0
        self._url, self._now_ms = url, now_ms

    def serve(self, request: Request) -> tuple[int, dict[str, Any]]:
        if self.limited:
            self.limited -= 1
            return 429, {"title": "Too Many Requests", "type": "about:blank", "status": 429}
        if request.method == "POST":
            return self._create(request.json)
        job_id = request.path.removeprefix(JOBS).strip("/")
        if not job_id:
            kind, status = request.query["type"], request.query.get("status")
            found = [job for job in self.jobs.values() if [job["type"]] == kind and status in (None, [job["status"]])]
            shown = [self._shown(job) for job in found]
            return 200, {"meta": {"result_count": 0}} if not shown else {"data": shown}
        if job_id not in self.jobs:
            return 404, {"title": "Not Found Error", "type": f"{PROBLEMS}/resource-not-found", "value": job_id}
        job = self.jobs[job_id]
        if job["status"] == "in_progress":
            job["polls"] -= 1
            job["status"] = "complete" if job["polls"] <= 0 else "in_progress"
        return 200, {"data": self._shown(job)}

    def is_file(self, request: Request) -> bool:
        """Upload or download: signed URLs, which must not receive the bearer token."""
        what, _, job_id = request.path.strip("/").partition("/")
        return what in ("upload", "download") and job_id in self.jobs

    def serve_file(self, connection: Connection) -> None:
        request = connection.request
        what, _, job_id = request.path.strip("/").partition("/")
        job = self.jobs[job_id]
        if "Authorization" in request.headers or (what == "upload" and job["status"] != "created"):
            connection.answer(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        elif what == "upload":
            job |= {"ids": request.body.decode().split(), "status": "in_progress"}
            connection.answer(200)
        elif job["status"] != "complete":
            connection.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            connection.answer(200, self._results(job))

    def _create(self, wanted: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        active = ("created", "in_progress")
        if any(job["type"] == wanted["type"] and job["status"] in active for job in self.jobs.values()):
            detail = f"There is already an active compliance job of type {wanted['type']}."
            return 409, {"title": "Conflict", "detail": detail, "type": f"{PROBLEMS}/conflict", "status": 409}
        job_id = str(1_372_966_999_991_541_762 + len(self.jobs))
        now = self._now_ms()
        self.jobs[job_id] = {
            "id": job_id,
            "type": wanted["type"],
            "name": wanted.get("name", ""),
            "status": "created",
            "created_at": iso(now),
            "upload_url": f"{self._url}/upload/{job_id}",
            "upload_expires_at": iso(now + 15 * 60_000),
            "download_url": f"{self._url}/download/{job_id}",
            "download_expires_at": iso(now + 7 * 86_400_000),
            "polls": self.polls,
        }
        return 200, {"data": self._shown(self.jobs[job_id])}

    def _results(self, job: dict[str, Any]) -> bytes:
        hit = [one for one in job["ids"] if one in self.redactions]
        times = {"created_at": iso(CREATED_MS), "redacted_at": iso(CREATED_MS + 3_600_000)}
        lines = [{"id": one, "action": "delete", **times, "reason": self.redactions[one]} for one in hit]
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    @staticmethod
    def _shown(job: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in job.items() if name not in ("ids", "polls")}
