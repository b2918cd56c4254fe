"""When each target runs: effective intervals, first starts, the fixed beat and rechecks. Pure; time is passed in."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.model import Outcome, ProbeName, Result, Target, TargetKey
from exporter.model.settings import Limits

FEW = 20  # so many new targets start within SOON, so that a small config shows something at once
SOON = 2.0  # seconds
FIRST_ROUND = 60.0  # seconds over which the first runs of more targets are spread
RECHECKS = 2  # looks at a fresh failure before the next beat


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from all targets together."""

    intervals: Mapping[TargetKey, float]  # seconds, stretched where a login budget asks for it
    spreads: Mapping[TargetKey, float]  # seconds over which a login target's first run is spread at least
    warnings: tuple[str, ...]


def plan(targets: Sequence[Target], limits: Limits) -> Plan:
    """Stretch the intervals of login targets until each host gets at most its logins a minute."""
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
    """Where in its interval a target runs, 0 to 1: the same in every process."""
    digest = hashlib.blake2b("\0".join(key).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def spread_of(newcomers: int, interval: float, for_logins: float) -> float:
    """Seconds over which so many first runs are spread; never more than their interval."""
    soon = SOON if newcomers <= FEW else FIRST_ROUND
    return min(interval, max(soon, for_logins))


def second_start(first: float, part: float, spread: float, interval: float) -> float:
    """From the hurried first round to the beat that is spread over the whole interval: half to one and a half later."""
    distance = part * (interval - spread)
    return first + (distance if distance >= interval / 2 else distance + interval)


def next_start(previous: float, interval: float, now: float) -> float:
    """The next beat after `now`. It does not drift, and what was missed (the machine slept) is not made up for."""
    missed = max(0, math.floor((now - previous) / interval))
    following = previous + (missed + 1) * interval
    return following if following > now else following + interval


def recheck_start(result: Result, failures: int, finished: float, next_beat: float) -> float | None:
    """When to look again at a failure, or None.

    `failures` counts the conclusive failures in a row, this one included: the first two are fresh. A refused login is
    not repeated, nor is a mail sent again.
    """
    if result.outcome is not Outcome.FAILED or not 1 <= failures <= RECHECKS:
        return None
    if result.login_refused or result.login_suspended or result.target.probe is ProbeName.ROUNDTRIP:
        return None
    at = finished + result.target.recheck
    return at if at < next_beat else None
