"""The configuration in effect: what each part of the daemon uses.

The daemon creates it from the configuration files at the start and at each reload, and passes it to the `load` method
of every part: login guard, scheduler, metrics, root causes, incidents, bridges and others. Each part reads what it
needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.model.settings import (
    BridgeSettings,
    GuardSettings,
    IncidentSettings,
    Limits,
    LoginShares,
    PushSettings,
    VantageSettings,
)
from exporter.model.target import Target, TargetKey

IntervalOf = Callable[[Target], float]
"""Seconds between two runs of a target: `EffectiveConfig.interval`, or what stands for it."""


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """The targets of this daemon, their schedule, and the settings of the daemon's parts."""

    targets: Sequence[Target] = ()
    # seconds; a target without an entry uses its own
    intervals: Mapping[TargetKey, float] = field(default_factory=dict)
    spreads: Mapping[TargetKey, float] = field(default_factory=dict)  # minimum seconds over which first runs are spread
    limits: Limits = field(default_factory=Limits)
    resolvers: Sequence[str] = ()
    login_guard: GuardSettings = field(default_factory=GuardSettings)
    login_shares: LoginShares = field(default_factory=LoginShares)
    vantage: VantageSettings = field(default_factory=VantageSettings)
    alert_labels: Sequence[str] = ()
    incidents: IncidentSettings = field(default_factory=IncidentSettings)
    push: PushSettings | None = None
    bridges: Sequence[BridgeSettings] = ()
    warnings: Sequence[str] = ()  # warnings to log

    def interval(self, target: Target) -> float:
        """Return the seconds between two runs of a target as in effect; as configured for an unknown target."""
        return self.intervals.get(target.key, target.interval)

    @property
    def keys(self) -> set[TargetKey]:
        return {target.key for target in self.targets}
