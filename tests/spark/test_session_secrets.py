"""No process of a Spark app or job shows a secret in its command line, and the JVM knows them all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import COMMAND_LINE, family, sightings
from tests.waiting import until
from twitter_topics.backends.spark_session import jars
from twitter_topics.settings import PROJECT, Settings

pytestmark = pytest.mark.spark

SECRETS = {
    "S3_SECRET_ACCESS_KEY": "canary-1 of \\S3",
    "ARCHIVE_CATALOG_PASSWORD": "canary-2 of the catalog",
    "KAFKA_SASL_PASSWORD": "canary-3",
}
VARIABLES = SECRETS | {
    "S3_ACCESS_KEY_ID": "tester",
    "ARCHIVE_CATALOG_URI": "postgresql://127.0.0.1:9/catalog",
    "ARCHIVE_CATALOG_USERNAME": "tester",
    "SPARK_MASTER": "local[1]",
}
PROGRAM = """
import json, sys, time
from pathlib import Path
from twitter_topics.backends.spark_session import build_session
from twitter_topics.settings import Settings
folder = Path(sys.argv[1])
spark = build_session(Settings(), "secrets", driver_memory="512m", streaming=True)
spark.range(10).rdd.map(lambda row: row.id + 1).sum()  # so that there are Python workers
hadoop = spark._jsc.hadoopConfiguration()
names = ("spark.sql.catalog.lake.jdbc.password", "spark.sql.session.timeZone", "spark.driver.host")
known = {"s3": hadoop.get("fs.s3a.secret.key")} | {name: spark.conf.get(name) for name in names}
(folder / "new").write_text(json.dumps(known))
(folder / "new").rename(folder / "known")
while not (folder / "seen").exists():
    time.sleep(0.1)
"""


@pytest.mark.parametrize("submitted", [False, True], ids=["app", "job"])
def test_no_command_line_has_a_secret(tmp_path: Path, submitted: bool) -> None:
    program, known, seen, log = (tmp_path / name for name in ("program.py", "known", "seen", "log"))
    program.write_text(PROGRAM)
    command = [sys.executable]
    if submitted:  # as Airflow's operator does it
        spark_jars = ",".join(jars(Settings().spark.jars_dir))
        command = [str(Path(sys.executable).parent / "spark-submit"), "--master", "local[1]", "--jars", spark_jars]
    environment = {**os.environ, **VARIABLES, "PYTHONPATH": str(PROJECT), "PYSPARK_PYTHON": sys.executable}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, str(program), str(tmp_path)], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: known.exists() or process.poll() is not None, 240, "the session is there", pause=0.1)
        found = sightings(family(process.pid), SECRETS)
        seen.touch()
        assert process.wait(240) == 0, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()
    assert json.loads(known.read_text()) == {
        "s3": SECRETS["S3_SECRET_ACCESS_KEY"],
        "spark.sql.catalog.lake.jdbc.password": SECRETS["ARCHIVE_CATALOG_PASSWORD"],
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.host": "127.0.0.1",
    }
    assert {one.where for one in found} >= set(SECRETS), "the scan does not see the environment"
    assert [one for one in found if one.where == COMMAND_LINE] == []
