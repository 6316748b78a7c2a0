"""What all HTTP clients share: credentials and user agent, error responses, reset times, clock skew."""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from itertools import islice
from typing import NamedTuple, Self

import requests
import urllib3
from pydantic import SecretStr
from requests.auth import AuthBase

from twitter_topics.errors import ConfigurationError, RetryableError

CONNECT_TIMEOUT_S = 10.0
BODY_BYTES = 16 * 1024

BROKEN = (OSError, urllib3.exceptions.HTTPError, http.client.HTTPException, ValueError)
"""What requests, urllib3 and http.client raise when a connection fails. The errors of requests are OSErrors; reading
after a shutdown raises a ValueError."""
UNCONNECTED = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
    ssl.SSLCertVerificationError,
)
"""Among the causes of an error of requests: no connection to the server came about, so it has not seen the request."""
IMPOSSIBLE = ValueError
"""Raised while connecting when the request is invalid. InvalidURL, InvalidHeader and UnicodeError are ValueErrors, and
http.client raises a bare one. Its message may contain the secret: never show it."""

MAX_RESET_S = 24 * 3600.0
"""The longest window of any vendor. A time beyond it means that a clock is wrong."""
MAX_SKEW_S = 120.0
"""OAuth signatures are rejected when the clock is off by more than a few minutes."""

_CONTROL = re.compile(r"[^\x20-\x7e]+")


def user_agent() -> str:
    try:
        return f"twitter-topics/{metadata.version('twitter-topics')}"
    except metadata.PackageNotFoundError:
        return "twitter-topics"


class Bearer(AuthBase):
    """Adds the token to every request. It is an `auth`, so an entry in ~/.netrc does not replace it."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


class Answer(NamedTuple):
    """A response that is not a stream. `headers` are case-insensitive; `body` is only the beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, response: requests.Response) -> Self:
        """Read only the beginning of the body: a server may never end it."""
        body = b""
        with suppress(*BROKEN):
            body = response.raw.read1(BODY_BYTES, decode_content=True) or b""
        return cls(response.status_code, response.headers, body)

    def body_text(self) -> str:
        """Return the body for a log: one line, printable, at most 200 characters."""
        return _CONTROL.sub(" ", self.body.decode("utf-8", "replace")).strip()[:200]

    @property
    def is_page(self) -> bool:
        """Whether it is a web page; where an API is expected, that comes from a proxy on the way or a wrong address."""
        return is_page(self.headers)


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether a response is a web page, such as a landing or maintenance page."""
    return headers.get("Content-Type", "").lower().startswith("text/html")


def probe(url: str, auth: AuthBase | None = None) -> Answer:
    """Send one GET on its own connection. Redirects are returned, not followed.

    Raises:
        RetryableError: the server does not answer.
        ConfigurationError: the address or the credentials contain characters that cannot be sent.
    """
    try:
        with (
            requests.Session() as session,
            session.get(
                url,
                auth=auth,
                headers={"User-Agent": user_agent(), "Accept": "application/json"},
                timeout=CONNECT_TIMEOUT_S,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return Answer.of(response)
    except IMPOSSIBLE:
        msg = f"{url}: the address or a credential contains characters that HTTP does not allow"
        raise ConfigurationError(msg) from None
    except BROKEN as error:
        msg = f"{url} does not answer: {root_cause_sentence(error)}"
        raise RetryableError(msg) from error


def was_sent(error: BaseException) -> bool:
    """Whether the request may have reached the server before it failed."""
    return not any(isinstance(one, UNCONNECTED) for one in _causes(error))


def root_cause_sentence(error: BaseException) -> str:
    """Return the innermost cause, which names the problem; the outer ones repeat the address. (A ValueError at the
    bottom comes from a parser that hit the end of the stream, and is skipped.)"""
    innermost = error
    for cause in islice(_causes(error), 1, None):
        if isinstance(cause, ValueError):
            break
        innermost = cause
    return f"{type(innermost).__name__}: {innermost}"[:200]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, innermost last."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def reset_in_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Return the seconds until the server accepts requests again, from `x-rate-limit-reset` (X: Unix seconds),
    `X-RateLimit-Reset` (Mastodon: an ISO time) or `Retry-After` (seconds or a date). None when the headers do not say,
    or the value is implausible."""
    reset = headers.get("x-rate-limit-reset") or headers.get("X-RateLimit-Reset", "")
    retry = headers.get("Retry-After", "")
    now = now_ms / 1000
    for seconds in (_from(reset, now), _number(retry), _from(retry, now)):
        if seconds is not None and 0 < seconds <= MAX_RESET_S:
            return seconds
    return None


def clock_skew_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Return how far this machine's clock is ahead of the server's `Date` header, in seconds. None without one."""
    moment = _moment(headers.get("Date", ""))
    return None if moment is None else now_ms / 1000 - moment


def skew_sentence(headers: Mapping[str, str], now_ms: int) -> str:
    """Return a sentence when the clocks differ by more than two minutes, else an empty string."""
    skew = clock_skew_s(headers, now_ms)
    if skew is None or abs(skew) <= MAX_SKEW_S:
        return ""
    side = "ahead of" if skew > 0 else "behind"
    return f"this machine's clock is {abs(skew):.0f} s {side} the server's: synchronize it (NTP)"


def _from(text: str, now: float) -> float | None:
    moment = _moment(text)
    return None if moment is None else moment - now


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _moment(text: str) -> float | None:
    """Return Unix seconds from digits, an ISO time or an HTTP date."""
    if (number := _number(text)) is not None:
        return number
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
