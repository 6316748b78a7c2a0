"""Notices in a real topic."""

from __future__ import annotations

import gc
import logging
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.contract.kafka_records import read_topic
from twitter_topics.backends.kafka_topics import ensure_topics
from twitter_topics.deletions.publish import publish
from twitter_topics.errors import RetryableError
from twitter_topics.records.notice import Notice

if TYPE_CHECKING:
    from tests.conftest import Services

pytestmark = pytest.mark.contract

NUMBER = 6_000


def test_every_notice_arrives_once_and_is_read_back(services: Services) -> None:
    settings = services.settings(KAFKA_DELETION_TOPIC=f"notices-{uuid.uuid4().hex[:8]}").kafka
    ensure_topics(settings)
    notices = [Notice("delete", "x_v2", tweet_id=str(n), at_ms=n, payload={"id": n}) for n in range(NUMBER)]

    assert publish(settings, iter(notices)) == NUMBER
    assert publish(settings, []) == 0

    records = read_topic(settings.bootstrap_servers, settings.deletion_topic)
    read = {record.key: Notice.from_value(record.value) for record in records}
    assert len(records) == len(read) == NUMBER
    assert read == {notice.key(): notice for notice in notices}
    assert {dict(record.headers)["source"] for record in records} == {b"x_v2"}


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # kafka-python's, of refused connections
def test_kafka_down_or_topic_missing(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, logger="kafka")  # captured log records would keep the sockets open
    notice = Notice("delete", "x_v2", tweet_id="7")
    for elsewhere in ({"KAFKA_DELETION_TOPIC": "there-is-none"}, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}):
        with pytest.raises(RetryableError, match="did not acknowledge the notices"):
            publish(services.settings(**elsewhere).kafka, [notice])
        gc.collect()
