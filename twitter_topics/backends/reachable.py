"""Whether a server can be reached at all, asked in a moment and without its client's patience."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_SECONDS = 2.0


def unreachable_message(name: str, url: str) -> str:
    """A sentence when nothing listens at a URL; empty when something does, or when the URL is empty (AWS itself)."""
    if not url:
        return ""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    try:
        socket.create_connection(address, _SECONDS).close()
    except OSError as error:
        return f"{name} at {address[0]}:{address[1]} does not answer ({error.strerror or error}); waiting for it"
    return ""
