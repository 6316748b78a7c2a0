"""What model_promotion does: which version, is it good enough, and the change itself."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from twitter_topics.topic_models.registry.files import evaluated
from twitter_topics.topic_models.registry.gate import Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from twitter_topics.topic_models.registry.store import Champion, ModelStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """What a person asked for in the run's form; empty for a run that an asset event started."""

    version: str = ""
    force: bool = False
    reason: str = ""
    by: str = ""

    def check(self) -> None:
        """Raises ValueError when the gate is to be passed over without saying which version and why."""
        if self.force and not (self.version and self.reason.strip()):
            msg = "force needs a version and a reason: both are kept in the history of promotions"
            raise ValueError(msg)


def choose_version(models: ModelStore, request: PromotionRequest, events: Iterable[Mapping[str, Any]]) -> str:
    """The version that was asked for, else that of the newest asset event, else the newest registered one.

    Args:
        events: extras of the asset events that started the run, oldest first.

    Raises:
        ValueError: there is no version at all.
    """
    named = [request.version] if request.version else [str(extra["version"]) for extra in events if "version" in extra]
    candidates = named or models.versions()
    if not candidates:
        msg = "no model is registered yet: topic_retraining makes the first one"
        raise ValueError(msg)
    return candidates[-1]


def decide(models: ModelStore, version: str, request: PromotionRequest, *, promotion: str) -> dict[str, Any]:
    """Judge a version against the champion of this moment.

    Args:
        promotion: TOPICS_PROMOTION, `automatic` or `never`.

    Returns:
        {version, promote, reasons, expected_etag, reason, by}: plain values for the next task.

    Raises:
        IntegrityError: the version is not registered.
        ValueError: see PromotionRequest.check.
    """
    request.check()
    champion = models.champion()
    verdict = _verdict(models, version, champion, request, promotion)
    for reason in verdict.reasons:
        log.info("%s: %s", "promote" if verdict.promote else "refused", reason)
    return {
        "version": version,
        "promote": verdict.promote,
        "reasons": verdict.reasons,
        "expected_etag": champion.etag if champion else None,
        "reason": request.reason.strip() or "; ".join(verdict.reasons),
        "by": request.by or "model_promotion",
    }


def promote(models: ModelStore, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Make the version the champion. Again after it has become the champion changes nothing.

    Raises:
        ConflictError: another version became the champion since the decision: start a new run.
    """
    current = models.champion()
    if current is None or current.version != decision["version"]:
        current = models.promote(
            decision["version"], decision["expected_etag"], reason=decision["reason"], by=decision["by"]
        )
    log.info("champion: %s (before: %s), by %s", current.version, current.previous or "none", current.by)
    return asdict(current)


def _verdict(
    models: ModelStore, version: str, champion: Champion | None, request: PromotionRequest, promotion: str
) -> Verdict:
    manifest = models.manifest(version)
    if champion is not None and champion.version == version:
        return Verdict(False, [f"{version} is the champion already"])
    if request.force:
        return Verdict(True, [f"the gate was passed over by {request.by or 'a person'}: {request.reason.strip()}"])
    if promotion == "never":
        return Verdict(False, ["TOPICS_PROMOTION=never: only a person promotes, with force and a reason"])
    evaluation = manifest["evaluation"]
    compared_with = evaluation["champion"]["version"] if evaluation["champion"] else None
    serving = champion.version if champion else None
    if compared_with != serving:
        reason = f"it was compared with {compared_with or 'no model'}, but {serving or 'none'} serves now: train anew"
        return Verdict(False, [reason])
    return judge(*evaluated(evaluation))
