"""S3 that hangs, or answers 403 instead of 404: a local server stands for both."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from twitter_topics.backends.objects import S3Objects
from twitter_topics.backends.reachable import unreachable_message
from twitter_topics.backends.s3 import PROMPT
from twitter_topics.errors import ConfigurationError, DeniedError, RetryableError
from twitter_topics.settings import Settings
from twitter_topics.settings.sections import S3Settings

pytestmark = pytest.mark.contract


def settings(port: int) -> S3Settings:
    variables = {"S3_ENDPOINT_URL": f"http://127.0.0.1:{port}", "S3_ACCESS_KEY_ID": "x", "S3_SECRET_ACCESS_KEY": "y"}
    return Settings(variables).s3


@pytest.fixture
def hanging() -> Iterator[int]:
    """Port of a server that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(16)
        yield server.getsockname()[1]


class _Denying(BaseHTTPRequestHandler):
    code = "AccessDenied"

    def do_GET(self) -> None:
        body = f"<Error><Code>{self.code}</Code><Message>Access Denied</Message></Error>".encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def denying(request: pytest.FixtureRequest) -> Iterator[tuple[int, str]]:
    handler = type("Handler", (_Denying,), {"code": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], request.param
    server.shutdown()
    server.server_close()


def test_reading_the_pointer_from_an_s3_that_hangs_takes_no_more_than_five_seconds(hanging: int) -> None:
    objects = S3Objects(settings(hanging), patience=PROMPT)
    began = time.monotonic()
    with pytest.raises(RetryableError):
        objects.get("models/champion.json")
    assert time.monotonic() - began <= 5


def test_a_server_that_hangs_is_unreachable(hanging: int) -> None:
    message = unreachable_message("S3", f"http://127.0.0.1:{hanging}")
    assert message == f"S3 at 127.0.0.1:{hanging} is unreachable (no answer within 2 s)"


def test_a_denied_key_may_be_a_missing_one_and_a_rejected_user_is_not(denying: tuple[int, str]) -> None:
    port, code = denying
    with pytest.raises(ConfigurationError, match="S3_ACCESS_KEY_ID") as caught:
        S3Objects(settings(port), patience=PROMPT).get("models/champion.json")
    assert isinstance(caught.value, DeniedError) == (code == "AccessDenied")
