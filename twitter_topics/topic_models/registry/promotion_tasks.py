"""Tasks of model_promotion: choose a version, judge it, promote it."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from twitter_topics.errors import ConflictError, IntegrityError
from twitter_topics.topic_models.registry.files import compared_with, evaluated, verdict_state
from twitter_topics.topic_models.registry.gate import Verdict, judge
from twitter_topics.topic_models.registry.version import created_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twitter_topics.topic_models.registry.promotion import Champion, Promotion
    from twitter_topics.topic_models.registry.store import ModelStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromotionRequest:
    """The form of a manual run; empty for a run that an asset event triggered. `dry_run`: change nothing."""

    version: str = ""
    force: bool = False
    reason: str = ""
    by: str = ""
    dry_run: bool = False

    @property
    def is_approval(self) -> bool:
        """Whether a person names a version and says why it should serve."""
        return bool(self.version and self.reason.strip())

    def check(self) -> None:
        """Raise ValueError when `force` comes without a version and a reason."""
        if self.force and not self.is_approval:
            msg = "force requires a version and a reason: both are kept in the promotion history"
            raise ValueError(msg)


def choose_version(models: ModelStore, request: PromotionRequest, events: Iterable[Mapping[str, Any]]) -> str:
    """Return the requested version, else that of the newest asset event, else the newest registered one.

    Args:
        events: extras of the asset events that triggered the run, oldest first.

    Raises:
        ValueError: no version is registered.
    """
    named = [request.version] if request.version else [str(extra["version"]) for extra in events if "version" in extra]
    candidates = named or models.versions(newest=1)
    if not candidates:
        msg = "no model is registered yet; topic_retraining trains the first one"
        raise ValueError(msg)
    return candidates[-1]


def decide(models: ModelStore, version: str, request: PromotionRequest, *, promotion: str) -> dict[str, Any]:
    """Judge a version against the current champion. A version that cannot serve is not promoted, not even by force.

    Args:
        promotion: TOPICS_PROMOTION, `automatic`, `approval` or `never`.

    Returns:
        {version, state, promote, reasons, dry_run, expected_etag, reason, by}: plain values for the next task. In a dry
        run `promote` is False whatever the state.

    Raises:
        IntegrityError: the version is not registered.
        ValueError: see PromotionRequest.check.
    """
    request.check()
    champion = models.champion()
    verdict = _verdict(models, version, champion, request, promotion)
    for reason in verdict.reasons:
        log.info("%s: %s", verdict.state, reason)
    return {
        "version": version,
        "state": verdict.state,
        "promote": verdict.promote and not request.dry_run,
        "reasons": verdict.reasons,
        "dry_run": request.dry_run,
        "expected_etag": champion.etag if champion else None,
        "reason": request.reason.strip() or "; ".join(verdict.reasons),
        "by": request.by or "model_promotion",
    }


def promote(models: ModelStore, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Make the version the champion. A repeat after it has become the champion changes nothing, and one after an
    interrupted attempt finishes it.

    Raises:
        ConflictError: another version became the champion since the decision; start a new run.
    """
    version = decision["version"]
    current = models.champion()
    if current is None or current.version != version:
        try:
            current = models.promote(version, decision["expected_etag"], reason=decision["reason"], by=decision["by"])
        except ConflictError:
            current = models.champion()  # it may have finished what an earlier attempt had begun
            if current is None or current.version != version:
                raise
    log.info("champion: %s (previous: %s), promoted by %s", current.version, current.previous or "none", current.by)
    return asdict(current)


def _verdict(
    models: ModelStore, version: str, champion: Champion | None, request: PromotionRequest, promotion: str
) -> Verdict:
    manifest = models.manifest(version)
    if champion is not None and champion.version == version:
        return Verdict("refuse", [f"{version} is already the champion"])
    if damage := _damage(models, version):
        return Verdict("refuse", [f"{version} cannot serve: {damage}"])
    if request.force:
        return Verdict("promote", [f"{request.by or 'a person'} bypassed the gate: {request.reason.strip()}"])
    if promotion == "never":
        return Verdict("person", ["TOPICS_PROMOTION=never: only a person can promote, with force and a reason"])
    if replacement := _replacement(models, version):
        return Verdict("person", [f"{_was_replaced(version, replacement)}; promote it with force and a reason"])
    serving = champion.version if champion else None
    try:
        yardstick = compared_with(manifest)
        verdict = judge(*evaluated(manifest["evaluation"]))
    except IntegrityError as error:
        return Verdict("refuse", [f"{version} cannot be judged: {error}"])
    if yardstick != serving:
        reason = f"compared with {yardstick or 'no model'}, the champion is now {serving or 'none'}: train again"
        return Verdict("cannot_tell", [reason])
    if verdict.promote and promotion == "approval" and not request.is_approval:
        return Verdict("person", [*verdict.reasons, needs_approval(version)])
    return verdict


def needs_approval(version: str) -> str:
    """Return what a person does so that a version that the gate would promote serves."""
    return f"TOPICS_PROMOTION=approval: to promote it, run model_promotion with version {version} and a reason"


def awaits_approval(models: ModelStore, manifests: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the newest version that passed the gate against the champion that serves, and has not served itself.

    Args:
        manifests: of the versions to choose from, oldest first.
    """
    champion = models.champion()
    serving = champion.version if champion else None
    for manifest in reversed(manifests):
        version = manifest["version"]
        passed = bool(manifest.get("evaluation")) and verdict_state(manifest) == "promote"
        if passed and version != serving and compared_with(manifest) == serving and not _replacement(models, version):
            return str(version)
    return None


def _replacement(models: ModelStore, version: str) -> Promotion | None:
    """Return the newest promotion that replaced a version, None if it never served. Promotions older than the version
    are not read."""
    since = created_at(version)
    later = takewhile(lambda one: datetime.fromisoformat(one.promoted_at) >= since, models.promotions())
    return next((one for one in later if one.previous == version), None)


def _was_replaced(version: str, by: Promotion) -> str:
    return f"{version} served until {by.promoted_at[:16]} UTC and was replaced by {by.version}"


def _damage(models: ModelStore, version: str) -> str:
    """Return why the stream would not load a version; empty when it would."""
    from twitter_topics.topic_models.registry.champion import check_version_serves  # numba; the DAG is parsed often

    try:
        check_version_serves(models, version)
    except IntegrityError as error:
        return str(error)
    return ""
