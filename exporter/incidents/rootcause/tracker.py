"""Tracks the current failures with each result and computes their root causes on demand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from exporter.incidents.rootcause.cause import Cause
from exporter.incidents.rootcause.failures import Failures
from exporter.incidents.rootcause.search import Findings, Memory, aged, find, overtaken
from exporter.incidents.rootcause.topology import Failing, Topology, failing
from exporter.model import Kind, Outcome, ProbeName, Result, Scope, TargetKey
from exporter.model.effective import EffectiveConfig, IntervalOf
from exporter.model.reasons import Layer, Reason, about
from exporter.model.staleness import lifetime
from exporter.model.standing import Standing

_TELLING = frozenset({Reason.LOCAL_ERROR, Reason.CONFIG})


class CauseTracker:
    """Sink of results. `look` searches again only if something has changed since the last call."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._evidence = Failures(Topology(()))
        self._interval_of: IntervalOf = EffectiveConfig().interval
        self._verdicts: dict[TargetKey, Failing] = {}  # the last conclusive failure, while later runs are inconclusive
        self._worked: dict[TargetKey, float] = {}  # Unix time at which the last successful run began
        self._before: dict[TargetKey, float] = {}  # Unix time since which a target failed before a restart
        self._good_since: dict[TargetKey, float] = {}  # Unix time of the first of the consecutive successful runs
        self._looked: dict[TargetKey, float] = {}  # Unix time at which the last run with a verdict began
        self._found = Findings()  # as `find` returns them
        self._findings = Findings()  # the same, with the numbers of mailboxes looked at since
        self._memory = Memory()
        self._changed = False
        self._seen_more = False  # whether there are runs with a verdict since the last call of `look`
        self._expires = float("inf")  # Unix time at which the first failure becomes stale

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. Keeps the failures of targets that have not changed."""
        before, self._evidence = self._evidence, Failures(Topology(config.targets))
        self._memory = Memory(self._memory.holds, self._memory.began)
        self._interval_of = config.interval
        known = self._evidence.topology.targets
        self._worked = {key: at for key, at in self._worked.items() if key in known}
        self._looked = {key: at for key, at in self._looked.items() if key in known}
        self._good_since = {key: at for key, at in self._good_since.items() if key in known}
        self._verdicts = {key: each for key, each in self._verdicts.items() if known.get(key) == each.target}
        for key, each in before.found.items():
            if known.get(key) == each.target:
                self._evidence.put(each)
        self._changed = True

    def restore(self, standings: Mapping[TargetKey, Standing]) -> None:
        """Take over since when the targets failed before a restart. Call it before the first result."""
        self._before = {key: each.first for key, each in standings.items() if each.failing and each.first}
        self._worked |= {key: each.last_success for key, each in standings.items() if each.last_success}

    def record(self, result: Result) -> None:
        """Record a result. An inconclusive one keeps the known state, unless its reason is a fault on our side."""
        key = result.target.key
        target = self._evidence.topology.targets.get(key)
        if target is None:
            return
        if result.outcome is not Outcome.INCONCLUSIVE:
            self._looked[key] = result.started
            self._seen_more = True
        if result.outcome is Outcome.OK:
            self._worked[key] = result.started
            self._good_since.setdefault(key, result.started)
            self._before.pop(key, None)
            self._verdicts.pop(key, None)
            self._drop(key)
            return
        if result.outcome is Outcome.INCONCLUSIVE and not _tells(result):
            self._put(key, self._verdicts.pop(key, None) or self._evidence.found.get(key))
            return
        before = self._evidence.found.get(key)
        if result.outcome is Outcome.INCONCLUSIVE:
            if before is not None and not before.inconclusive:
                self._verdicts[key] = before
        else:
            before = self._verdicts.pop(key, before)
        began = before.since if before is not None and before.inconclusive is _is_inconclusive(result) else 0.0
        if result.outcome is Outcome.FAILED:
            began = self._before.pop(key, began)
            self._good_since.pop(key, None)
        self._put(key, failing(result, began, worked=key in self._worked, target=target))

    def vantage_back(self) -> None:
        """Remove the failures `vantage_offline`: our network works again."""
        for key, each in list(self._evidence.found.items()):
            if each.reason is Reason.VANTAGE_OFFLINE:
                verdict = self._verdicts.pop(key, None)
                self._drop(key)
                self._put(key, verdict)

    def _drop(self, key: TargetKey) -> None:
        if key in self._evidence.found:
            self._evidence.drop(key)
            self._changed = True

    def _put(self, key: TargetKey, each: Failing | None) -> None:
        before = self._evidence.found.get(key)
        if each is None:
            self._drop(key)
        elif each is not before:
            self._evidence.put(each)
            self._changed = True
            self._expires = min(self._expires, self._end(each))

    def _end(self, each: Failing) -> float:
        return each.started + lifetime(self._interval_of(each.target))

    def look(self) -> Findings:
        """Return the causes of the current failures, and the labels of each target's root cause."""
        now = self._now()
        if now > self._expires:
            for key in [key for key, each in self._evidence.found.items() if self._end(each) < now]:
                self._drop(key)
                self._verdicts.pop(key, None)
            ends = (self._end(each) for each in self._evidence.found.values())
            self._expires = min(ends, default=float("inf"))
        if self._changed:
            self._found = find(self._evidence, self._memory, now)
        if self._changed or (self._seen_more and self._memory.began):
            causes = tuple([self._now_known(cause) for cause in self._found.causes])
            if self._changed or causes != self._findings.causes:
                self._findings = Findings(causes, self._found.labels)
        self._changed = self._seen_more = False
        return self._findings

    def worked(self, names: Iterable[str]) -> float:
        """Return the Unix time at which the last successful run of any of these targets began; 0 if there is none."""
        keys = ((name, probe) for name in names for probe in ProbeName)
        return max((self._worked.get(key, 0.0) for key in keys), default=0.0)

    def _now_known(self, cause: Cause) -> Cause:
        """Return the cause with what the looks since its beginning tell."""
        known = aged(cause, self._evidence.topology, self._looked)
        back = self._back(cause) if cause.scope is Scope.HOST and not cause.inconclusive else 0.0
        return replace(known, back=back) if back else known

    def _back(self, cause: Cause) -> float:
        """Return the Unix time since which the server answers, if all that fails there was looked at before; else 0.

        Hundreds of mailboxes are looked at one after another, within the limit of logins. Round trips wait for longer.
        """
        times = [0.0]
        for name in cause.targets:
            for each in self._evidence.by_name.get(name, ()):
                if each.target.kind is Kind.ROUTE:
                    continue
                ports = self._evidence.topology.endpoints.get(each.server, ())
                since = min((self._good_since.get(key, 0.0) for key in ports), default=0.0)
                if each.started >= since:
                    return 0.0
                times.append(since)
        return max(times)

    def overtaken(self) -> Mapping[TargetKey, float]:
        """Return the good looks, with their Unix times, that are older than a fault which concerns them."""
        found = overtaken(self.look().causes, self._evidence.topology, self._looked)
        return {key: at for key, at in found.items() if key not in self._evidence.found}

    def looked(self, key: TargetKey) -> float:
        """Return the Unix time at which the last run with a verdict began; 0 if there is none."""
        return self._looked.get(key, 0.0)


def _is_inconclusive(result: Result) -> bool:
    return result.outcome is Outcome.INCONCLUSIVE


def _tells(result: Result) -> bool:
    """Return whether the reason of an inconclusive run is a fault on our side."""
    reason = result.failure.reason if result.failure is not None else None
    return reason is not None and (reason in _TELLING or about(reason).layer is Layer.VANTAGE)
