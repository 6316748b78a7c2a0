"""The model of the newest batch, noted beside the checkpoint before the batch writes anything.

A batch that is repeated after a promotion thus gets the model that its first attempt had.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from twitter_topics.backends.spark_files import read_text, write_text
from twitter_topics.errors import IntegrityError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)


class BatchModel:
    """A file with the number of the newest batch and the version of its model."""

    def __init__(self, spark: SparkSession, path: str) -> None:
        self._spark, self._path = spark, path
        self._noted: tuple[int, str] | None = None
        self._is_read = False

    def of(self, batch_id: int) -> str | None:
        """Return the model of a batch that has begun before; None for a new batch.

        Raises:
            RetryableError: the note cannot be read now, so the batch has to wait for it.
        """
        if not self._is_read:
            self._noted, self._is_read = self._read(), True
        return self._noted[1] if self._noted and self._noted[0] == batch_id else None

    def note(self, batch_id: int, version: str) -> None:
        """Note the model of a batch that begins.

        Raises:
            RetryableError: the file cannot be written.
        """
        write_text(self._spark, self._path, json.dumps({"batch": batch_id, "model_version": version}))
        self._noted, self._is_read = (batch_id, version), True

    def _read(self) -> tuple[int, str] | None:
        try:
            fields = json.loads(read_text(self._spark, self._path) or "null")
            return (int(fields["batch"]), str(fields["model_version"])) if fields else None
        except (IntegrityError, ValueError, KeyError, TypeError) as error:
            # cut off by a crash, so that batch has written nothing yet
            log.warning("%s cannot be read, the batch gets the champion: %s", self._path, str(error)[:200])
            return None
