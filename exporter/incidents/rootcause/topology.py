"""Which mailboxes use a server, a provider or a domain; and the position of one failure in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.model import FactName, Kind, Outcome, Phase, Result, Target, TargetKey
from exporter.model.advice import Advice
from exporter.model.reasons import Layer, Reason, about
from exporter.model.servers import host_and_port

VANTAGE, DNS, TRANSPORT, AUTH, CAPACITY, MAILBOX, EXPORTER = range(7)
RANKS: Mapping[Layer, int] = {
    Layer.VANTAGE: VANTAGE,
    Layer.DNS: DNS,
    Layer.TRANSPORT: TRANSPORT,
    Layer.AUTH: AUTH,
    Layer.CAPACITY: CAPACITY,
    Layer.DELIVERY: CAPACITY,
    Layer.MAILBOX: MAILBOX,
    Layer.EXPORTER: EXPORTER,
}
"""A failure of a lower rank explains failures of higher ranks."""

_OURS = {Reason.LOCAL_ERROR: VANTAGE, Reason.CONFIG: AUTH}
_LOOKUP = frozenset({Reason.DNS_TIMEOUT, Reason.DNS_SERVER_FAILURE, Reason.DNSSEC_BOGUS, Reason.HOST_NOT_FOUND})


@dataclass(slots=True, eq=False)
class Failing:
    """One (target, probe) that fails now. Created once per result, read by each search."""

    target: Target
    reason: Reason
    layer: Layer
    rank: int
    server: str  # host:port; "" if the target has no server, or two (a route)
    host: str
    lookup: bool  # names cannot be resolved
    bad_mx: bool  # the target is a domain to which no mail can be delivered
    since: float  # Unix time of the first of the consecutive failures
    started: float  # Unix time of the last failure
    worked: bool  # whether it has ever worked before
    inconclusive: bool
    text: str
    advice: Advice | None


def failing(
    result: Result, since: float = 0.0, *, worked: bool = False, target: Target | None = None
) -> Failing | None:
    """Return the failure of a run; None if it succeeded.

    `since` is the Unix time of the first consecutive failure, 0 if this is the first. `target` is the target as in the
    configuration, if the result has another object for it.
    """
    if result.outcome is Outcome.OK:
        return None
    target, failure = target or result.target, result.failure
    reason = failure.reason if failure is not None else Reason.UNKNOWN
    layer = about(reason).layer
    server = target.servers[0] if len(target.servers) == 1 else ""
    rank = _OURS.get(reason, RANKS[layer])
    for_token = failure is not None and failure.phase is Phase.TOKEN  # about the token endpoint, not the mail server
    return Failing(
        target=target,
        reason=reason,
        layer=layer,
        rank=max(rank, AUTH) if for_token and rank > VANTAGE else rank,
        server=server,
        host=host_and_port(server)[0],
        lookup=reason in _LOOKUP and not for_token,
        bad_mx=target.kind is Kind.DOMAIN
        and (result.fact(FactName.DNS_POLICY_VALID, "mx") == 0 or result.fact(FactName.DNS_LOOKUP, "mx") == 0),
        since=since or result.started,
        started=result.started,
        worked=worked,
        inconclusive=result.outcome is Outcome.INCONCLUSIVE,
        text=failure.text if failure is not None else "",
        advice=failure.advice if failure is not None else None,
    )


class Topology:
    """The targets of the configuration, counted and indexed once."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self.targets: dict[TargetKey, Target] = {target.key: target for target in targets}
        at_server: dict[str, set[str]] = {}
        at_host: dict[str, dict[str, list[TargetKey]]] = {}
        at_provider: dict[str, dict[str, list[TargetKey]]] = {}
        at_domain: dict[str, dict[str, list[TargetKey]]] = {}
        mailboxes: dict[str, Target] = {}
        self.domains: dict[str, str] = {}  # domain → name of the target that monitors it
        self.endpoints: dict[str, list[TargetKey]] = {}  # host:port → the targets that probe it without a login
        for target in self.targets.values():
            if target.kind is Kind.MAILBOX:
                mailboxes[target.name] = target
                groups = [(at_provider, target.provider), (at_domain, target.domain)]
                for server in target.servers:
                    at_server.setdefault(server, set()).add(target.name)
                    groups.append((at_host, host_and_port(server)[0]))
                for boxes, thing in groups:
                    boxes.setdefault(thing, {}).setdefault(target.name, []).append(target.key)
            elif target.kind is Kind.ENDPOINT:
                for server in target.servers:
                    self.endpoints.setdefault(server, []).append(target.key)
            elif target.kind is Kind.DOMAIN:
                self.domains[target.domain] = target.name
        self.at_server = {server: len(names) for server, names in at_server.items()}
        # By host, provider and domain: the mailboxes there, each with its probes that tell something about it.
        self.boxes: Mapping[str, Mapping[str, Mapping[str, Sequence[TargetKey]]]] = {
            "host": at_host,
            "provider": at_provider,
            "domain": at_domain,
        }
        self.at_provider = Counter(target.provider for target in mailboxes.values())
        self.at_domain = Counter(target.domain for target in mailboxes.values())
        self.domain_of = {name: target.domain for name, target in mailboxes.items()}
        hosts = {host_and_port(server)[0] for target in self.targets.values() for server in target.servers}
        self._zones = {host: self._zone(host) for host in hosts}

    def zone(self, host: str) -> str:
        """Return the closest monitored domain that contains this host; "" if there is none."""
        return self._zones.get(host, "")

    def hosts_in(self, zones: Collection[str]) -> frozenset[str]:
        """Return the hosts of all servers in any of these domains."""
        return frozenset(host for host, zone in self._zones.items() if zone in zones)

    def _zone(self, host: str) -> str:
        labels = host.split(".")
        names = (".".join(labels[index:]) for index in range(len(labels)))
        return next((name for name in names if name in self.domains), "")
