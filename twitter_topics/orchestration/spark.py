"""The one way in which a DAG submits a Spark job."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from twitter_topics.errors import EXIT_CONFIGURATION, EXIT_TOO_FEW_TWEETS
from twitter_topics.logs import SPARK_LOGGING
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

SPARK_APPS = Path(__file__).resolve().parents[2] / "spark_apps"

POOL = "spark"

_EXIT_WRONG_ARGUMENTS = 2
_FINAL = {
    _EXIT_WRONG_ARGUMENTS: "the job refused its arguments",
    EXIT_TOO_FEW_TWEETS: "there are too few tweets in the window; wait for more, or lower min_documents",
    EXIT_CONFIGURATION: "a setting is wrong; the log above names it",
}
"""Exit codes that a second try would only repeat."""


class SparkJobOperator(SparkSubmitOperator):
    """Runs `spark_apps/batch/<job>.py` with spark-submit on the connection `spark_default`.

    Settings and secrets reach the job through the environment, never through arguments or `conf`, which anybody on the
    machine can read in the list of processes.

    Args:
        job: name of the application.
        arguments: of the application; templated.
        driver_memory: in local mode all work is done in the driver.
    """

    def __init__(self, *, job: str, arguments: list[Any], driver_memory: str = "1500m", **options: Any) -> None:
        options.setdefault("pool", POOL)  # one job at a time: the streaming apps need memory and cores as well
        options.setdefault("retries", 1)
        options.setdefault("retry_delay", timedelta(minutes=2))
        options.setdefault("execution_timeout", timedelta(hours=1))
        super().__init__(
            conn_id="spark_default",
            application=str(SPARK_APPS / "batch" / f"{job}.py"),
            application_args=arguments,
            name=job + "-{{ dag_run.run_after.strftime('%Y%m%dT%H%M%SZ') }}",  # a run may have no logical date
            driver_memory=driver_memory,
            conf={
                # each line of Spark's becomes an Airflow log event: its warnings and the job's own words suffice
                "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={SPARK_LOGGING.as_uri()}",
                "spark.ui.enabled": "false",
                "spark.ui.showConsoleProgress": "false",
            },
            env_vars={"PYSPARK_PYTHON": sys.executable},  # else driver and workers take the `python3` of the PATH
            **options,
        )

    def execute(self, context: Context) -> None:
        """Submit and wait.

        Raises:
            AirflowFailException: the job says that trying again does not help.
            AirflowException: any other failure.
        """
        # named here and not by the DAG: a folder without jars must not break the parsing of DAGs
        from twitter_topics.backends.spark_session import jars

        self.jars = ",".join(jars(Settings().spark.jars_dir))
        try:
            super().execute(context)
        except AirflowException as error:
            reason = _FINAL.get(exit_code(error))
            if reason is None:
                raise
            raise AirflowFailException(f"{reason} ({error})") from error


def exit_code(error: Exception) -> int:
    """Exit code of spark-submit in the hook's message, -1 where it names none."""
    match = re.search(r"Error code is: (\d+)", str(error))
    return int(match.group(1)) if match else -1
