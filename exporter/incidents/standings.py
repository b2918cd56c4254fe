"""Keeps in the state folder since when each target fails, when it worked last, and what was said first.

Only changes are written: the beginning and the end of a failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from exporter.model import Outcome, ProbeName, Result, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.staleness import lifetime
from exporter.model.standing import Standing, thaw
from exporter.state.store import State

BEAT = 60.0  # seconds between two notes that the daemon runs
NOTE = ("standings", "alive")  # key of the Unix time of the last one: after a kill it tells for how long nobody looked
_PROBES = frozenset(ProbeName)


class Standings:
    """Sink of results. A state that cannot be written loses only what a restart would need."""

    def __init__(self, state: State, now: Callable[[], float] = time.time) -> None:
        self._state = state
        self._now = now
        self._known: dict[TargetKey, Standing] = {}
        self._targets: frozenset[TargetKey] = frozenset()
        self._beat_at = 0.0
        for (name, probe), record in state.standings.items():
            standing = thaw(record)
            if standing is not None and probe in _PROBES:
                self._known[name, ProbeName(probe)] = standing

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. What is known of targets that are gone is deleted."""
        self._targets = frozenset(config.keys)
        for key in self._known.keys() - self._targets:
            if self._known.pop(key).failure.start:
                self._state.save_standing(key[0], key[1], None)

    async def restored(self, config: EffectiveConfig) -> Mapping[TargetKey, Standing]:
        """Return what was known before this start. Call it once, after the first `load`.

        A failure that lasted then goes on only if nobody has looked for a short time: the lifetime of a result.
        """
        alive = float(await self._state.notes.get(*NOTE) or 0)
        gap = self._now() - alive
        for target in config.targets:
            standing = self._known.get(target.key)
            if standing is None:
                continue
            if not 0 <= gap <= lifetime(config.interval(target)):
                self._known[target.key] = standing.forgotten()
            elif not standing.failing:
                standing.last_success = 0.0  # it is that of the end of the failure; there were later ones
        return dict(self._known)

    async def beat(self) -> None:
        """Note once a minute that the daemon runs."""
        now = self._now()
        if not 0 <= now - self._beat_at < BEAT:
            self._beat_at = now
            await self._state.notes.put(*NOTE, f"{now:.0f}")

    def record(self, result: Result) -> None:
        """Record a result, and write what is known if a failure has begun or ended."""
        key = result.target.key
        if result.outcome is Outcome.INCONCLUSIVE or key not in self._targets:
            return
        standing = self._known.setdefault(key, Standing())
        if standing.look(result):
            self._state.save_standing(key[0], key[1], standing.freeze())
