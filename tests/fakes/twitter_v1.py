"""A local v1.1 streaming API of Twitter: signed requests, delimited lengths, keep-alives, and a script."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import SimpleNamespace

from oauthlib.oauth1.rfc5849 import signature

from producer.tweets import created_at, snowflake
from tests.fakes.http import Connection, Request
from tests.fakes.script import ScriptedServer, Step, keep_open, posts

CREDENTIALS = {
    "TWITTER_CONSUMER_KEY": "made-up-key",
    "TWITTER_CONSUMER_SECRET": "made-up-consumer-secret",
    "TWITTER_ACCESS_TOKEN": "made-up-token",
    "TWITTER_ACCESS_TOKEN_SECRET": "made-up-token-secret",
}
_WORDS = ("storm", "final", "train", "song", "game", "coffee", "rocket", "market", "match", "rain", "café", "🚀")


class FakeTwitter(ScriptedServer):
    """Set TWITTER_STREAM_URL to `url` + "/1.1", and the credentials to `CREDENTIALS`: signatures are verified.

    Args:
        script: see tests.fakes.script; by default `number` posts and then silence.
        number: total number of posts, 0 = unlimited.
        lengths: whether it honours `delimited=length`.
        me: status, body and headers of account/verify_credentials.json.
    """

    def __init__(
        self,
        script: Sequence[Sequence[Step]] | None = None,
        number: int = 0,
        *,
        lengths: bool = True,
        me: tuple[int, bytes, dict[str, str]] = (200, b'{"id_str":"7","screen_name":"somebody"}', {}),
    ) -> None:
        self.begin_ms = time.time_ns() // 1_000_000
        self._lengths = lengths
        self.me = me
        super().__init__(script or [[posts(number), keep_open]], number)

    @property
    def settings(self) -> dict[str, str]:
        """Return the settings that point to this server."""
        return {**CREDENTIALS, "TWITTER_STREAM_URL": f"{self.url}/1.1"}

    def post_id(self, number: int) -> str:
        return str(snowflake(self.begin_ms + number, 1, 0))

    def post(self, number: int, length: int = 0) -> bytes:
        time_ms = self.begin_ms + number
        words = [_WORDS[(number * step) % len(_WORDS)] for step in (1, 3, 5, 7)]
        tweet = {
            "created_at": created_at(time_ms),
            "id": int(self.post_id(number)),
            "id_str": self.post_id(number),
            "text": f"{' '.join(words)} number {number}\n<b> #{words[0]}",
            "source": "made up",
            "user": {
                "id": number % 97 + 1,
                "id_str": str(number % 97 + 1),
                "name": f"Person {number % 97}",
                "screen_name": f"person{number % 97}",
                "followers_count": number % 1000,
                "verified": False,
            },
            "entities": {"hashtags": [{"text": words[0], "indices": [0, 5]}], "urls": [], "user_mentions": []},
            "retweet_count": 0,
            "favorite_count": 0,
            "lang": "en",
            "timestamp_ms": str(time_ms),
        }
        if length:
            tweet["padding"] = "x" * length
        return json.dumps(tweet, ensure_ascii=number % 2 == 0).encode()

    def frame(self, message: bytes, request: Request) -> bytes:
        asked = {**request.query, **request.form}.get("delimited") == ["length"]
        length = f"{len(message) + 2}\r\n".encode() if asked and self._lengths else b""
        return length + message + b"\r\n"

    def is_stream(self, request: Request) -> bool:
        return "/statuses/" in request.path

    def admit(self, connection: Connection) -> bool:
        request = connection.request
        headers = {"Authorization": request.headers.get("Authorization", "")}
        query = "&".join(f"{name}={value}" for name, values in request.query.items() for value in values)
        body = request.body.decode()
        if "oauth_signature=" in headers["Authorization"]:
            signed = signature.collect_parameters(query, body, headers, exclude_oauth_signature=True, with_realm=False)
            given = dict(signature.collect_parameters("", [], headers, exclude_oauth_signature=False))
            base = signature.signature_base_string(
                request.method,
                signature.base_string_uri(self.url + request.path),
                signature.normalize_parameters(signed),
            )
            secrets = SimpleNamespace(
                client_secret=CREDENTIALS["TWITTER_CONSUMER_SECRET"],
                resource_owner_secret=CREDENTIALS["TWITTER_ACCESS_TOKEN_SECRET"],
            )
            if given["oauth_signature"] == signature.sign_hmac_sha1_with_client(base, secrets):
                return True
        connection.answer(401, b'{"errors":[{"code":32,"message":"Could not authenticate you."}]}')
        return False

    def answer(self, connection: Connection) -> None:
        code, body, headers = self.me
        connection.answer(code, body, headers)
