"""A quick check whether a server is reachable, without the retries of its client."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_SECONDS = 2.0


def unreachable_message(name: str, url: str) -> str:
    """Return a message if nothing listens at a URL; empty if something does, or if the URL is empty (AWS)."""
    if not url:
        return ""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, _SECONDS).close()
    except OSError as error:
        return f"{name} at {address[0]}:{address[1]} is unreachable ({error.strerror or error}); waiting for it"
    return ""
