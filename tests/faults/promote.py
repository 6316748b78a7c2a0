"""Promote a registered version, as the tasks of model_promotion do when a person forces it.

python -m tests.faults.promote VERSION
"""

from __future__ import annotations

import sys

from twitter_topics.logs import configure_logging
from twitter_topics.settings import Settings
from twitter_topics.topic_models.registry.promotion_tasks import PromotionRequest, decide, promote
from twitter_topics.topic_models.registry.store import ModelStore

if __name__ == "__main__":
    configure_logging()
    models, version = ModelStore(Settings()), sys.argv[1]
    request = PromotionRequest(version, force=True, reason="the kit", by="the kit")
    promote(models, decide(models, version, request, promotion="automatic"))
