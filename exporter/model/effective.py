"""The configuration in effect: what each part of the daemon takes over when a configuration is loaded.

`daemon` makes one from the configuration files, at the start and at each reload, and hands it to the `load` method of
every part: the login guard, the scheduler, the metrics, the root causes, the incidents, the bridges and so on. Each
part reads what concerns it.
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
    """The targets of this daemon, when they run, and the settings of its parts."""

    targets: Sequence[Target] = ()
    intervals: Mapping[TargetKey, float] = field(default_factory=dict)  # seconds; without an entry, as configured
    spreads: Mapping[TargetKey, float] = field(default_factory=dict)  # seconds for first runs, at least
    limits: Limits = field(default_factory=Limits)
    resolvers: Sequence[str] = ()
    login_guard: GuardSettings = field(default_factory=GuardSettings)
    login_shares: LoginShares = field(default_factory=LoginShares)
    vantage: VantageSettings = field(default_factory=VantageSettings)
    alert_labels: Sequence[str] = ()
    incidents: IncidentSettings = field(default_factory=IncidentSettings)
    push: PushSettings | None = None
    bridges: Sequence[BridgeSettings] = ()
    warnings: Sequence[str] = ()  # what the log tells about all this

    def interval(self, target: Target) -> float:
        """Seconds between two runs of a target, after stretching. As configured for one that a reload took away."""
        return self.intervals.get(target.key, target.interval)

    @property
    def keys(self) -> set[TargetKey]:
        return {target.key for target in self.targets}
