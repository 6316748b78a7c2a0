"""Where a Spark driver listens."""

from __future__ import annotations

import pytest

from twitter_topics.backends.spark_session import network_options
from twitter_topics.settings import Settings

GIVEN = {"SPARK_DRIVER_HOST": "driver.example.org", "SPARK_DRIVER_BIND_ADDRESS": "0.0.0.0"}  # noqa: S104


@pytest.mark.parametrize("master", ["local", "local[*]", "local[2]", "local-cluster[1,1,512]"])
def test_a_local_master_stays_on_this_machine(master: str) -> None:
    expected = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    assert network_options(Settings(GIVEN).spark, master) == expected


@pytest.mark.parametrize("master", ["spark://master:7077", "yarn", "k8s://https://api:443"])
def test_a_cluster_reaches_the_driver_where_the_settings_say(master: str) -> None:
    expected = {"spark.driver.host": "driver.example.org", "spark.driver.bindAddress": "0.0.0.0"}  # noqa: S104
    assert network_options(Settings(GIVEN).spark, master) == expected
    assert network_options(Settings({}).spark, master) == {}, "Spark's own choice"
