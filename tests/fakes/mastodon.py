"""A local Mastodon streaming API: a token, server-sent events, heartbeats, and a script."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.fakes.http import Connection, Request
from tests.fakes.script import ScriptedServer, Step, Stream, keep_open, posts

TOKEN = "made-up-token"
_WORDS = ("storm", "final", "train", "song", "game", "coffee", "rocket", "market", "match", "rain", "café", "🚀")


class FakeMastodon(ScriptedServer):
    """Set MASTODON_URL to `url` and MASTODON_ACCESS_TOKEN to `TOKEN`.

    Args:
        script: see tests.fakes.script; by default `number` posts and then heartbeats.
        number: total number of posts, 0 = unlimited.
        app: status and body of /api/v1/apps/verify_credentials.
        streaming_url: another host that the streaming address redirects to.
    """

    keep_alive = b":thump\n"

    def __init__(
        self,
        script: Sequence[Sequence[Step]] | None = None,
        number: int = 0,
        *,
        app: tuple[int, bytes] = (200, b'{"name":"made up","scopes":["read:statuses"]}'),
        streaming_url: str = "",
    ) -> None:
        self.begin_ms = time.time_ns() // 1_000_000
        self._app = app
        self._streaming_url = streaming_url
        super().__init__(script or [[posts(number), keep_open]], number)

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings that point to this server."""
        return {"MASTODON_URL": self.url, "MASTODON_ACCESS_TOKEN": TOKEN}

    def post_id(self, number: int) -> str:
        return str(((self.begin_ms + number) << 16) + number % 7)

    def post(self, number: int, length: int = 0) -> bytes:
        one = status_of(self.post_id(number), self.begin_ms + number, number)
        if length:
            one["content"] += f"<p>{'x' * length}</p>"
        return json.dumps(one, ensure_ascii=number % 2 == 0).encode()

    def frame(self, message: bytes, request: Request) -> bytes:
        """Wrap a message: a bare number is a deletion, anything else a status."""
        return event("delete" if message.isdigit() else "update", message)

    def opening(self, stream: Stream) -> None:
        stream.connection.chunk(b":)\n")

    def is_stream(self, request: Request) -> bool:
        return request.path.startswith("/api/v1/streaming/") and not request.path.endswith("/health")

    def admit(self, connection: Connection) -> bool:
        if connection.request.headers.get("Authorization") == f"Bearer {TOKEN}":
            if not self._streaming_url or not self.is_stream(connection.request):
                return True
            query = "&".join(f"{name}={value[0]}" for name, value in connection.request.query.items())
            target = f"{self._streaming_url}{connection.request.path}?{query}"
            connection.answer(301, headers={"Location": target})
            return False
        connection.answer(401, b'{"error":"The access token is invalid"}')
        return False

    def answer(self, connection: Connection) -> None:
        code, body = self._app
        connection.answer(code, body)


def event(name: str, data: bytes) -> bytes:
    """Return a server-sent event as Mastodon writes it."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def status_of(status_id: str, time_ms: int, number: int = 0) -> dict[str, Any]:
    """Return a generated status."""
    word = _WORDS[number % len(_WORDS)]
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
    return {
        "id": status_id,
        "created_at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "in_reply_to_id": None,
        "in_reply_to_account_id": None,
        "sensitive": False,
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://made-up.example/statuses/{status_id}",
        "url": f"https://made-up.example/@person/{status_id}",
        "replies_count": 0,
        "reblogs_count": number % 5,
        "favourites_count": number % 9,
        "edited_at": None,
        "content": f'<p>About {word} &amp; number {number}<br />with <a href="https://made-up.example/tags/{word}" '
        f'class="mention hashtag" rel="tag">#<span>{word}</span></a></p>',
        "reblog": None,
        "account": {
            "id": str(1000 + number % 97),
            "username": f"person{number % 97}",
            "acct": f"person{number % 97}@made-up.example",
            "display_name": f"Person {number % 97}",
            "followers_count": number % 1000,
            "following_count": 3,
            "statuses_count": 10,
        },
        "media_attachments": [],
        "mentions": [],
        "tags": [{"name": word, "url": f"https://made-up.example/tags/{word}"}],
        "emojis": [],
        "card": None,
        "poll": None,
    }
