"""The labels of the alerts that mailprobe pushes itself, made with the code of the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from exporter.incidents.alert_labels import labels_of
from exporter.incidents.rootcause.cause import Cause
from exporter.model import FactName, Result, Scope, Target
from exporter.model.phrases import texts
from exporter.model.reasons import Layer, Reason, about
from tests.alertmanager.shipped import Labels
from tests.results import IMAP_SERVER, domain, fact, failed, mailbox, route, server

ENDPOINT = replace(server(), servers=(IMAP_SERVER.name,))
BOXES = [mailbox(f"box{number}", provider="acme") for number in range(3)]
OWN = [mailbox(f"box{number}", provider="", domain="") for number in range(3)]


def _cause(target: Target, reason: Reason, scope: Scope = Scope.TARGET, **changes: object) -> Cause:
    cause = Cause(f"{scope}:{target.name}", scope, about(reason).layer, reason, (target.name,))
    return replace(cause, **changes)  # type: ignore[arg-type]  # what a cause names further


def pushed() -> Iterator[Labels]:
    """Return one alert for every reason on every kind of target, and for every scope on every layer."""
    for target in (mailbox(provider="acme"), replace(route(), provider="acme"), replace(ENDPOINT, provider="acme")):
        for reason in Reason:
            own = reason in (Reason.CONFIG, Reason.LOCAL_ERROR)
            yield from _labels(_cause(target, reason, inconclusive=own), [target], [failed(target, reason)])
    zone = domain()
    for records in (((0, "mx"),), ((1, "mx"),), ()):
        facts = [fact(FactName.DNS_LOOKUP, value, record) for value, record in records]
        for policy in ("mx", "spf"):
            more = [fact(FactName.DNS_POLICY_VALID, 0, policy)]
            result = failed(zone, Reason.RECORD_MISSING, facts=(*facts, *more))
            yield from _labels(_cause(zone, Reason.RECORD_MISSING), [zone], [result])
    reasons = {layer: next(each for each in Reason if about(each).layer is layer) for layer in Layer}
    for reason in reasons.values():
        for scope, changes in (
            (Scope.HOST, {"server": "mail.example.com"}),
            (Scope.HOST, {"server": "mail.example.com", "domain": "example.com"}),
            (Scope.PROVIDER, {"provider": "acme"}),
            (Scope.DOMAIN, {"domain": "example.com"}),
        ):
            for targets in (BOXES, OWN):
                yield from _labels(_cause(targets[0], reason, scope, **changes), targets, [])
    for reason in (each for each in Reason if about(each).layer is Layer.VANTAGE):
        yield from _labels(_cause(BOXES[0], reason, Scope.VANTAGE, inconclusive=True), BOXES, [])


def _labels(cause: Cause, targets: list[Target], results: list[Result]) -> Iterator[Labels]:
    yield dict(labels_of(cause, targets, results))


NAMES = frozenset(texts("en")["alerts"])
"""All alerts that the daemon can push, except for the Watchdog."""
