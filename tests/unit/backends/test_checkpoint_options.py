"""How Spark writes checkpoints."""

from __future__ import annotations

import pytest

from twitter_topics.backends.spark_session import checkpoint_options


@pytest.mark.parametrize("folder", [".local/checkpoints", "/var/lib/checkpoints", "file:///var/lib/checkpoints"])
def test_a_local_checkpoint_needs_no_processes(folder: str) -> None:
    (manager,) = checkpoint_options(folder).values()
    assert manager.endswith(".FileSystemBasedCheckpointFileManager")


@pytest.mark.parametrize("url", ["s3a://tweets/checkpoints", "hdfs://name/checkpoints"])
def test_elsewhere_spark_chooses(url: str) -> None:
    assert checkpoint_options(url) == {}
