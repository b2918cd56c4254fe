"""Counts the failed runs of each target in a row, which open an incident."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from exporter.model import Outcome, ProbeName, Result, TargetKey
from exporter.model.reasons import Layer


@dataclass(slots=True)
class Streak:
    """Consecutive bad runs of one (target, probe) at the same layer."""

    layer: Layer
    streak: int
    seq: int  # sequence number of the last run
    began: float  # Unix time
    result: Result  # of the last run
    conclusive: bool


class Streaks:
    """The current streaks by target and probe."""

    def __init__(self) -> None:
        self._of: dict[str, dict[ProbeName, Streak]] = {}
        self._before: dict[TargetKey, tuple[Layer, float]] = {}  # layer and Unix time of failures before a restart

    def restore(self, before: Mapping[TargetKey, tuple[Layer, float]]) -> None:
        """Take over since when the targets failed before a restart. Call it before the first run."""
        self._before = dict(before)

    def add(self, result: Result, layer: Layer | None, seq: int) -> None:
        """Add a run. `layer` is where it failed; None: it was good, which ends the streak."""
        name, probe = result.target.key
        looks = self._of.get(name, {})
        look = looks.get(probe)
        before = self._before.pop(result.target.key, None) if self._before else None
        if layer is None:
            if look is not None:
                del looks[probe]
                if not looks:
                    del self._of[name]
        elif look is not None and look.layer is layer:
            look.streak, look.seq, look.result = look.streak + 1, seq, result
        else:
            conclusive = result.outcome is not Outcome.INCONCLUSIVE
            began = before[1] if before is not None and before[0] is layer else result.started
            self._of.setdefault(name, {})[probe] = Streak(layer, 1, seq, began, result, conclusive)

    def has(self, key: TargetKey) -> bool:
        return key[1] in self._of.get(key[0], ())

    def keep(self, keys: AbstractSet[TargetKey]) -> None:
        kept: dict[str, dict[ProbeName, Streak]] = {}
        for name, looks in self._of.items():
            left = {probe: look for probe, look in looks.items() if (name, probe) in keys}
            if left:
                kept[name] = left
        self._of = kept

    def of(self, names: Iterable[str]) -> dict[TargetKey, Streak]:
        return {(name, probe): look for name in names for probe, look in self._of.get(name, {}).items()}
