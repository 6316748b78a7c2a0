"""X's batch compliance: which archived tweets were deleted or changed on X.

Create a job and upload the ids; X processes them for minutes or hours, and the result lists the deleted and changed
ids. X allows one job per type at a time. Source: docs.x.com/x-api/compliance/batch-compliance and openapi.json.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from twitter_topics.backends.http_answers import Answer
from twitter_topics.backends.retrying import RetryPolicy
from twitter_topics.backends.x_api import COMPLIANCE_JOBS, LIMITED_S, XApi, body_fields
from twitter_topics.errors import ConfigurationError, IntegrityError, RetryableError
from twitter_topics.records.notice import Notice
from twitter_topics.records.times import iso_ms
from twitter_topics.records.tweet import TWITTER

if TYPE_CHECKING:
    from twitter_topics.settings import XSettings

log = logging.getLogger(__name__)

POLL_SECONDS = 30
"""Between two polls of a job: 30 of the 150 requests that X allows in 15 minutes."""

_CONNECT_SECONDS, _READ_SECONDS = 10, 60


@dataclass(frozen=True)
class Job:
    """A compliance job. `status`: created, in_progress, complete, failed or expired. The signed URLs are secrets."""

    job_id: str
    name: str
    status: str
    upload_url: str
    upload_until_ms: int
    download_url: str

    def __repr__(self) -> str:
        return f"Job({self.job_id}, {self.status})"


class XCompliance:
    """Jobs of type `tweets`. Retries and errors are the same for all methods.

    Network errors, 5xx and 429 (until `x-rate-limit-reset`) are retried.

    Raises:
        ConfigurationError: no token, or X rejects it (401, 403).
        RetryableError: X stays unavailable for longer than the patience, or another job is running.
        IntegrityError: X's response does not match its documentation.
    """

    def __init__(
        self,
        settings: XSettings,
        *,
        patience_seconds: float = 20 * 60,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._x = XApi(settings, now_ms)
        self._now_ms = now_ms
        self._retries = RetryPolicy(
            patience_seconds,
            first_s=1,
            longest_s=LIMITED_S,
            jitter=0,
            monotonic=lambda: now_ms() / 1000,
            sleep=wait,
        )

    def job(self, job_id: str) -> Job:
        """Return the current state of a job."""
        return _job(self._api("GET", f"{COMPLIANCE_JOBS}/{job_id}"))

    def unfinished(self, name: str) -> Job | None:
        """Return the job of this name that waits for its upload or is in progress."""
        jobs = self._api("GET", COMPLIANCE_JOBS, params={"type": "tweets"}) or []
        found = [_job(job) for job in jobs if job.get("name") == name]
        usable = [job for job in found if job.status == "in_progress" or self._awaits_upload(job)]
        return max(usable, key=lambda job: (job.status == "in_progress", int(job.job_id)), default=None)

    def submit(self, name: str, ids: bytes) -> Job:
        """Have X check tweets. An unfinished job of that name, left by an interrupted run, is resumed.

        Args:
            name: at most 64 characters.
            ids: one id per line.
        """
        job = self.unfinished(name)
        if job is None:
            job = _job(self._api("POST", COMPLIANCE_JOBS, body={"type": "tweets", "name": name}))
            log.info("compliance job %s created", job.job_id)
        if job.status == "created":
            self._upload(job, ids)
            log.info("compliance job %s: ids uploaded", job.job_id)
        else:
            log.info("compliance job %s of an earlier run is still in progress; using its result", job.job_id)
        return job

    def results(self, job: Job) -> Iterator[Notice]:
        """Yield the notices of a complete job, one by one.

        Raises:
            IntegrityError: at the end, if some lines were not valid results.
        """
        unreadable = 0
        with self._file("GET", job.download_url, stream=True) as answer:
            try:
                for line in answer.iter_lines(chunk_size=1 << 16):
                    if not line.strip():
                        continue
                    notice = read_result(line)
                    unreadable += notice is None
                    if notice is not None:
                        yield notice
            except requests.RequestException as error:
                raise RetryableError(
                    f"the results of compliance job {job.job_id} were interrupted: {type(error).__name__}"
                ) from None
        if unreadable:
            raise IntegrityError(
                f"{unreadable} lines in the results of compliance job {job.job_id} are not valid results"
            )

    def _awaits_upload(self, job: Job) -> bool:
        return job.status == "created" and self._now_ms() < job.upload_until_ms

    def _upload(self, job: Job, ids: bytes) -> None:
        self._file("PUT", job.upload_url, data=ids, headers={"Content-Type": "text/plain"}).close()

    def _api(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: dict[str, str] | None = None
    ) -> Any:
        """Call X and return the `data` of its response."""
        answer: Answer = self._retries.run(lambda: self._x.ask(method, path, params, body))
        if answer.status == 409:
            raise RetryableError(f"X allows one job of a type at a time (response: {answer.body_text()})")
        rejection = self._x.rejection(answer, method, path)
        if answer.status == 402:
            raise RetryableError(rejection)
        if answer.status in (401, 403):
            raise ConfigurationError(f"X_BEARER_TOKEN: {rejection}; its app needs access to batch compliance")
        found = body_fields(answer.body)
        if answer.status >= 300 or not found or (found.get("errors") and "data" not in found):
            raise IntegrityError(rejection)
        return found.get("data")

    def _file(self, method: str, url: str, **options: Any) -> requests.Response:
        """Upload or download at a signed URL, which is never logged and never receives the token."""
        host = urlsplit(url).hostname

        def attempt() -> requests.Response:
            try:
                answer = requests.request(method, url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), **options)
            except requests.RequestException as error:  # its text may contain the signed URL
                raise RetryableError(f"{host} is unavailable: {type(error).__name__}") from None
            if answer.status_code == 429 or answer.status_code >= 500:
                answer.close()
                raise RetryableError(f"{host} returned HTTP {answer.status_code} for {method}")
            return answer

        answer = self._retries.run(attempt)
        if answer.status_code >= 300:
            answer.close()
            raise RetryableError(f"{host} returned HTTP {answer.status_code} for {method}")
        return answer


def read_result(line: bytes) -> Notice | None:
    """Return the notice of one result line `{id, action, reason, created_at, redacted_at}`; None for anything else.

    X's action decides. It is `delete` for every reason (deleted, deactivated, suspended, protected, bounced); only
    `scrub_geo` keeps the tweet.
    """
    try:
        result = json.loads(line)
        tweet_id, action, reason = (str(result.get(name) or "") for name in ("id", "action", "reason"))
    except (ValueError, AttributeError, RecursionError):
        return None
    scrub = "scrub_geo" in (action, reason)
    if not (tweet_id.isascii() and tweet_id.isdigit()) or not (scrub or action == "delete"):
        return None
    at_ms = iso_ms(result.get("redacted_at")) or 0
    return Notice("scrub_geo" if scrub else "delete", TWITTER, tweet_id=tweet_id, at_ms=at_ms, payload=result)


def _job(fields: Any) -> Job:
    try:
        return Job(
            job_id=str(int(fields["id"])),
            name=str(fields.get("name") or ""),
            status=str(fields["status"]),
            upload_url=str(fields.get("upload_url") or ""),
            upload_until_ms=iso_ms(fields.get("upload_expires_at")) or 0,
            download_url=str(fields.get("download_url") or ""),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(f"X returned a compliance job without {error}") from None
