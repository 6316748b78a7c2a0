"""Downloads against a local server that cuts connections, ignores ranges or sends something else."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tenacity

from twitter_topics.errors import IntegrityError, RetryableError
from twitter_topics.local import downloads
from twitter_topics.local.downloads import Download, fetch_all

CHUNK = 1 << 16
CONTENT = bytes(range(256)) * 4_096  # 16 chunks


@dataclass
class Server:
    """What it sends, how it misbehaves, and the requested ranges."""

    url: str = ""
    content: bytes = CONTENT
    cuts: list[int] = field(default_factory=list)
    """Bytes after which the connection breaks, one number a request."""
    knows_ranges: bool = True
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range", "")
        self.asked.append(asked)
        if self.status != 200:
            request.send_error(self.status)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.knows_ranges else 0
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        end = start + self.cuts.pop(0) if self.cuts else len(self.content)
        request.wfile.write(self.content[start:end])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloads, "_WAIT", tenacity.wait_none())
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{listening.server_address[1]}/file.jar"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield served
    listening.shutdown()
    thread.join()
    listening.server_close()


def download(server: Server, folder: Path, content: bytes = CONTENT) -> Download:
    return Download(server.url, folder / "spark" / "file.jar", len(content), hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once_with_its_progress(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    wanted = download(server, tmp_path)
    fetch_all([wanted], lambda *progress: seen.append(progress))
    fetch_all([wanted], lambda *_: seen.append((-1, -1)))
    assert wanted.path.read_bytes() == CONTENT
    assert server.asked == [""]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_connection_that_breaks_twice_is_resumed(server: Server, tmp_path: Path) -> None:
    server.cuts = [4 * CHUNK, 8 * CHUNK]
    seen: list[int] = []
    wanted = download(server, tmp_path)
    fetch_all([wanted], lambda done, _: seen.append(done))
    assert wanted.path.read_bytes() == CONTENT
    assert server.asked == ["", f"bytes={4 * CHUNK}-", f"bytes={12 * CHUNK}-"]
    assert seen[-1] == len(CONTENT)
    assert not wanted.partial.exists()


def test_the_next_run_goes_on_where_the_last_one_ended(server: Server, tmp_path: Path) -> None:
    server.cuts = [2 * CHUNK] * 5
    wanted = download(server, tmp_path)
    with pytest.raises(RetryableError, match=r"file\.jar cannot be fetched"):
        fetch_all([wanted])
    assert wanted.partial.stat().st_size == 10 * CHUNK
    server.asked.clear()
    fetch_all([wanted])
    assert server.asked == [f"bytes={10 * CHUNK}-"]
    assert wanted.path.read_bytes() == CONTENT


def test_a_server_without_ranges_begins_again(server: Server, tmp_path: Path) -> None:
    server.knows_ranges = False
    server.cuts = [4 * CHUNK]
    seen: list[int] = []
    wanted = download(server, tmp_path)
    fetch_all([wanted], lambda done, _: seen.append(done))
    assert wanted.path.read_bytes() == CONTENT
    assert seen[-1] == len(CONTENT)


def test_another_file_than_the_locked_one_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[::-1]
    wanted = download(server, tmp_path)
    with pytest.raises(IntegrityError, match="not the locked file"):
        fetch_all([wanted])
    assert list(wanted.path.parent.iterdir()) == []


def test_a_missing_file_is_not_requested_again(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(RetryableError, match="404"):
        fetch_all([download(server, tmp_path)])
    assert server.asked == [""]


def test_a_busy_server_is_asked_five_times(server: Server, tmp_path: Path) -> None:
    server.status = 503
    with pytest.raises(RetryableError, match="503"):
        fetch_all([download(server, tmp_path)])
    assert len(server.asked) == 5


def test_the_password_of_a_mirror_is_not_shown(server: Server, tmp_path: Path) -> None:
    server.status = 404
    server.url = server.url.replace("http://", "http://me:canary@")
    with pytest.raises(RetryableError, match="404") as caught:
        fetch_all([download(server, tmp_path)])
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
