"""Fetches files by HTTP: in parallel, resumed after an interruption, checked by hash, with progress.

Proxies and certificates are those of `requests`: HTTPS_PROXY, REQUESTS_CA_BUNDLE, ~/.netrc.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests
import tenacity

from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.settings import masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

_CHUNK_BYTES = 1 << 16
_TIMEOUT_SECONDS = (20, 60)
"""To connect, and between chunks."""
_TRIES = 5
_WAIT = tenacity.wait_exponential(min=1, max=20)


@dataclass(frozen=True)
class Download:
    """One file: its URL, its path, and the expected size and hash."""

    url: str
    path: Path
    size: int
    sha256: str

    @property
    def partial(self) -> Path:
        """The bytes received so far; the next try resumes at its end."""
        return self.path.with_name(self.path.name + ".part")


class ByteProgress:
    """Counts received bytes out of those missing. Thread-safe."""

    def __init__(self, total_bytes: int, report: Callable[[int, int], None] | None) -> None:
        self._total, self._report = total_bytes, report
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Add bytes; a negative count discards bytes that must be fetched again."""
        with self._lock:
            self._done += count
            if self._report:
                self._report(self._done, self._total)


def fetch_all(
    downloads: Iterable[Download],
    report: Callable[[int, int], None] | None = None,
    *,
    proxies: Mapping[str, str] | None = None,
    workers: int = 6,
) -> None:
    """Fetch every file that is missing.

    Args:
        report: called with the received and the total bytes of the missing files.
        proxies: scheme → URL, for schemes that the environment does not set.

    Raises:
        RetryableError: no answer in five tries; received bytes are kept.
        IntegrityError: a file has another hash; it is deleted.
    """
    missing = [download for download in downloads if not is_there(download)]
    progress = ByteProgress(sum(download.size for download in missing), report)
    with requests.Session() as session, ThreadPoolExecutor(workers) as pool:
        session.proxies.update(proxies or {})
        # largest first, so that no large one runs alone at the end
        missing.sort(key=lambda download: download.size, reverse=True)
        futures = [pool.submit(_fetch, session, download, progress) for download in missing]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def is_there(download: Download) -> bool:
    """Return whether the file exists with the expected size and hash."""
    path = download.path
    return path.is_file() and path.stat().st_size == download.size and sha256(path) == download.sha256


def sha256(path: Path) -> str:
    """Return the hash of a file as 64 hexadecimal digits."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _fetch(session: requests.Session, download: Download, progress: ByteProgress) -> None:
    download.path.parent.mkdir(parents=True, exist_ok=True)
    progress.add(_size(download.partial))
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_worth_another_try),
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=_WAIT,
        reraise=True,
    )
    try:
        attempts(_continue, session, download, progress)
    except requests.RequestException as error:
        # requests repeats the URL, and one of a mirror may have a password
        raise RetryableError(masked(f"{download.url} cannot be fetched: {error}")) from None
    if sha256(download.partial) != download.sha256:
        download.partial.unlink()
        raise IntegrityError(masked(f"{download.url} is not the locked file: its sha256 differs"))
    download.partial.replace(download.path)


def _is_worth_another_try(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in (408, 425, 429) or error.response.status_code >= 500
    return isinstance(error, requests.RequestException)


def _continue(session: requests.Session, download: Download, progress: ByteProgress) -> None:
    """Request the missing bytes. A server without range support sends the whole file."""
    have = _size(download.partial)
    if have == download.size:
        return
    headers = {"Accept-Encoding": "identity"}
    if 0 < have < download.size:
        headers["Range"] = f"bytes={have}-"
    with session.get(download.url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as answer:
        answer.raise_for_status()
        continues = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        progress.add(0 if continues else -have)
        with download.partial.open("ab" if continues else "wb") as file:
            for chunk in answer.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                progress.add(len(chunk))
    if (have := _size(download.partial)) != download.size:
        raise requests.ConnectionError(f"{have:,} of {download.size:,} bytes received")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
