"""Evaluate a trained topic model against the champion; write evaluation.json and golden.json of the version.

A model that fails the gate is not an error of this job: the verdict is in evaluation.json.
Exit codes: 0 evaluated, 78 wrong parameters or settings, 1 anything else.
"""

from __future__ import annotations

import argparse
import logging
import sys

from twitter_topics.backends.spark_session import build_session
from twitter_topics.errors import EXIT_CONFIGURATION, ConfigurationError
from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.store import ModelStore
from twitter_topics.topic_models.registry.version import check_version
from twitter_topics.topic_models.training.jobs import evaluate

log = logging.getLogger("evaluate_topics")


def main(arguments: list[str]) -> int:
    configure_logging()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="name such as 20261101T120000Z-gsdmm")
    settings = Settings()
    try:
        version = check_version(parser.parse_args(arguments).version)
        spark = build_session(settings, f"evaluate {version}")
    except (ConfigurationError, ValueError) as error:
        log.error("%s", error)
        return EXIT_CONFIGURATION
    try:
        evaluate(spark, settings, ModelStore(settings), version)
    finally:
        spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
