"""The client of X API v2: every request that carries the bearer token, and what X's error responses mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import requests

from twitter_topics.backends.http_answers import Answer, Bearer, reset_in_s, skew_sentence, user_agent
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import XSettings

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
USAGE = "/2/usage/tweets"
COMPLIANCE_JOBS = "/2/compliance/jobs"
TIMEOUT_S = (10.0, 20.0)
LIMITED_S = 60.0
"""Wait after a 429 that does not name its end. X counts requests in windows of 15 minutes."""

_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class XApi:
    """Requests with the bearer token, which never appears in logs or errors.

    Args:
        settings: address and token.
        now_ms: Unix milliseconds, to detect that this machine's clock is wrong.

    Raises:
        ConfigurationError: the token is missing or malformed.
    """

    def __init__(self, settings: XSettings, now_ms: Callable[[], int]) -> None:
        token = settings.bearer_token.get_secret_value()
        if not token:
            msg = (
                "X_BEARER_TOKEN is not set: create an app in a paid project at console.x.com and copy its bearer token"
            )
            raise ConfigurationError(msg)
        if not _TOKEN.fullmatch(token):  # http.client would show it in its error message
            raise ConfigurationError("X_BEARER_TOKEN contains spaces or other invalid characters: copy it again")
        self._url = settings.api_url.rstrip("/")
        self._auth = Bearer(settings.bearer_token)
        self._now_ms = now_ms
        self.skew = ""
        """A sentence when the last response showed a clock difference, else empty."""

    def stream(self, params: dict[str, str], timeout: tuple[float, float]) -> requests.Response:
        """Open the filtered stream. Raises the errors of requests."""
        return self._request("GET", STREAM, params, timeout=timeout, stream=True)

    def ask(self, method: str, path: str, params: dict[str, str] | None = None, body: object = None) -> Answer:
        """Return X's response, also when it rejects the call.

        Raises:
            RetryableError: X is unreachable or busy (429, 5xx), with the wait that X asks for; or a web page came
                instead of X's answer.
        """
        try:
            response = self._request(method, path, params, json=body, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise RetryableError(f"X API at {self._url} does not answer: {type(error).__name__}") from error
        self.skew = skew_sentence(response.headers, self._now_ms())
        answer = Answer(response.status_code, response.headers, response.content)
        if not _is_busy(answer.status) and not answer.is_page:
            return answer
        seconds = reset_in_s(answer.headers, self._now_ms())
        sentence = self.rejection(answer, method, path) + (f"; retry in {seconds:.0f} s" if seconds else "")
        if seconds is not None:
            seconds += 1  # the header has whole seconds
        elif answer.status == 429:
            seconds = LIMITED_S
        raise RetryableError(sentence, retry_in_s=seconds)

    def call(self, method: str, path: str, params: dict[str, str] | None = None, body: object = None) -> dict[str, Any]:
        """Return the JSON object in X's response.

        Raises:
            ConfigurationError: X rejects the call, and retrying will not help. The message says why, and the fix.
            RetryableError: X is unreachable, busy, or asks us to wait.
        """
        answer = self.ask(method, path, params, body)
        if answer.status < 300:
            return body_fields(answer.body)
        sentence = self.rejection(answer, method, path)
        if answer.status == 402:
            raise RetryableError(sentence)
        raise ConfigurationError(sentence)

    def rejection(self, answer: Answer, method: str, path: str) -> str:
        """Return what X rejected, what that means, and X's own words."""
        means = rejection_sentence(answer, self._now_ms())
        return f"X answered {answer.status} to {method} {path}: {means} (response: {answer.body_text()})"

    def _request(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None,
        *,
        timeout: tuple[float, float],
        json: Any = None,
        stream: bool = False,
    ) -> requests.Response:
        return requests.request(
            method,
            self._url + path,
            params=params,
            json=json,
            auth=self._auth,
            headers={"User-Agent": user_agent()},
            timeout=timeout,
            stream=stream,
            allow_redirects=False,
        )


def rejection_sentence(answer: Answer, now_ms: int) -> str:
    """Return what a response other than 200 means, and what to do."""
    said = body_fields(answer.body)
    kind, reason = str(said.get("type")), said.get("reason")
    match answer.status:
        case status if answer.is_page and not _is_busy(status):
            what = "a web page, not X's answer: check X_API_URL, and any proxy on the way"
        case 400:
            what = "X does not understand the request"
        case 401:
            skew = skew_sentence(answer.headers, now_ms)
            what = "the token is wrong or revoked: check X_BEARER_TOKEN" + (f". Also, {skew}" if skew else "")
        case 402:
            what = "the account has no credits left: buy some at console.x.com"
        case 403 if reason == "client-not-enrolled":
            what = "the app has no access: move it into a pay-per-use project (production) at console.x.com"
        case 403:
            what = "the app's access level does not allow this: check it at console.x.com"
        case 409:
            what = "the account has no rules, so X would never send anything: `twitter-topics sources rules --apply`"
        case 429 if said.get("connection_issue") == "TooManyConnections":
            what = "another process is using this token: X allows one connection"
        case 429 if kind.endswith("usage-capped"):
            what = "the project has used up this month's posts: raise the limit at console.x.com"
        case 429:
            what = "too many requests"
        case 404:
            what = "there is no such address: check X_API_URL"
        case _:
            what = "X has a server error" if answer.status >= 500 else "X rejects the request"
    return what


def is_about_connections(answer: Answer) -> bool:
    """Whether a 429 means that the connection is taken: the reset time in its headers is then about something else."""
    return "connection_issue" in body_fields(answer.body)


def _is_busy(status: int) -> bool:
    return status == 429 or status >= 500


def body_fields(content: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; empty for anything else."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
