"""Log lines of Spark's JVM have the same form as the app's."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from twitter_topics.logs import read_line
from twitter_topics.settings import PROJECT

# a JVM without a session
PROGRAM = """
from pyspark import SparkConf
from pyspark.java_gateway import launch_gateway
from twitter_topics.logs import SPARK_LOGGING
options = f"-Dlog4j2.configurationFile={SPARK_LOGGING.as_uri()}"
gateway = launch_gateway(SparkConf().set("spark.driver.extraJavaOptions", options))
log = gateway.jvm.org.apache.logging.log4j.LogManager.getLogger("org.example.Thing")
log.info("a request")
log.warn('a "quoted"\\nmessage')
log.error("broken", gateway.jvm.java.lang.IllegalStateException("why"))
gateway.shutdown()
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_jvm_writes_the_form_of_the_setting(form: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TZ": "Asia/Kathmandu", "TWITTER_TOPICS_LOG_FORMAT": form}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "a request" not in ended.stderr
    lines = [line for line in ended.stderr.splitlines() if "org.example.Thing" in line]
    if form == "text":
        assert [read_line(line) for line in lines] == [
            ("org.example.Thing", 'a "quoted"'),
            ("org.example.Thing", "broken"),
        ]
    else:
        warning, error = (json.loads(line) for line in lines)
        assert (warning["level"], warning["message"], warning["exception"]) == ("WARNING", 'a "quoted"\nmessage', "")
        assert "IllegalStateException: why" in error["exception"]
        assert warning["time"].endswith("Z")
