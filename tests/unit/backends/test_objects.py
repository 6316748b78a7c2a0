"""What S3's errors say to a person."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from twitter_topics.backends.objects import S3Objects
from twitter_topics.errors import ConfigurationError, RetryableError
from twitter_topics.settings import Settings

AWS, ELSEWHERE, HERE = "", "https://s3.example.org", "http://127.0.0.1:19000"


def message_of(error: Exception, endpoint: str, kind: type[Exception]) -> str:
    """Return what a read says that ends with an error of botocore."""
    given = {"S3_ENDPOINT_URL": endpoint, "S3_ACCESS_KEY_ID": "a", "S3_SECRET_ACCESS_KEY": "b"}
    objects = S3Objects(Settings(given).s3)
    client: Any = objects._client

    def fails(**_request: Any) -> None:
        raise error

    client.meta.events.register("before-call.s3", fails)
    with pytest.raises(kind) as caught:
        objects.get("models/champion.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("endpoint", "end"),
    [
        (HERE, f"{HERE} (EndpointConnectionError); is the stack running (make up)?"),
        (ELSEWHERE, f"{ELSEWHERE} (EndpointConnectionError)"),
        (AWS, "AWS (EndpointConnectionError)"),
    ],
)
def test_an_s3_that_is_away_is_named(endpoint: str, end: str) -> None:
    away = EndpointConnectionError(endpoint_url=endpoint)
    assert message_of(away, endpoint, RetryableError) == f"s3://tweets/models/champion.json: no answer from {end}"
    slow = ReadTimeoutError(endpoint_url=endpoint)
    assert "no answer from " in message_of(slow, endpoint, RetryableError)


@pytest.mark.parametrize(("endpoint", "local"), [(HERE, True), (ELSEWHERE, False), (AWS, False)])
def test_missing_credentials_are_a_wrong_configuration(endpoint: str, local: bool) -> None:
    message = message_of(NoCredentialsError(), endpoint, ConfigurationError)
    assert "no credentials. Set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY." in message
    assert ("make up" in message) is local
