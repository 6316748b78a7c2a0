"""The operator with which every DAG submits its Spark jobs."""

from __future__ import annotations

import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from twitter_topics.errors import EXIT_CONFIGURATION, EXIT_CONFLICT, EXIT_PROOF, EXIT_TOO_FEW_TWEETS
from twitter_topics.logs import SPARK_LOGGING
from twitter_topics.orchestration.schedules import BY_PERSON
from twitter_topics.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

SPARK_APPS = Path(__file__).resolve().parents[2] / "spark_apps"

POOL = "spark"
_CONF = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}

_FINAL = {
    EXIT_PROOF: "what was written is wrong; investigate before anything is run again, see docs/operations.md",
    EXIT_TOO_FEW_TWEETS: "there are too few tweets in the window; wait, lower min_documents, or widen window_hours",
    EXIT_CONFLICT: "only a new run can succeed; the log above says why",
    EXIT_CONFIGURATION: "an argument or a setting is wrong; the log above names it",
}
"""Exit codes for which a retry would fail in the same way, or pass over what is wrong."""


class SparkJobOperator(SparkSubmitOperator):
    """Runs `spark_apps/batch/<job>.py` with spark-submit on the connection `spark_default`.

    Settings and secrets reach the job through the environment, never through arguments or `conf`, which everybody on
    the machine can see in the process list.

    Args:
        job: name of the application.
        arguments: arguments of the application; templated.
        driver_memory: in local mode the driver does all the work.
    """

    def __init__(self, *, job: str, arguments: list[Any], driver_memory: str = "1500m", **options: Any) -> None:
        options.setdefault("pool", POOL)  # one job at a time: the streaming apps need memory and cores too
        options.setdefault("retries", 1)
        options.setdefault("retry_delay", timedelta(minutes=2))
        options.setdefault("execution_timeout", timedelta(hours=Settings().spark.max_job_hours))
        super().__init__(
            conn_id="spark_default",
            application=str(SPARK_APPS / "batch" / f"{job}.py"),
            application_args=arguments,
            name=job + "-{{ dag_run.run_after.strftime('%Y%m%dT%H%M%SZ') }}",  # a run may have no logical date
            driver_memory=driver_memory,
            conf=_CONF,
            env_vars={"PYSPARK_PYTHON": sys.executable},  # otherwise driver and workers use the `python3` on the PATH
            **options,
        )

    def execute(self, context: Context) -> None:
        """Submit the job and wait for it.

        Raises:
            AirflowSkipException: there are too few tweets, and no person asked for the run: nothing is wrong.
            AirflowFailException: the exit code shows that a retry would not help.
            AirflowException: any other failure.
        """
        # resolved here, not in the DAG: missing jars or a wrong setting must not break DAG parsing
        from twitter_topics.backends.spark_session import jars

        settings = Settings().spark
        self.jars = ",".join(jars(settings.jars_dir))
        # each line becomes an Airflow log event: Spark's warnings and the job's own log are enough
        java_options = f"-Dlog4j2.configurationFile={SPARK_LOGGING.as_uri()} {settings.java_options}"
        self.conf = {**_CONF, "spark.driver.extraJavaOptions": java_options}
        # this task has a process of its own, whose children inherit it
        os.setpriority(os.PRIO_PROCESS, 0, max(settings.job_niceness, os.getpriority(os.PRIO_PROCESS, 0)))
        try:
            super().execute(context)
        except AirflowException as error:
            code = exit_code(error)
            reason = _FINAL.get(code)
            if reason is None:
                raise
            if code == EXIT_TOO_FEW_TWEETS and context["dag_run"].run_type not in BY_PERSON:
                raise AirflowSkipException(f"{reason} ({error})") from error
            raise AirflowFailException(f"{reason} ({error})") from error


def exit_code(error: Exception) -> int:
    """Return the exit code of spark-submit in the hook's message, or -1 if there is none."""
    match = re.search(r"Error code is: (\d+)", str(error))
    return int(match.group(1)) if match else -1
