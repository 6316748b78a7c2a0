"""A broker that requires authentication, and the users that it rejects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from twitter_topics.testing.broker import Broker

SASL = """
listeners=SASL_PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=SASL_PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
 username="broker" password="within" user_broker="within" user_reader="known" user_broken="x";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:ANONYMOUS
"""


@contextmanager
def guarded_kafka(folder: Path) -> Iterator[Broker]:
    """A broker that requires authentication and authorizes only its own user."""
    broker = Broker(folder, SASL)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


REJECTIONS = pytest.mark.parametrize(
    ("password", "mechanism", "said"),
    [
        ("wrong-canary", "PLAIN", "SaslAuthenticationFailedError"),
        ("known", "PLAIN", "TopicAuthorizationFailedError"),
        ("known", "SCRAM-SHA-256", "UnsupportedSaslMechanismError"),
    ],
)


def reader_of(broker: Broker, password: str, mechanism: str) -> dict[str, str]:
    """The variables of a user who may not write."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": broker.address,
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_MECHANISM": mechanism,
        "KAFKA_SASL_USERNAME": "reader",
        "KAFKA_SASL_PASSWORD": password,
    }
