"""Whether a server answers at an address."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from twitter_topics.backends.reachable import unreachable_message


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_the_message_has_the_address_of_the_unreachable_server(scheme: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        message = unreachable_message("S3", f"{scheme}://127.0.0.1:{port}")
        assert message == f"S3 at 127.0.0.1:{port} is unreachable (Connection refused)"


def test_a_server_that_hangs_up_is_unreachable_in_plain_words() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def hang_up() -> None:
            connection, _ = listening.accept()
            connection.recv(4096)
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        port = listening.getsockname()[1]
        message = unreachable_message("S3", f"http://127.0.0.1:{port}")
    reason = "RemoteDisconnected: Remote end closed connection without response"
    assert message == f"S3 at 127.0.0.1:{port} is unreachable ({reason})"


def test_a_server_that_answers_is_reachable_whatever_it_says() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)  # answers 501
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert unreachable_message("S3", f"http://127.0.0.1:{server.server_address[1]}") == ""
    server.shutdown()
    server.server_close()


def test_a_database_is_reachable_when_it_accepts_connections() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert unreachable_message("the catalog", f"postgresql://u@127.0.0.1:{listening.getsockname()[1]}/c") == ""


@pytest.mark.parametrize("url", ["", "sqlite:////var/lib/catalog.db", "sqlite:///catalog.db"])
def test_what_is_no_server_cannot_be_unreachable(url: str) -> None:
    assert unreachable_message("the catalog", url) == ""
