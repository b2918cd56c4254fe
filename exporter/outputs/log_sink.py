"""Logs what changed: a target starts to fail, fails for another reason, or works again; its logins are paused."""

from __future__ import annotations

from typing import Any

from exporter.model import Outcome, Result, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.model.reasons import Reason

logger = logger_of(__name__)


class Journal:
    """Sink of results. Writes one log line per change, not per run."""

    def __init__(self) -> None:
        self._failing: dict[TargetKey, Reason] = {}
        self._suspended: set[TargetKey] = set()

    def record(self, result: Result) -> None:
        """Log the result if it differs from the last conclusive one of this target and probe."""
        if result.outcome is Outcome.INCONCLUSIVE:
            return
        key, failure = result.target.key, result.failure
        about: dict[str, Any] = {"target": key[0], "probe": str(key[1]), "id": result.probe_id}
        if failure is None:
            if self._failing.pop(key, None) is not None:
                logger.info("works again", **about)
        elif self._failing.get(key) is not failure.reason:
            self._failing[key] = failure.reason
            about |= {"phase": str(failure.phase or ""), "reason": str(failure.reason), "err": failure.text}
            if result.words_of is not None:
                about["said_to"] = str(result.words_of)  # the words are the answer to another protocol's login
            logger.warning("fails", **about)
        if result.login_suspended and key not in self._suspended:
            logger.warning("logins are paused, so that the account is not locked", **about)
        (self._suspended.add if result.login_suspended else self._suspended.discard)(key)

    def load(self, config: EffectiveConfig) -> None:
        """Forget the targets that are no longer in the configuration."""
        keys = config.keys
        self._failing = {key: reason for key, reason in self._failing.items() if key in keys}
        self._suspended.intersection_update(keys)
