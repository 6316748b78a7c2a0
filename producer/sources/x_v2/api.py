"""The few non-streaming calls to X API v2, and what its error responses mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import requests

from producer.receiving.answers import Answer, Bearer, reset_in_s, skew_sentence, user_agent
from producer.sources.x_v2.fields import as_count, as_object, as_text, objects
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import XSettings

STREAM = "/2/tweets/search/stream"
RULES = f"{STREAM}/rules"
USAGE = "/2/usage/tweets"
TIMEOUT_S = (10.0, 20.0)
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

    def call(self, method: str, path: str, params: dict[str, str] | None = None, body: object = None) -> dict[str, Any]:
        """Return the JSON object in X's response.

        Raises:
            ConfigurationError: X rejects the call, and retrying will not help. The message says why, and the fix.
            RetryableError: X is unreachable, busy, or asks us to wait.
        """
        try:
            response = self._request(method, path, params, json=body, timeout=TIMEOUT_S)
        except requests.RequestException as error:
            raise RetryableError(f"X API at {self._url} does not answer: {type(error).__name__}") from error
        self.skew = skew_sentence(response.headers, self._now_ms())
        if response.status_code < 300:
            return _object(response.content)
        answer = Answer(response.status_code, response.headers, response.content[:16_384])
        sentence = f"X answered {answer.status} to {method} {path}: {rejection_sentence(answer, self._now_ms())}"
        sentence += f" (response: {answer.body_text()})"
        if answer.status in (429, 402) or answer.status >= 500:
            seconds = reset_in_s(answer.headers, self._now_ms())
            raise RetryableError(sentence + (f"; retry in {seconds:.0f} s" if seconds else ""))
        raise ConfigurationError(sentence)

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
    said = _object(answer.body)
    kind, reason = as_text(said.get("type")), said.get("reason")
    match answer.status:
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


def used_by_day(api: XApi) -> dict[str, int]:
    """Return the posts that X counted for the whole project in the last 31 days, by UTC day (`YYYY-MM-DD`).

    Raises:
        ConfigurationError, RetryableError: see XApi.call.
    """
    answer = api.call("GET", USAGE, {"days": "31", "usage.fields": "daily_project_usage"})
    daily = as_object(as_object(answer.get("data")).get("daily_project_usage"))
    used: dict[str, int] = {}
    for entry in objects(daily.get("usage")):
        day = as_text(entry.get("date"))[:10]
        used[day] = used.get(day, 0) + as_count(entry.get("usage"))
    return used


def is_about_connections(answer: Answer) -> bool:
    """Whether a 429 means that the connection is taken: the reset time in its headers is then about something else."""
    return "connection_issue" in _object(answer.body)


def _object(content: bytes) -> dict[str, Any]:
    try:
        return as_object(json.loads(content))
    except (ValueError, RecursionError):
        return {}
