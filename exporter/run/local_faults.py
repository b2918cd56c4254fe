"""Detects faults of our own side from the recent results of several servers: a blocked port, a wrong clock. No I/O.

If unrelated servers fail in the same way at the same time, the common cause is on our side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model import FactName, Phase, Result
from exporter.model.reasons import Reason
from exporter.model.servers import host_and_port, site

RECENT = 900.0  # seconds for which a server's last result is used

UNREACHED = frozenset({Reason.TIMEOUT, Reason.CONNECTION_REFUSED, Reason.HOST_UNREACHABLE})
"""Reasons that mean that no connection was made."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last thing known about a server."""

    at: float  # `time.monotonic()`
    reached: bool  # the connection was made
    reason: Reason | None = None  # why the run failed nevertheless
    valid: bool = False  # its certificate is valid


def blocked_ports(seen: Mapping[str, Seen], now: float) -> frozenset[int]:
    """Return the ports that fail on every host, on at least two sites, while other ports work."""
    reached: dict[int, set[str]] = {}
    failed: dict[int, set[str]] = {}
    for server, each in seen.items():
        if now - each.at <= RECENT:
            host, port = host_and_port(server)
            (reached if each.reached else failed).setdefault(port, set()).add(site(host))
    blocked = set()
    for port, sites in failed.items():
        answering = sites & set().union(*(there for other, there in reached.items() if other != port))
        if port not in reached and len(answering) >= 2:
            blocked.add(port)
    return frozenset(blocked)


def clock_reasons(seen: Mapping[str, Seen], now: float) -> frozenset[Reason]:
    """Return the certificate errors caused by our own clock: several unrelated servers show them at the same time."""
    recent = [(site(host_and_port(server)[0]), each) for server, each in seen.items() if now - each.at <= RECENT]
    early = {place for place, each in recent if each.reason is Reason.CERTIFICATE_NOT_YET_VALID}
    late = {place for place, each in recent if each.reason is Reason.CERTIFICATE_EXPIRED}
    found = set()
    if len(early) >= 2:
        found.add(Reason.CERTIFICATE_NOT_YET_VALID)
    if len(late) >= 3 and not any(each.valid for _, each in recent):
        found.add(Reason.CERTIFICATE_EXPIRED)
    return frozenset(found)


def seen_in(result: Result, now: float) -> Seen | None:
    """Return what a run tells about its server, or None if it tells nothing."""
    if len(result.target.servers) != 1:
        return None
    failure = result.failure
    if failure is None:
        return Seen(now, reached=True, valid=result.fact(FactName.TLS_VERSION) is not None)
    if failure.phase is None or failure.phase is Phase.RESOLVE or failure.reason is Reason.LOCAL_ERROR:
        return None
    if failure.phase is Phase.CONNECT:
        return Seen(now, reached=failure.reason not in UNREACHED, reason=failure.reason)
    return Seen(now, reached=True, reason=failure.reason)
