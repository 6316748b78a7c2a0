"""A quick check whether a server answers, without the retries of its client."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import requests

from twitter_topics.backends.http_answers import root_cause_sentence

_SECONDS = 2.0
_PORTS = {"http": 80, "https": 443, "postgresql": 5432}


def unreachable_message(name: str, url: str) -> str:
    """Return a message if no server answers at a URL; empty if one does, or if the URL names none (AWS, a file).

    A server that is asked over HTTP has to answer, whatever the answer is: one that hangs still accepts connections.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if not parts.hostname or not port:
        return ""
    try:
        if parts.scheme in {"http", "https"}:
            requests.head(url, timeout=_SECONDS, allow_redirects=False)
        else:
            socket.create_connection((parts.hostname, port), _SECONDS).close()
    except requests.exceptions.SSLError:
        return ""  # it answers; whether to trust it is its client's business
    except requests.Timeout:
        reason = f"no answer within {_SECONDS:.0f} s"
    except (OSError, requests.RequestException) as error:
        reason = _reason(error)
    else:
        return ""
    return f"{name} at {parts.hostname}:{port} is unreachable ({reason})"


def is_loopback(url: str) -> bool:
    """Return whether a URL names this machine, so perhaps the local stack."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _reason(error: Exception) -> str:
    """Return what the operating system says, which requests wraps several times."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return root_cause_sentence(error)
