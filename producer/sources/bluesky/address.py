"""URLs of the stream, with the parameters of each wire."""

from __future__ import annotations

from fnmatch import fnmatchcase
from urllib.parse import urlencode

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from producer.sources.bluesky.mapping import POSTS
from twitter_topics.errors import ConfigurationError
from twitter_topics.settings import BlueskySettings

MAX_DIDS, MAX_COLLECTIONS = 10_000, 100
"""The hosts reject more."""


class StreamAddresses:
    """The hosts and filters in the settings.

    Attributes:
        hosts: in the order in which they are tried.
        by_number: the wire numbers its events.
        quiet: few accounts are followed, so silence means nothing.
        deflate, zstd: how the wire compresses, if enabled.

    Raises:
        ConfigurationError: a setting that no host can serve.
    """

    def __init__(self, settings: BlueskySettings) -> None:
        self.by_number = settings.wire == "v2"
        self.hosts = tuple(host.rstrip("/") for host in settings.hosts.split(","))
        self._collections, self._dids = _split(settings.collections), _split(settings.dids)
        self.quiet = bool(self._dids)
        self.deflate = settings.compress and not self.by_number
        self.zstd = settings.compress and self.by_number
        for host in self.hosts:
            try:
                parse_uri(host)
            except (InvalidURI, ValueError):
                msg = f"BLUESKY_HOSTS: {host!r} is not an address; use one like wss://jetstream2.us-east.bsky.network"
                raise ConfigurationError(msg) from None
        if self._collections and not any(fnmatchcase(POSTS, pattern) for pattern in self._collections):
            msg = f"BLUESKY_COLLECTIONS contains nothing that becomes a tweet; add {POSTS}"
            raise ConfigurationError(msg)
        if not all(did.startswith("did:") for did in self._dids):
            msg = "BLUESKY_DIDS: list accounts as did:plc:…, comma-separated, not as the handles on https://bsky.app"
            raise ConfigurationError(msg)
        if len(self._dids) > MAX_DIDS or len(self._collections) > MAX_COLLECTIONS:
            msg = f"BLUESKY_DIDS and BLUESKY_COLLECTIONS take at most {MAX_DIDS} and {MAX_COLLECTIONS} entries"
            raise ConfigurationError(msg)

    def url(self, host: str, cursor: int | None = None, dictionary: int = 0, max_bytes: int = 0) -> str:
        """Return the URL of the stream from `cursor` on; the server omits frames over `max_bytes`, 0 = no limit."""
        names = ("collections", "dids") if self.by_number else ("wantedCollections", "wantedDids")
        path = "/xrpc/network.bsky.jetstream.subscribeEvents" if self.by_number else "/subscribe"
        query: list[tuple[str, str | int]] = [(names[0], one) for one in self._collections]
        query += [(names[1], one) for one in self._dids]
        last = {"cursor": cursor, "zstdDictionary": dictionary or None, "maxMessageSizeBytes": max_bytes or None}
        query += [(name, value) for name, value in last.items() if value is not None]
        return f"{host}{path}" + (f"?{urlencode(query)}" if query else "")


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
