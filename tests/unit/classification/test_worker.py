"""What is loaded before the workers of the classify app are forked."""

from __future__ import annotations

import subprocess
import sys

SCORE = """
import twitter_topics.classification.worker
from twitter_topics.testing.models import WORDS, model_of_languages, planted_model
from twitter_topics.topic_models.scoring.inference import infer
from twitter_topics.topic_models.scoring.scorer import Scorer

compiled = list(infer.signatures)
one_set = planted_model(WORDS, ("weather", "music"))
for model in (one_set, model_of_languages({"en": one_set})):
    Scorer.load(model.to_bytes()).score(["storm final", "song"], ["en", "und"])
assert list(infer.signatures) == compiled != [], "a worker would compile the kernel again"
"""


def test_a_forked_worker_has_the_kernel_that_models_use() -> None:
    done = subprocess.run([sys.executable, "-c", SCORE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
