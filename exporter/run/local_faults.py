"""What servers were seen to do of late, and what that says about our own side: a blocked port, a wrong clock. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model import FactName, Phase, Result
from exporter.model.reasons import Reason
from exporter.model.servers import host_and_port, site

RECENT = 900.0  # seconds for which a server's answer says something

UNREACHED = frozenset({Reason.TIMEOUT, Reason.CONNECTION_REFUSED, Reason.HOST_UNREACHABLE})
"""How a connection does not come about."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last thing a server was seen to do."""

    at: float  # `time.monotonic()`
    reached: bool  # the connection came about
    reason: Reason | None = None  # why the run failed all the same
    valid: bool = False  # its certificate is


def blocked_ports(seen: Mapping[str, Seen], now: float) -> frozenset[int]:
    """Ports that fail to every host, of two sites at least, where other ports answer."""
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
    """The certificate errors that come from our own clock: several unrelated servers show them at once."""
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
    """What a run tells of its server; None where it had none, or did not come so far."""
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
