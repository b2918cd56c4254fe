"""Follows each wide root cause from its first failure until some minutes after its end. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from exporter.incidents.rootcause.cause import Cause
from exporter.model import Kind, Scope, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.outage import Outage
from exporter.model.servers import host_and_port
from exporter.model.spell import GAP
from exporter.model.target import agreed, common_label, domain_of_all

KEPT = 600.0  # seconds for which an outage is known after its end, so that alerts can tell when it was

FLAPPING = 120.0  # seconds for which one that has come back must stay away before its end is told

Thing = tuple[Scope, str]
"""What is out: (host, name), (provider, id), (domain, name), or (vantage, "")."""

OUR_NETWORK: Thing = (Scope.VANTAGE, "")

GoodLook = Callable[[Iterable[str]], float]
"""The Unix time of the last successful run of these targets; 0 if there is none."""


@dataclass(slots=True)
class _Known:
    start: float
    names: set[str] = field(default_factory=set)  # the targets that failed last
    end: float = 0.0
    gone: float = 0.0  # Unix time at which it was seen to be over; 0 while it lasts
    until: float = 0.0  # Unix time until which it is known after that
    returned: bool = False  # whether it has come back after an end

    def over(self, now: float, end: float) -> None:
        """Note its end, unless that is known. An end before the start is none: nobody saw its targets work again."""
        if not self.gone:
            self.gone, self.end, self.until = now, end, now + KEPT

    def is_over(self, now: float) -> bool:
        return bool(self.gone) and not (self.returned and now - self.gone < FLAPPING)


class Outages:
    """The outages that last, and those that ended a short time ago."""

    def __init__(self) -> None:
        self._named: dict[Thing, Outage] = {}
        self._known: dict[Thing, _Known] = {}

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration."""
        there: dict[Thing, list[Target]] = {}
        for target in config.targets:
            things = {(Scope.HOST, host_and_port(server)[0]) for server in target.servers}
            for thing in (*things, (Scope.PROVIDER, target.provider), (Scope.DOMAIN, target.domain)):
                there.setdefault(thing, []).append(target)
        self._named = {thing: _named(thing, targets, config.alert_labels) for thing, targets in there.items()}
        for thing, targets in there.items():
            if thing[0] is Scope.HOST:
                domain = agreed(target.domain for target in targets if target.kind is Kind.MAILBOX)
                of_domain = there.get((Scope.DOMAIN, domain), [])
                self._named[thing] = replace(self._named[thing], domain=domain_of_all(targets, of_domain))

    def look(self, causes: Iterable[Cause], good: GoodLook, now: float, offline: float = 0.0) -> Sequence[Outage]:
        """Return the outages, given the current causes. `now` is Unix time.

        `offline`: Unix time since which our own network is down, 0 if it works. Targets on this machine may work then.
        """
        present: dict[Thing, list[Cause]] = {}
        back: dict[Thing, float] = {}  # Unix time since which a server answers again
        for cause in causes:
            if cause.back:
                back[_thing(cause)] = cause.back
            elif cause.scope is not Scope.TARGET:
                present.setdefault(_thing(cause), []).append(cause)
        for thing, found in present.items():
            self._lasts(thing, min(cause.since for cause in found), {name for each in found for name in each.targets})
        if offline and OUR_NETWORK not in present:
            self._lasts(OUR_NETWORK, offline, set())
            present[OUR_NETWORK] = []
        for thing, known in list(self._known.items()):
            if thing in back:  # known until all of its targets have been looked at
                known.over(now, back[thing])
                known.until = now + KEPT
            elif thing not in present:
                # Our own network is found to work by its references, before any target has run again.
                known.over(now, now if thing[0] is Scope.VANTAGE else good(known.names))
                if not (known.start <= known.end and known.gone <= now < known.until):
                    del self._known[thing]
        return [self._outage(thing, known, over=known.is_over(now)) for thing, known in sorted(self._known.items())]

    def _lasts(self, thing: Thing, since: float, names: set[str]) -> None:
        known = self._known.get(thing)
        if known is None or (known.end and since - known.end >= GAP):
            known = self._known[thing] = _Known(since)
        known.start = min(known.start, since)
        known.returned |= bool(known.gone)
        known.end = known.gone = 0.0
        known.names = names

    def _outage(self, thing: Thing, known: _Known, *, over: bool) -> Outage:
        named = self._named.get(thing) or _named(thing, (), ())
        return Outage(
            named.scope,
            named.server,
            named.provider,
            named.domain,
            named.labels,
            targets=0 if over else len(known.names),
            start=known.start,
            end=known.end if over else 0.0,
        )


def _thing(cause: Cause) -> Thing:
    name = {Scope.HOST: cause.server, Scope.PROVIDER: cause.provider, Scope.DOMAIN: cause.domain}
    return cause.scope, name.get(cause.scope, "")


def _named(thing: Thing, targets: Sequence[Target], alert_labels: Iterable[str]) -> Outage:
    scope, name = thing
    common = ((label, common_label(targets, label)) for label in alert_labels)
    host = scope is Scope.HOST
    return Outage(
        scope,
        server=name if host else "",
        provider=name if scope is Scope.PROVIDER else agreed(target.provider for target in targets) if host else "",
        domain=name if scope is Scope.DOMAIN else "",
        labels=tuple((label, value) for label, value in common if value),
    )
