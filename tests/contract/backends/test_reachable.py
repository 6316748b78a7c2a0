"""Whether a server listens at an address."""

from __future__ import annotations

import socket

from twitter_topics.backends.reachable import unreachable_message


def test_the_message_has_the_address_of_the_unreachable_server() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert f"S3 at 127.0.0.1:{port} is unreachable" in unreachable_message("S3", f"http://127.0.0.1:{port}")
        listening.listen()
        assert unreachable_message("S3", f"http://127.0.0.1:{port}") == ""
    assert unreachable_message("S3", "") == ""
