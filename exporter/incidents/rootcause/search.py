"""Finds the root causes of the current failures: one for each failing target, as wide as the evidence allows. No I/O.

Lower layers explain failures of higher layers, in this order: vantage, dns, transport, auth, capacity and delivery,
mailbox. The scope is `host` if the server's own tls probe or half of its mailboxes (at least two) cannot reach it. It
is `provider` or `domain` if half of its mailboxes (at least three) fail for reasons that do not concern a single
account, and not on one server only. Otherwise it is the target itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from exporter.config import presets
from exporter.incidents.rootcause.cause import Cause
from exporter.incidents.rootcause.failures import NOT_THE_ACCOUNTS, Failures, is_unreachable
from exporter.incidents.rootcause.holds import Holds, Key
from exporter.incidents.rootcause.topology import RANKS, TRANSPORT, VANTAGE, Failing, Topology, failing
from exporter.model import Kind, Outcome, ProbeName, Result, Scope, Target, TargetKey
from exporter.model.advice import shared
from exporter.model.reasons import Layer, Reason
from exporter.model.servers import host_and_port
from exporter.model.target import agreed

__all__ = ["Cause", "Findings", "Label", "Memory", "causes", "find"]

_POLICIES = frozenset({Reason.SPF_FAIL, Reason.DKIM_FAIL, Reason.DMARC_REJECT, Reason.MESSAGE_IN_JUNK})
_POLICY_FAULTS = frozenset(
    {Reason.RECORD_MISSING, Reason.RECORD_INVALID, Reason.RECORD_MULTIPLE, Reason.TOO_MANY_LOOKUPS}
)

Label = tuple[Layer, Reason, Scope, str]  # the last item is the server if the scope is a host, else ""
_Every = tuple[Failing, ...]  # the failures of one target
_Member = tuple[
    str, _Every, Failing
]  # target name, its failures, and the failure (its own or its server's) that explains them


@dataclass(frozen=True, slots=True)
class Findings:
    """The causes, widest scope first, and for each failing target the labels of its root cause."""

    causes: tuple[Cause, ...] = ()
    labels: Mapping[str, Label] = field(default_factory=dict)


def causes(results: Mapping[TargetKey, Result], targets: Iterable[Target]) -> tuple[Cause, ...]:
    """Return the causes found in one result per target and probe. A missing result counts as success."""
    evidence = Failures(Topology(targets))
    for result in results.values():
        each = failing(result)
        if each is not None:
            evidence.put(each)
    looked = {key: result.started for key, result in results.items() if result.outcome is not Outcome.INCONCLUSIVE}
    return tuple(aged(cause, evidence.topology, looked) for cause in find(evidence).causes)


def aged(cause: Cause, topology: Topology, looked: Mapping[TargetKey, float]) -> Cause:
    """Return the cause with the numbers of mailboxes that were, and were not, looked at since it began.

    `looked`: Unix time of the last run with a verdict. A mailbox that worked before the fault began says nothing
    about it.
    """
    what, _, thing = cause.key.partition(":")
    boxes = topology.boxes.get(what, {}).get(thing)
    if not boxes:
        return cause
    failing = set(cause.targets)
    since = sum(
        [name in failing or any(looked.get(key, 0.0) >= cause.since for key in keys) for name, keys in boxes.items()]
    )
    known = max(since, cause.mailboxes)
    return replace(cause, of=known, unseen=max(0, len(boxes) - known))


def overtaken(causes: Iterable[Cause], topology: Topology, looked: Mapping[TargetKey, float]) -> dict[TargetKey, float]:
    """Return the looks at mailboxes that are older than a fault of their server, provider or domain.

    What worked then may have failed since. `looked`: Unix time of the last run with a verdict.
    """
    found: dict[TargetKey, float] = {}
    for cause in causes:
        what, _, thing = cause.key.partition(":")
        if not cause.inconclusive:
            for keys in topology.boxes.get(what, {}).get(thing, {}).values():
                found |= {key: looked[key] for key in keys if 0.0 < looked.get(key, 0.0) < cause.since}
    return found


@dataclass(slots=True)
class Memory:
    """The result of the last search. The next search computes only what has changed since."""

    holds: Holds = field(default_factory=Holds)
    began: dict[str, float] = field(default_factory=dict)  # key of a wide cause → Unix time of its first failure
    decided: object = None  # the failed domains, servers and providers of the last search
    placed: dict[str, tuple[_Every, Failing, str]] = field(default_factory=dict)
    told: dict[str, tuple[list[_Member], Cause, dict[str, Label]]] = field(default_factory=dict)


def find(evidence: Failures, memory: Memory | None = None, now: float = 0.0) -> Findings:
    """Return the causes of all current failures. `now` is Unix time."""
    return _Search(evidence, memory or Memory(), now).findings()


class _Search:
    def __init__(self, evidence: Failures, memory: Memory, now: float) -> None:
        self._evidence = evidence
        self._memory = memory
        self._topology = topology = evidence.topology
        self._found = evidence.found
        self._by_name = evidence.by_name
        self._dead_zones = evidence.dead_zones()
        self._dead_servers = evidence.dead_servers()
        hosts = topology.hosts_in(self._dead_zones) if self._dead_zones else ()
        self._providers = {
            provider
            for provider, domains in evidence.provider_outages(hosts)
            if len(domains) >= 2 or any(map(presets.is_free_mail, domains))
        }
        self._domains = {name for name in evidence.domain_outages(hosts) if not presets.is_free_mail(name)}
        self._refused = {each.target.name for every in evidence.refused_together().values() for each in every}
        self._holds = memory.holds
        self._holds.look(self._present(), now)
        self._groups: dict[str, list[_Member]] = {}
        self._group_of: dict[str, str] = {}

    def _present(self) -> set[Key]:
        keys = {("dns", zone) for zone in self._dead_zones} | {("server", server) for server in self._dead_servers}
        return keys | {("provider", each) for each in self._providers} | {("domain", each) for each in self._domains}

    def findings(self) -> Findings:
        servers = {server: (each.since, each.reason) for server, each in self._dead_servers.items()}
        ended = dict(self._holds.ended)
        decided = (self._dead_zones, servers, self._providers, self._domains, self._refused, ended)
        before = self._memory.placed if decided == self._memory.decided else {}
        placed: dict[str, tuple[_Every, Failing, str]] = {}
        routes = []
        for name, every in self._by_name.items():
            known = before.get(name)
            if known is None or known[0] is not every:
                if every[0].target.kind is Kind.ROUTE:
                    routes.append((name, every))
                    continue
                root = self._root(every)
                known = every, root, self._place(root)
            placed[name] = known
            self._join(known[2], (name, every, known[1]))
        for name, every in routes:
            key, each = self._route(name, every[0])
            self._join(key, (name, every, each))
        self._memory.decided, self._memory.placed = decided, placed
        told: dict[str, tuple[list[_Member], Cause, dict[str, Label]]] = {}
        labels: dict[str, Label] = {}
        for key, members in self._groups.items():
            same = self._memory.told.get(key)
            told[key] = same if same is not None and same[0] == members else (members, *self._tell(key, members))
            labels.update(told[key][2])
        self._memory.told = told
        self._memory.began = {key: each[1].since for key, each in told.items() if each[1].scope is not Scope.TARGET}
        self._holds.keep({key for key in ended if self._group_key(key) in self._groups})
        causes = sorted((each[1] for each in told.values()), key=_order)
        return Findings(tuple(causes), labels)

    def _join(self, key: str, member: _Member) -> None:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = []
        group.append(member)
        self._group_of[member[0]] = key

    def _root(self, every: Sequence[Failing]) -> Failing:
        """Return the failure that explains all failures of one target: its own, or one of its servers."""
        best = every[0]
        if len(every) == 1 and best.rank <= TRANSPORT:
            return best
        for each in every:
            if each is not best and self._order(each) < self._order(best):
                best = each
            below = self._evidence.endpoint(each.server) if each.rank > TRANSPORT else None
            # The server's own failure, if it began after the last run of this probe in which the server worked.
            if below is not None and below.since > each.started and self._order(below) < self._order(best):
                best = below
        return best

    def _order(self, each: Failing) -> tuple[int, bool, float]:
        return each.rank, not self._is_down(each), each.since

    def _is_down(self, each: Failing) -> bool:
        return each.server in self._dead_servers or self._holds.holds(("server", each.server), each)

    def _zone_of(self, each: Failing) -> str:
        """Return the monitored domain whose failing DNS prevents the lookup of the server; "" if there is none."""
        if not each.lookup or not each.server:
            return ""
        zone = self._topology.zone(each.host)
        return zone if zone and (zone in self._dead_zones or self._holds.holds(("dns", zone), each)) else ""

    def _group_key(self, held: Key) -> str:
        kind, name = held
        return f"host:{host_and_port(name)[0]}" if kind == "server" else f"{kind}:{name}"

    # -- from a failure to its cause ----------------------------------------------------------------------------

    def _place(self, each: Failing) -> str:
        """Return the key of the failure's cause."""
        target = each.target
        if each.rank == VANTAGE:
            return self._ours(each)
        if target.kind is Kind.DOMAIN:
            return f"dns:{target.domain}" if each.lookup else f"target:{target.name}"
        if zone := self._zone_of(each):
            return f"dns:{zone}"
        unreached = is_unreachable(each)
        if unreached or each.reason in NOT_THE_ACCOUNTS or target.name in self._refused:
            if target.provider in self._providers or self._holds.holds(("provider", target.provider), each):
                return f"provider:{target.provider}"
            if target.domain in self._domains or self._holds.holds(("domain", target.domain), each):
                return f"domain:{target.domain}"
        if unreached and self._is_down(each) and each.host in self._topology.boxes["host"]:
            return f"host:{each.host}"
        return f"target:{target.name}"

    def _ours(self, each: Failing) -> str:
        if each.reason is not Reason.PORT_BLOCKED:
            return f"vantage:{each.reason}"
        keys = [f"vantage:{each.reason}:{server.rpartition(':')[2]}" for server in each.target.servers]
        return next((key for key in keys if key in self._groups), keys[0] if keys else f"vantage:{each.reason}")

    def _route(self, name: str, own: Failing) -> tuple[str, Failing]:
        """Return the key of a route's cause: a failure of its mailboxes or domains if that can explain it."""
        sender, receiver = own.target.route or ("", "")
        if own.rank == VANTAGE:
            return self._place(own), own
        known: list[Failing | None] = [
            self._found.get((sender, ProbeName.SMTP)),
            self._found.get((receiver, ProbeName.IMAP)),
        ]
        known += [self._dead_servers.get(server) for server in own.target.servers]
        below = [
            each
            for each in known
            if each is not None
            and VANTAGE < each.rank <= own.rank
            and (each.rank == own.rank or each.since > own.started)
        ]
        for each in sorted(below, key=lambda each: (each.rank, each.since)):
            key = self._place(each)
            if not key.startswith("target:") or self._group_of.get(each.target.name) == key:
                return key, each
        if own.layer is Layer.DELIVERY:
            for end, mends in ((receiver, _is_bad_mx), (sender, _is_bad_policy)):
                watched = self._topology.domains.get(self._topology.domain_of.get(end, ""), "")
                record = self._found.get((watched, ProbeName.DNS))
                if record is not None and mends(record, own) and watched in self._group_of:
                    return self._group_of[watched], record
        return f"target:{name}", own

    # -- from a group of failures to a Cause --------------------------------------------------------------------

    def _tell(self, key: str, members: list[_Member]) -> tuple[Cause, dict[str, Label]]:
        what, _, thing = key.partition(":")
        if len(members) > 1:
            members = sorted(members, key=_standing)
        names = tuple([name for name, _, _ in members])
        targets = [every[0].target for _, every, _ in members]
        layer, reason = _most([each for _, _, each in members])
        first = min((each for _, _, each in members if each.layer is layer), key=lambda each: each.since)
        alone = what == "dns" and len(names) == 1 and targets[0].kind is Kind.DOMAIN
        scope = Scope.TARGET if alone else _SCOPES[what]
        roots = {first.target.probe} if scope is Scope.TARGET else {each.target.probe for _, _, each in members}
        also = {each.target.probe for _, every, _ in members for each in every} - roots
        mailboxes = sum([target.kind is Kind.MAILBOX for target in targets])
        cause = Cause(
            key=key,
            scope=scope,
            layer=layer,
            reason=reason,
            targets=names,
            server=first.host if what in ("host", "target") else "",
            provider=thing if what == "provider" else agreed({target.provider for target in targets}),
            domain=thing if what in ("domain", "dns") else agreed({target.domain for target in targets}),
            since=min([self._memory.began.get(key, inf), *(each.since for _, _, each in members)]),
            text=first.text,
            advice=shared(each.advice for _, _, each in members if each.layer is layer),
            subject=_subject(what, thing),
            mailboxes=mailboxes,
            of=mailboxes,
            also=tuple([probe for probe in ProbeName if probe in also]) if also else (),
            inconclusive=first.inconclusive,
        )
        host = thing if what == "host" else ""
        return cause, {
            name: (layer, each.reason if each.layer is layer else reason, scope, host) for name, _, each in members
        }


_SCOPES = {
    "vantage": Scope.VANTAGE,
    "provider": Scope.PROVIDER,
    "domain": Scope.DOMAIN,
    "dns": Scope.DOMAIN,
    "host": Scope.HOST,
    "target": Scope.TARGET,
}
_WIDTH = {
    scope: width for width, scope in enumerate((Scope.VANTAGE, Scope.PROVIDER, Scope.DOMAIN, Scope.HOST, Scope.TARGET))
}
_FIRST = {Kind.DOMAIN: 0, Kind.MAILBOX: 1, Kind.ENDPOINT: 2, Kind.ROUTE: 3}


def _order(cause: Cause) -> tuple[int, int, str]:
    """Sort key of a cause: the widest scope first."""
    return _WIDTH[cause.scope], -len(cause.targets), cause.key


def _standing(member: _Member) -> tuple[int, str]:
    """Sort key of a member: a fixed order, in which a cause comes before its symptoms."""
    return _FIRST[member[1][0].target.kind], member[0]


def _most(failures: Sequence[Failing]) -> tuple[Layer, Reason]:
    """Return the most frequent layer (the lowest if several are equal), and the most frequent reason at it."""
    if len(failures) == 1:
        return failures[0].layer, failures[0].reason
    counts = Counter([(each.layer, each.reason) for each in failures])
    layers: Counter[Layer] = Counter()
    for (layer, _), count in counts.items():
        layers[layer] += count
    most = min(layers, key=lambda layer: (-layers[layer], RANKS[layer]))
    return max((pair for pair in counts if pair[0] is most), key=lambda pair: (counts[pair], pair[1]))


def _subject(what: str, thing: str) -> str:
    """Return the name of what fails, for display."""
    if what == "provider" and thing in presets.presets():
        return presets.presets()[thing].name
    return thing.partition(":")[2] if what == "vantage" else thing


def _is_bad_mx(record: Failing, own: Failing) -> bool:
    """Return whether the MX of the receiving domain explains the failure of the route."""
    return record.bad_mx and own.reason not in _POLICIES


def _is_bad_policy(record: Failing, own: Failing) -> bool:
    """Return whether the policies of the sending domain explain the failure of the route."""
    return record.reason in _POLICY_FAULTS and own.reason in _POLICIES
