"""Compression on the second wire: zstd with a dictionary that the host publishes.

It saves traffic and must never cost a post: if anything goes wrong with it, the stream falls back to uncompressed.
"""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import requests
import zstandard

from twitter_topics.backends.http_answers import BROKEN
from twitter_topics.errors import TwitterTopicsError

PATH = "/xrpc/network.bsky.jetstream.getZstdDictionary"
MAX_DICTIONARY_BYTES = 1024 * 1024
TIMEOUT_S = 5.0

_DICTIONARY_MAGIC = 0xEC30A437
_log = logging.getLogger(__name__)


class TooLargeError(TwitterTopicsError):
    """A frame is larger than allowed."""


class Dictionary:
    """The dictionary in use, cached in `file` between runs: a given id always means the same dictionary.

    Args:
        max_bytes: limit of a decompressed frame.
    """

    def __init__(self, file: Path, max_bytes: int) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._id = 0
        self._decompressor: zstandard.ZstdDecompressor | None = None
        self._given_up = False

    def id_for(self, host: str) -> int:
        """Return the id to request from `host`; 0 when none is available, which means no compression."""
        if self._given_up:
            return 0
        if not self._id:
            self._use(self._kept() or self._fetch(host))
        return self._id

    def rejected_by(self, host: str) -> None:
        """`host` has retired the dictionary: fetch its current one, or give up when that is the same."""
        old, self._id = self._id, 0
        self._use(self._fetch(host))
        if self._id in (0, old):
            self.give_up()

    def give_up(self) -> None:
        """Stop compressing; the next start fetches a new dictionary."""
        self._given_up, self._id = True, 0
        self._file.unlink(missing_ok=True)

    def decompress(self, frame: bytes) -> bytes:
        """Return the decompressed frame; one that is not compressed stays as it is.

        Raises:
            TooLargeError: it is larger than `max_bytes`.
            zstandard.ZstdError: it cannot be decompressed.
        """
        if self._decompressor is None or not frame.startswith(zstandard.FRAME_HEADER):
            return frame
        size = zstandard.frame_content_size(frame)
        if size > self._max_bytes:
            msg = f"{size} bytes, more than {self._max_bytes}"
            raise TooLargeError(msg)
        return self._decompressor.decompress(frame, max_output_size=self._max_bytes)

    def _kept(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError:
            return b""

    def _use(self, content: bytes) -> None:
        self._id = dictionary_id(content)
        if self._id:
            try:
                self._decompressor = zstandard.ZstdDecompressor(zstandard.ZstdCompressionDict(content))
            except zstandard.ZstdError:
                self.give_up()

    def _fetch(self, host: str) -> bytes:
        url = f"http{host.removeprefix('ws').rstrip('/')}{PATH}"
        content = b""
        try:
            with requests.get(url, timeout=TIMEOUT_S, stream=True) as answer:
                answer.raise_for_status()
                for chunk in answer.iter_content(64 * 1024):
                    content += chunk
                    if len(content) > MAX_DICTIONARY_BYTES:
                        break
        except BROKEN as error:
            _log.info("%s offers no compression dictionary (%s)", host, type(error).__name__)
            return b""
        if len(content) > MAX_DICTIONARY_BYTES or not dictionary_id(content):
            _log.warning("%s offers an invalid compression dictionary", host)
            return b""
        self._keep(content)
        return content

    def _keep(self, content: bytes) -> None:
        temporary = self._file.with_suffix(".tmp")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(self._file)
        except OSError as error:
            _log.info("could not cache the compression dictionary: %s", error)


def dictionary_id(content: bytes) -> int:
    """Return the id in the header of a zstd dictionary (RFC 8878 section 5); 0 when `content` is not one."""
    if len(content) < 8:
        return 0
    magic, identity = struct.unpack_from("<II", content)
    return int(identity) if magic == _DICTIONARY_MAGIC else 0
