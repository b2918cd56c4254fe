"""Recent results for the pages and /logs: in memory, limited in size, failures kept longer than successes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import Struct

from exporter.model import Outcome, Result, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.standing import Standing

RUNS = 60

_ROW = Struct("<dfBB")  # started, duration, outcome, reason: 14 bytes; objects would take ten times as much
_OUTCOMES = tuple(Outcome)
_REASONS = tuple(Reason)
_NO_REASON = 255


@dataclass(frozen=True, slots=True)
class Run:
    """Summary of one run."""

    started: float  # Unix time, seconds
    duration: float  # seconds
    outcome: Outcome
    reason: Reason | None


class _Ring:
    """The last RUNS runs of one key."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows = bytearray()

    def add(self, result: Result) -> None:
        reason = _NO_REASON if result.failure is None else _REASONS.index(result.failure.reason)
        self._rows += _ROW.pack(result.started, result.duration, _OUTCOMES.index(result.outcome), reason)
        if len(self._rows) > RUNS * _ROW.size:
            del self._rows[: _ROW.size]

    def runs(self) -> tuple[Run, ...]:
        return tuple(
            Run(started, duration, _OUTCOMES[outcome], None if reason == _NO_REASON else _REASONS[reason])
            for started, duration, outcome, reason in reversed(tuple(_ROW.iter_unpack(bytes(self._rows))))
        )


class _Past:
    """The remembered results of one target and probe."""

    __slots__ = (
        "before",
        "conclusive",
        "failed",
        "failing_since",
        "first_words",
        "last",
        "last_success",
        "ring",
        "since",
    )

    def __init__(self, result: Result, before: Standing | None) -> None:
        self.before = before  # what was known before a restart, until the first verdict
        self.last = result
        self.conclusive: Result | None = None
        self.failed: Result | None = None
        self.since = result.started
        self.failing_since: float | None = before.first or None if before is not None else None
        self.first_words = before.text if before is not None else ""  # of the latest failure
        self.last_success = before.last_success if before is not None else 0.0
        self.ring = _Ring()

    def add(self, result: Result) -> None:
        self.ring.add(result)
        if result.outcome is not Outcome.INCONCLUSIVE:
            if self.conclusive is None or self.conclusive.outcome is not result.outcome:
                self._change(result)
            self.conclusive = result
            if result.outcome is Outcome.FAILED:
                self.failed = result
            else:
                self.last_success = result.started
        self.last = result  # set last: another thread that sees this result also sees the values derived from it

    def _change(self, result: Result) -> None:
        """Begin another verdict, unless it is the one that was known before the restart."""
        before, self.before = self.before, None
        failed = result.outcome is Outcome.FAILED
        if before is not None and before.first and before.failing is failed:
            self.since = before.first if failed else before.failure.end
            return
        self.since = result.started
        if failed:
            self.failing_since = result.started
            self.first_words = result.failure.text if result.failure is not None else ""


class History:
    """Sink of results. Remembers the recent ones.

    `limit` is the size of each of the two rings of full results: the newest results, and older failures.
    """

    def __init__(self, limit: int = 100) -> None:
        self._past: dict[TargetKey, _Past] = {}
        self._before: dict[TargetKey, Standing] = {}
        self.overtaken: Mapping[TargetKey, float] = {}  # see `overtake`
        self._recent: deque[Result] = deque()
        self._failures: deque[Result] = deque(maxlen=max(limit, 0))
        self._limit = max(limit, 0)

    def record(self, result: Result) -> None:
        past = self._past.get(result.target.key)
        if past is None:
            past = self._past[result.target.key] = _Past(result, self._before.pop(result.target.key, None))
        past.add(result)
        self._recent.append(result)
        if len(self._recent) > self._limit:
            oldest = self._recent.popleft()
            if oldest.outcome is not Outcome.OK:
                self._failures.append(oldest)

    def restore(self, standings: Mapping[TargetKey, Standing]) -> None:
        """Take over since when the targets failed or worked before a restart. Call it before the first result."""
        self._before = dict(standings)

    def overtake(self, overtaken: Mapping[TargetKey, float]) -> None:
        """Set which good results say nothing any more: a fault that concerns them began after they were looked at.

        The values are the Unix times of these results.
        """
        if overtaken != self.overtaken:
            self.overtaken = overtaken

    def load(self, config: EffectiveConfig) -> None:
        """Forget the targets that are no longer in the configuration."""
        keys = config.keys
        self._past = {key: past for key, past in self._past.items() if key in keys}

    def last(self, key: TargetKey) -> Result | None:
        past = self._past.get(key)
        return past.last if past else None

    def lasts(self, keys: Sequence[TargetKey]) -> list[Result | None]:
        """Return the last result of each key. One call is faster than a call of `last` for each of thousands."""
        known = self._past
        return [past.last if (past := known.get(key)) else None for key in keys]

    def last_conclusive(self, key: TargetKey) -> Result | None:
        past = self._past.get(key)
        return past.conclusive if past else None

    def last_failed(self, key: TargetKey) -> Result | None:
        past = self._past.get(key)
        return past.failed if past else None

    def standing(self, key: TargetKey) -> tuple[Result, Result | None, float] | None:
        """Return the last result, the last conclusive one, and the Unix time since which that verdict holds.

        The time is 0 if there is no conclusive result. Returns None if there is no result at all.
        """
        past = self._past.get(key)
        return (past.last, past.conclusive, past.since if past.conclusive else 0.0) if past else None

    def since(self, key: TargetKey) -> float | None:
        """Return the Unix time of the run with which the current verdict (working or failing) began."""
        past = self._past.get(key)
        return past.since if past and past.conclusive else None

    def failing_since(self, key: TargetKey) -> float | None:
        """Return the Unix time of the first run of the latest failure, also after its end; None if there was none."""
        past = self._past.get(key)
        return past.failing_since if past else None

    def first_words(self, key: TargetKey) -> str:
        """Return what was said at the first run of the latest failure; "" if nothing was."""
        past = self._past.get(key)
        return past.first_words if past else ""

    def last_success(self, key: TargetKey) -> float | None:
        """Return the Unix time of the last successful run, also of one before a restart; None if it is not known."""
        past = self._past.get(key)
        return past.last_success or None if past else None

    def runs(self, key: TargetKey) -> tuple[Run, ...]:
        """Return summaries of the last runs, newest first; at most RUNS."""
        past = self._past.get(key)
        return past.ring.runs() if past else ()

    def recent(self) -> tuple[Result, ...]:
        """Return the recent full results, newest first, then older failures, newest first."""
        return (*reversed(self._recent), *reversed(self._failures))

    def by_id(self, probe_id: str) -> Result | None:
        for result in self.recent():
            if result.probe_id == probe_id:
                return result
        for past in self._past.values():
            for known in (past.last, past.conclusive, past.failed):
                if known is not None and known.probe_id == probe_id:
                    return known
        return None
