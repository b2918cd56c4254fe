"""The current failures, indexed by target, server, provider and domain.

The index is updated with each result, so that a search for root causes does not start from zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from exporter.incidents.rootcause.topology import DNS, TRANSPORT, Failing, Topology
from exporter.model import Kind, TargetKey
from exporter.model.reasons import Reason

ACCOUNTS = (
    3  # the minimum of failing mailboxes for an outage of a provider or domain; they must also be half of its mailboxes
)
TOGETHER = 900.0  # seconds; logins refused within this time count as one event

NOT_THE_ACCOUNTS = frozenset(
    {
        Reason.AUTH_UNAVAILABLE,
        Reason.AUTH_MISSING,
        Reason.LOGIN_FROM_NEW_LOCATION_BLOCKED,  # the server blocks our address, not the account
        Reason.RATE_LIMITED,
    }
)
"""Reasons above the transport layer that concern the server or us.

Others, such as a wrong password, concern one account.
"""

_Said = dict[
    str, dict[TargetKey, str]
]  # mailbox → the host that it cannot reach, or "" for a failure above the transport layer


@dataclass(slots=True)
class _Votes:
    """The failures of the mailboxes of a provider or domain, and a cached decision whether they are an outage."""

    said: _Said = field(default_factory=dict)
    judged: tuple[int, Collection[str], bool] | None = None

    def is_outage(self, accounts: int, unreachable: Collection[str]) -> bool:
        if self.judged is None or self.judged[:2] != (accounts, unreachable):
            self.judged = (accounts, unreachable, _is_outage(self.said, accounts, unreachable))
        return self.judged[2]


@dataclass(slots=True)
class _Server:
    """The targets that cannot reach a server."""

    endpoints: dict[TargetKey, Failing] = field(default_factory=dict)
    mailboxes: dict[TargetKey, Failing] = field(default_factory=dict)

    @property
    def endpoint(self) -> Failing | None:
        return next(iter(self.endpoints.values()), None)


class Failures:
    """All current failures, indexed by the server, domain or provider that they concern."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.found: dict[TargetKey, Failing] = {}
        self.by_name: dict[str, tuple[Failing, ...]] = {}  # replaced by a new tuple after each change
        self._servers: dict[str, _Server] = {}
        self._providers: dict[str, _Votes] = {}
        self._domains: dict[str, _Votes] = {}
        self._refused: dict[str, dict[TargetKey, Failing]] = {}  # provider → logins refused for an unknown reason
        self._zones: dict[str, set[TargetKey]] = {}  # domains whose DNS fails

    def put(self, each: Failing) -> None:
        key = each.target.key
        self.drop(key)
        self.found[key] = each
        self.by_name[key[0]] = (*self.by_name.get(key[0], ()), each)
        if each.target.kind is Kind.DOMAIN and each.lookup:
            self._zones.setdefault(each.target.domain, set()).add(key)
        if is_unreachable(each) and each.server:
            server = self._servers.get(each.server)
            if server is None:
                server = self._servers[each.server] = _Server()
            (server.mailboxes if each.target.kind is Kind.MAILBOX else server.endpoints)[key] = each
        if each.target.kind is Kind.MAILBOX:
            self._vote(key, each)

    def _vote(self, key: TargetKey, each: Failing) -> None:
        target = each.target
        if is_unreachable(each) or each.reason in NOT_THE_ACCOUNTS:
            host = each.host if is_unreachable(each) else ""
            for votes, group in ((self._providers, target.provider), (self._domains, target.domain)):
                if group:
                    mine = votes.get(group)
                    if mine is None:
                        mine = votes[group] = _Votes()
                    mine.said.setdefault(key[0], {})[key] = host
                    mine.judged = None
        elif each.reason is Reason.AMBIGUOUS_LOGIN_REFUSED and each.worked and target.provider:
            self._refused.setdefault(target.provider, {})[key] = each

    def drop(self, key: TargetKey) -> None:
        each = self.found.pop(key, None)
        if each is None:
            return
        others = tuple(other for other in self.by_name[key[0]] if other is not each)
        if others:
            self.by_name[key[0]] = others
        else:
            del self.by_name[key[0]]
        target = each.target
        _discard(self._zones, target.domain, key)
        if (server := self._servers.get(each.server)) is not None:
            server.endpoints.pop(key, None)
            server.mailboxes.pop(key, None)
            if not server.endpoints and not server.mailboxes:
                del self._servers[each.server]
        for votes, group in ((self._providers, target.provider), (self._domains, target.domain)):
            mine = votes.get(group)
            if mine is not None and (by_key := mine.said.get(key[0])) is not None:
                by_key.pop(key, None)
                mine.judged = None
                if not by_key:
                    del mine.said[key[0]]
                if not mine.said:
                    del votes[group]
        if (refused := self._refused.get(target.provider)) is not None:
            refused.pop(key, None)
            if not refused:
                del self._refused[target.provider]

    # -- conclusions --------------------------------------------------------------------------------------------

    def dead_zones(self) -> frozenset[str]:
        """Return the monitored domains whose DNS fails."""
        return frozenset(self._zones)

    def dead_servers(self) -> dict[str, Failing]:
        """Return the servers (host:port) that are down, each with a failure that shows it.

        A server is down if its tls probe fails, or if at least two and half of its mailboxes cannot reach it.
        """
        dead = {}
        for name, server in self._servers.items():
            count = len(server.mailboxes)
            if server.endpoint is not None:
                dead[name] = server.endpoint
            elif count >= 2 and 2 * count >= self.topology.at_server.get(name, 0):
                dead[name] = next(iter(server.mailboxes.values()))
        return dead

    def endpoint(self, server: str) -> Failing | None:
        """Return the failure of the server's tls probe, if it fails."""
        known = self._servers.get(server)
        return known.endpoint if known is not None else None

    def refused_together(self) -> dict[str, list[Failing]]:
        """Return, by provider, working logins that were refused at about the same time for unknown reasons."""
        return {provider: _together(refused.values()) for provider, refused in self._refused.items()}

    def provider_outages(self, unreachable: Collection[str]) -> Iterator[tuple[str, set[str]]]:
        """Yield each provider half of whose mailboxes fail, with the domains of these mailboxes.

        Failures to reach the hosts in `unreachable` do not count: another cause explains them.
        """
        refused, domain_of = self.refused_together(), self.topology.domain_of
        for provider in {*self._providers, *refused}:
            votes = self._providers.get(provider) or _Votes()
            if provider in refused:
                votes = _Votes({name: dict(by_key) for name, by_key in votes.said.items()})
                for each in refused[provider]:
                    votes.said.setdefault(each.target.name, {})[each.target.key] = ""
            if votes.is_outage(self.topology.at_provider[provider], unreachable):
                yield provider, {domain_of.get(name, "") for name in votes.said}

    def domain_outages(self, unreachable: Collection[str]) -> Iterator[str]:
        """Yield the domains half of whose mailboxes fail. `unreachable` as above."""
        for domain, votes in self._domains.items():
            if votes.is_outage(self.topology.at_domain[domain], unreachable):
                yield domain


def is_unreachable(each: Failing) -> bool:
    """Return whether the failure happened before the server was reached."""
    return DNS <= each.rank <= TRANSPORT


def _is_outage(votes: _Said, accounts: int, unreachable: Collection[str]) -> bool:
    """Return whether enough mailboxes fail, and not only because of one server."""
    if len(votes) < ACCOUNTS or 2 * len(votes) < accounts:
        return False
    said = [set(by_key.values()) for by_key in votes.values()]
    if unreachable:
        said = [left for hosts in said if (left := hosts.difference(unreachable))]
        if len(said) < ACCOUNTS or 2 * len(said) < accounts:
            return False
    reached = Counter([host for hosts in said for host in hosts if host])
    if not reached:
        return True
    top = {reached.most_common(1)[0][0]}
    return sum(hosts != top for hosts in said) >= 2


def _together(refused: Collection[Failing]) -> list[Failing]:
    """Return the largest group of failures that began within TOGETHER seconds."""
    ordered = sorted(refused, key=lambda each: each.since)
    best: list[Failing] = []
    start = 0
    for end, each in enumerate(ordered):
        while each.since - ordered[start].since > TOGETHER:
            start += 1
        if end - start + 1 > len(best):
            best = ordered[start : end + 1]
    return best


def _discard(sets: dict[str, set[TargetKey]], name: str, key: TargetKey) -> None:
    found = sets.get(name)
    if found is not None:
        found.discard(key)
        if not found:
            del sets[name]
