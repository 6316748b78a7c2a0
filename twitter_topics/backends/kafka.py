"""Clients of Kafka: connecting through kafka-python, and what a rejection means."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from kafka.errors import (
    AuthorizationError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    UnsupportedSaslMechanismError,
)
from kafka.net.compat import KafkaNetClient
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from twitter_topics.backends import tls
from twitter_topics.errors import ConfigurationError, RetryableError

if TYPE_CHECKING:
    from twitter_topics.settings import KafkaSettings

_REMEMBERED = 5

_Client = TypeVar("_Client")

REJECTED = (
    AuthorizationError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    SecurityDisabledError,
    UnsupportedSaslMechanismError,
)
"""Errors that no retry mends: the broker rejects the user."""


def connected(client: Callable[..., _Client], settings: KafkaSettings, **options: Any) -> _Client:
    """Return a client of kafka-python's that has reached a broker. A failed attempt leaves no thread and no socket.

    Args:
        client: its class.
        options: beside those of `client_options`.

    Raises:
        KafkaError: no broker answers; one of REJECTED if they reject the user.
    """
    net = _Net()
    try:
        return client(**client_options(settings), kafka_client=net.open, **options)
    except KafkaError as error:
        net.close()
        for cause in net.failures():
            if isinstance(cause, REJECTED):
                raise cause from error
        raise


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return address and security of the brokers as options of kafka-python's clients."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers.split(","),
        "security_protocol": settings.security_protocol,
    } | tls.kafka_python(settings.tls)
    if settings.sasl_mechanism:
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    return options


def failure(settings: KafkaSettings, what: str, error: KafkaError) -> ConfigurationError | RetryableError:
    """Return the project's error for one of a client's: a ConfigurationError for those of REJECTED.

    Args:
        what: Kafka did not do, after its address: "did not …".
    """
    where = f"Kafka at {settings.bootstrap_servers}"
    if isinstance(error, REJECTED):
        return ConfigurationError(
            f"{where} rejects this user ({error}). Check KAFKA_SECURITY_PROTOCOL, "
            "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and the user's rights"
        )
    return RetryableError(f"{where} {what}: {error}")


class _Net:
    """The network side of a client. The library keeps it, and its reasons, to itself when it cannot connect."""

    def __init__(self) -> None:
        self._client: KafkaNetClient | None = None
        self._connections: deque[Any] = deque(maxlen=_REMEMBERED)

    def open(self, **options: Any) -> KafkaNetClient:
        """For a client's option `kafka_client`."""
        self._client = KafkaNetClient(**options)
        manager = self._client._manager
        get_connection = manager.get_connection

        def remembered(*arguments: Any, **named: Any) -> Any:
            connection = get_connection(*arguments, **named)
            self._connections.append(connection)
            return connection

        manager.get_connection = remembered
        return self._client

    def failures(self) -> list[BaseException]:
        """Return why the last connections failed."""
        return [error for connection in self._connections if (error := connection.init_future.exception) is not None]

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        gc.collect()  # rejected connections leave their sockets to the garbage collector


def _keep_last_reply(transport: type[KafkaTCPTransport]) -> None:
    """Deliver what arrives together with the end of a connection. kafka-python 3.0 drops it: most often the reply by
    which a broker rejects the user, because the broker hangs up behind it."""
    receive = transport._sock_recv

    def received(self: KafkaTCPTransport) -> tuple[bytes, Exception | None]:
        data, error = receive(self)
        return data, None if data else error  # the next call meets the end again

    transport._sock_recv = received


for _transport in (KafkaTCPTransport, KafkaSSLTransport):
    _keep_last_reply(_transport)
