"""Computes when targets run: effective intervals, first starts, next starts and rechecks. No I/O.

The current time is passed in, so everything here can be tested without waiting.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.model import Outcome, ProbeName, Result, Target, TargetKey
from exporter.model.settings import Limits

FEW = 20  # up to so many new targets start within SOON, so that a small configuration shows results at once
SOON = 2.0  # seconds
FIRST_ROUND = 60.0  # seconds over which the first runs of more targets are spread
RECHECKS = 2  # rechecks of a new failure before the next scheduled run


@dataclass(frozen=True, slots=True)
class Plan:
    """What is computed from all targets together."""

    intervals: Mapping[TargetKey, float]  # seconds, longer where a login budget requires it
    spreads: Mapping[TargetKey, float]  # minimum seconds over which the first runs of login targets are spread
    warnings: tuple[str, ...]


def plan(targets: Sequence[Target], limits: Limits) -> Plan:
    """Lengthen the intervals of login targets until each host gets at most its logins per minute."""
    budget = limits.logins_per_host_per_minute
    per_minute: defaultdict[str, float] = defaultdict(float)
    logins: defaultdict[str, int] = defaultdict(int)
    for target in targets:
        for host in target.logins:
            per_minute[host] += 60.0 / target.interval
            logins[host] += 1
    factors = {host: rate / budget for host, rate in per_minute.items() if rate > budget * (1 + 1e-9)}
    intervals: dict[TargetKey, float] = {}
    spreads: dict[TargetKey, float] = {}
    for target in targets:
        factor = max((factors.get(host, 1.0) for host in target.logins), default=1.0)
        interval = intervals[target.key] = target.interval * factor
        crowd = max((logins[host] for host in target.logins), default=0)
        spreads[target.key] = min(60.0 * crowd / budget, interval) if crowd > budget else 0.0
    warnings = tuple(
        f"{host}: {per_minute[host]:.0f} logins a minute are configured and {budget:g} are allowed "
        f"(limits.logins_per_host_per_minute): intervals there are {factor:.1f} times as long"
        for host, factor in sorted(factors.items())
    )
    return Plan(intervals, spreads, warnings)


def fraction(key: TargetKey) -> float:
    """Return the position of a target within its interval, from 0 to 1: the same in every process."""
    digest = hashlib.blake2b("\0".join(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def spread_of(newcomers: int, interval: float, for_logins: float) -> float:
    """Return the seconds over which so many first runs are spread; never more than their interval."""
    soon = SOON if newcomers <= FEW else FIRST_ROUND
    return min(interval, max(soon, for_logins))


def second_start(first: float, part: float, spread: float, interval: float) -> float:
    """Return the second start, which moves a target to its place in the interval: 0.5 to 1.5 intervals later."""
    distance = part * (interval - spread)
    return first + (distance if distance >= interval / 2 else distance + interval)


def next_start(previous: float, interval: float, now: float) -> float:
    """Return the next start after `now`. It does not drift; missed runs (the machine was asleep) are not repeated."""
    missed = max(0, math.floor((now - previous) / interval))
    following = previous + (missed + 1) * interval
    return following if following > now else following + interval


def recheck_start(result: Result, failures: int, finished: float, next_beat: float) -> float | None:
    """Return when to recheck a failure, or None.

    `failures` counts the conclusive failures in a row, including this one: the first two are rechecked. A refused login
    is not repeated, and no mail is sent again.
    """
    if result.outcome is not Outcome.FAILED or not 1 <= failures <= RECHECKS:
        return None
    if result.login_refused or result.login_suspended or result.target.probe is ProbeName.ROUNDTRIP:
        return None
    at = finished + result.target.recheck
    return at if at < next_beat else None
