"""Decides when a root cause opens an incident and when the incident ends. No I/O.

An incident is identified by scope, object and layer. The reason may change without a new incident. It opens when a
target has failed `open_after` runs in a row. It ends when its cause is gone, every target of it has run again, and
`resolve_after` of these runs succeeded. One that comes back within GAP seconds keeps its beginning and ends only after
GAP seconds without a failure. Only conclusive runs count: a restart or an inconclusive run neither opens nor ends an
incident, except for incidents about being inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from exporter.incidents.incident import Changes, Incident, Member
from exporter.incidents.rootcause.cause import Cause, sentence
from exporter.incidents.streaks import Streak, Streaks
from exporter.model import Kind, Labels, Outcome, Result, Scope, Target, TargetKey
from exporter.model.effective import EffectiveConfig, IntervalOf
from exporter.model.reasons import Layer, Reason, about
from exporter.model.servers import host_and_port
from exporter.model.settings import IncidentSettings
from exporter.model.spell import GAP
from exporter.model.standing import Standing
from exporter.model.target import domain_of_all

KEPT = 900.0  # seconds for which a resolved incident is kept, so that each Alertmanager receives its end
LONGEST_HOLD = 90.0  # the longest time in seconds that an incident of one target waits for a wider cause
HOLD = 1.5  # intervals of the tls probes that it waits: time for one run to finish
MAX_TEXT = 2048

# Lower layers come first. A failure at one layer proves that the layers before it work.
_RANK: Mapping[Layer, int] = {
    Layer.VANTAGE: 0,
    Layer.DNS: 1,
    Layer.TRANSPORT: 2,
    Layer.AUTH: 3,
    Layer.CAPACITY: 4,
    Layer.DELIVERY: 4,
    Layer.MAILBOX: 5,
}

LabelsOf = Callable[[Cause, Sequence[Target], Sequence[Result]], Labels]


class Incidents:
    """Sink of results. Opens and resolves incidents. Does no I/O; the caller passes the time."""

    def __init__(self, labels_of: LabelsOf, known: Iterable[Incident] = ()) -> None:
        self._settings = IncidentSettings()
        self._interval_of: IntervalOf = EffectiveConfig().interval
        self._labels_of = labels_of
        self._hold = 0.0  # seconds
        self._incidents = {incident.key: incident for incident in known}
        self._touched: dict[TargetKey, set[str]] = {}  # keys of the open incidents that contain this member
        for incident in self._incidents.values():
            if incident.open:
                self._index(incident)
        self._failing = Streaks()  # streaks of conclusive failures
        self._unable = Streaks()  # streaks of inconclusive runs
        self._targets: dict[str, list[Target]] = {}
        self._seen: dict[str, int] = {}  # keys of causes without an incident → number of results before they appeared
        self._looked: set[str] = set()  # names of targets with a result since the last tick
        self._held: set[str] = set()  # keys of causes whose incident waits, or is covered by another one
        self._causes: Iterable[Cause] | None = None  # the argument of the last tick
        self._seq = 0  # number of results
        self._before = 0  # number of results at the last tick
        self._lost: set[str] = set()  # keys of incidents that lost members through a reload

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. An incident whose targets were all removed is resolved at the next tick."""
        self._settings, self._interval_of = config.incidents, config.interval
        self._targets = {}
        for target in config.targets:
            self._targets.setdefault(target.name, []).append(target)
        intervals = [config.interval(target) for target in config.targets if target.kind is Kind.ENDPOINT]
        self._hold = min(LONGEST_HOLD, HOLD * max(intervals, default=0.0))
        keys = config.keys
        for key in self._touched.keys() - keys:
            for found in self._touched.pop(key):
                self._incidents[found].members.pop(key, None)
                self._lost.add(found)
        self._failing.keep(keys)
        self._unable.keep(keys)

    def restore(self, standings: Mapping[TargetKey, Standing]) -> None:
        """Take over since when the targets failed before a restart. Call it before the first result."""
        lasting = {key: each for key, each in standings.items() if each.failing and each.first}
        self._failing.restore({key: (about(Reason(each.reason)).layer, each.first) for key, each in lasting.items()})

    def all(self) -> tuple[Incident, ...]:
        """Return the open incidents, latest first, then the recently resolved ones."""
        return tuple(sorted(self._incidents.values(), key=lambda each: (not each.open, -each.opened, each.key)))

    def record(self, result: Result) -> None:
        """Record a result."""
        self._seq += 1
        self._looked.add(result.target.name)
        key, layer = result.target.key, _layer(result)
        if result.outcome is Outcome.INCONCLUSIVE:
            self._unable.add(result, layer, self._seq)
        else:
            self._failing.add(result, layer, self._seq)
            self._unable.add(result, None, self._seq)
        for found in self._touched.get(key, ()):
            incident = self._incidents[found]
            member = incident.members[key]
            good = _good(result.outcome, layer, member)
            if good is not None:
                if not good:
                    member.good_at = 0.0
                elif not member.good_at:
                    member.good_at = result.started
                member.good, member.seq = good, self._seq
                incident.good_looks = incident.good_looks + 1 if good else 0

    # -- tick ---------------------------------------------------------------------------------------------------

    def tick(self, causes: Iterable[Cause], now: float) -> Changes:
        """Compare the current causes with the known incidents and return the changes. `now` is Unix time."""
        if causes is self._causes and not (self._looked or self._held or self._lost):
            return Changes(forgotten=self._forget(now))
        self._causes = causes
        opened, changed = [], []
        present: set[str] = set()
        for cause in causes:
            key = identity(cause)
            present.add(key)
            looked = not self._looked.isdisjoint(cause.targets)
            incident = self._incidents.get(key)
            if incident is not None and incident.open:
                if self._update(incident, cause, looked=looked):
                    changed.append(incident)
            elif looked or key not in self._seen or key in self._held:
                made = self._maybe_open(key, cause, now)
                if made is not None:
                    opened.append(made)
        resolved = [each for each in self._incidents.values() if each.open and self._is_over(each, present, now)]
        for incident in resolved:
            incident.resolved = max(now, incident.opened)
            incident.ended = _end(incident)
            incident.version += 1
            self._unindex(incident)
        for found in self._lost:
            left = self._incidents.get(found)
            if left is not None and left.open and left not in changed:
                changed.append(left)
        self._lost.clear()
        for key in self._seen.keys() - present:
            del self._seen[key]
        self._held &= present
        self._looked.clear()
        self._before = self._seq
        return Changes(tuple(opened), tuple(resolved), tuple(changed), self._forget(now))

    def _forget(self, now: float) -> tuple[str, ...]:
        over = [each for each in self._incidents.values() if not each.open and not 0 <= now - each.resolved < KEPT]
        for incident in over:
            del self._incidents[incident.key]
        return tuple(incident.key for incident in over)

    def _update(self, incident: Incident, cause: Cause, *, looked: bool) -> bool:
        """Update an open incident whose cause is present. Return whether a change must be saved."""
        gone, incident.absent_since, incident.good_looks = incident.absent_since, None, 0
        if not looked and gone is None and cause == incident.cause:
            return False
        before = (incident.reason, incident.targets, len(incident.members))
        if self._join(incident, self._members_of(cause)):
            incident.confirmed = True
            incident.version += 1
            unseen = {name for (name, _), member in incident.members.items() if member.good is None}
            unseen.difference_update(cause.targets)
            still = tuple(name for name in incident.targets if name in unseen)
            incident.targets = (*cause.targets, *still) if still else cause.targets
            if cause != incident.cause:
                incident.reason, incident.advice = cause.reason, cause.advice
                incident.text, incident.told = cause.text[:MAX_TEXT], _told(cause)
                incident.cause = cause
        return before != (incident.reason, incident.targets, len(incident.members))

    def _join(self, incident: Incident, members: Mapping[TargetKey, Streak]) -> bool:
        """Add or update the members. Return whether there are any."""
        for key, look in members.items():
            member = incident.members.get(key)
            if member is None:
                incident.members[key] = Member(look.layer, look.conclusive, good=False, seq=look.seq)
                self._touched.setdefault(key, set()).add(incident.key)
                incident.interval = max([incident.interval, *map(self._interval_of, self._targets_of(key))])
            else:
                member.layer, member.conclusive, member.good, member.seq = look.layer, look.conclusive, False, look.seq
                member.good_at = 0.0
        return bool(members)

    def _maybe_open(self, key: str, cause: Cause, now: float) -> Incident | None:
        members = self._members_of(cause)
        seen = self._seen.setdefault(key, self._before)
        if not members or max(look.streak for look in members.values()) < self._settings.open_after:
            return None
        if all(look.seq <= seen for look in members.values()):
            return None  # the rest of a wider cause, without a new result
        if self._is_covered(members, cause.layer) or not self._has_waited(cause, members, now):
            self._held.add(key)
            return None
        self._held.discard(key)
        since = min(look.began for look in members.values())
        before = self._incidents.get(key)
        returned = before is not None and 0.0 <= since - (before.ended or before.resolved) < GAP
        if before is not None and returned:
            since = before.since
        targets = self._there(cause)
        incident = Incident(
            key=key,
            scope=cause.scope,
            layer=cause.layer,
            reason=cause.reason,
            text=cause.text[:MAX_TEXT],
            advice=cause.advice,
            told=_told(cause),
            server=cause.server,
            provider=cause.provider,
            domain=cause.domain,
            targets=cause.targets,
            labels=self._labels_of(self._named(cause, targets), targets, [look.result for look in members.values()]),
            since=min(since, now),
            opened=now,
            interval=0.0,
            returned=returned,
            cause=cause,
        )
        self._incidents[key] = incident
        self._join(incident, members)
        del self._seen[key]
        return incident

    def _is_covered(self, members: Mapping[TargetKey, Streak], layer: Layer) -> bool:
        """Return whether an open incident of the same layer already contains all of these members."""
        found: set[str] | None = None
        for key in members:
            here = self._touched.get(key, set())
            found = set(here) if found is None else found & here
            if not found:
                return False
        return any(self._incidents[each].layer is layer for each in found or ())

    def _has_waited(self, cause: Cause, members: Mapping[TargetKey, Streak], now: float) -> bool:
        """Return whether the incident may open. One of a single target waits, in case a wider cause appears."""
        waited = now - min(look.began for look in members.values())
        return cause.scope is not Scope.TARGET or not 0 <= waited < self._hold

    def _is_over(self, incident: Incident, present: AbstractSet[str], now: float) -> bool:
        members = incident.members
        if not members:
            return True
        if incident.key in present:
            return False
        if incident.absent_since is None:
            incident.absent_since = self._before
        if incident.good_looks < self._settings.resolve_after:
            return False
        if incident.returned and now - max(member.good_at for member in members.values()) < GAP:
            return False
        # A member that still fails belongs to another cause now, if it has a result since this cause disappeared.
        absent = incident.absent_since
        if not all(member.good or (member.good is False and member.seq > absent) for member in members.values()):
            return False
        # If a member fails in another way now, stay open until that failure is an incident, too.
        failing = (key for key in members if incident.scope is Scope.TARGET and self._failing.has(key))
        return all(any(each in present for each in self._touched[key]) for key in failing)

    # -- members of incidents -----------------------------------------------------------------------------------

    def _members_of(self, cause: Cause) -> dict[TargetKey, Streak]:
        """Return the failing probes of the cause's targets at its layer; if there are none, those at any layer."""
        failing = self._failing.of(cause.targets)
        if cause.inconclusive or cause.layer is Layer.VANTAGE:
            failing = self._unable.of(cause.targets) or failing
        return {key: look for key, look in failing.items() if look.layer is cause.layer} or failing

    def _named(self, cause: Cause, there: Sequence[Target]) -> Cause:
        """Return the cause with a domain only if that says nothing about mailboxes elsewhere."""
        if cause.scope is not Scope.HOST:
            return cause
        every = (target for targets in self._targets.values() for target in targets)
        return replace(cause, domain=domain_of_all(there, every))

    def _there(self, cause: Cause) -> list[Target]:
        """Return the targets of a cause; of a wider one all that it can affect, whichever have failed until now."""
        every = [target for targets in self._targets.values() for target in targets]
        match cause.scope:
            case Scope.HOST:
                return [each for each in every if cause.server in {host_and_port(one)[0] for one in each.servers}]
            case Scope.PROVIDER:
                return [each for each in every if each.provider == cause.provider]
            case Scope.DOMAIN:
                return [each for each in every if each.domain == cause.domain]
            case _:
                return [target for name in cause.targets for target in self._targets.get(name, ())]

    def _targets_of(self, key: TargetKey) -> Iterable[Target]:
        return (target for target in self._targets.get(key[0], ()) if target.probe is key[1])

    def _index(self, incident: Incident) -> None:
        for key in incident.members:
            self._touched.setdefault(key, set()).add(incident.key)

    def _unindex(self, incident: Incident) -> None:
        for key in incident.members:
            found = self._touched.get(key, set())
            found.discard(incident.key)
            if not found:
                self._touched.pop(key, None)


def identity(cause: Cause) -> str:
    """Return the key of the incident for a cause: scope, affected object and layer."""
    return f"{cause.key}:{cause.layer}"


def _end(incident: Incident) -> float:
    """Return when the last member was found to work; 0 if one of them was not, or fails for another reason now."""
    ends = [member.good_at for member in incident.members.values()]
    return max(ends) if ends and all(incident.since <= end for end in ends) else 0.0


def _told(cause: Cause) -> tuple[str, str]:
    return sentence(cause, "en"), sentence(cause, "zh")


def _layer(result: Result) -> Layer | None:
    """Return the layer at which the run failed; None if it succeeded."""
    if result.outcome is Outcome.OK:
        return None
    return about(result.failure.reason).layer if result.failure else Layer.EXPORTER


def _good(outcome: Outcome, layer: Layer | None, member: Member) -> bool | None:
    """Return whether a result shows that the fault of a member is gone; None if it does not tell."""
    if outcome is Outcome.INCONCLUSIVE:
        return None if member.conclusive or layer is not member.layer else False
    if not member.conclusive:
        return True
    if layer is None or layer is member.layer:
        return layer is None
    if layer in _RANK and member.layer in _RANK and _RANK[layer] > _RANK[member.layer]:
        return True
    return None
