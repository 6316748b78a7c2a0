"""The S3 client."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import boto3
from botocore.config import Config

from twitter_topics.backends import tls

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from twitter_topics.settings import S3Settings


class Patience(NamedTuple):
    """Seconds to connect and to wait for the next bytes, and attempts of each call."""

    connect_s: float
    read_s: float
    attempts: int


PATIENT = Patience(5, 60, 6)
BRISK = Patience(2, 20, 2)
"""For a person who waits at a terminal."""
PROMPT = Patience(2, 2.5, 1)
"""For what a stream or the page waits for: a server that does not answer costs less than 5 s."""


def s3_client(settings: S3Settings, patience: Patience = PATIENT) -> S3Client:
    """Return a client for the bucket in the settings. Without an access key it uses boto3's chain (role, profile)."""
    return boto3.client(
        "s3",
        endpoint_url=settings.endpoint_url or None,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id or None,
        aws_secret_access_key=settings.secret_access_key.get_secret_value() or None,
        config=Config(
            s3={"addressing_style": "path" if settings.endpoint_url else "auto"},
            retries={"total_max_attempts": patience.attempts, "mode": "standard"},
            connect_timeout=patience.connect_s,
            read_timeout=patience.read_s,
        ),
        **tls.boto3(settings.tls),
    )


def ensure_bucket(client: S3Client, bucket: str) -> None:
    """Create the bucket if it is missing."""
    try:
        client.head_bucket(Bucket=bucket)
    except client.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        client.create_bucket(Bucket=bucket)
