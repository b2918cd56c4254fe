"""Chooses alert name and labels of an incident, the same as in the shipped Prometheus rules, routes and inhibitions.

The labels are set when the incident opens and never change, because they are its identity in Alertmanager. The reason
is not a label, because it may change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from exporter.incidents.rootcause.cause import Cause
from exporter.model import Endpoint, FactName, Kind, Labels, Result, Scope, Target
from exporter.model.reasons import Layer, Reason
from exporter.model.target import agreed, common_label

JOB = "mailprobe"


class Name(NamedTuple):
    """The name of an alert, with the severity and layer that belong to it."""

    alert: str
    severity: str
    layer: str


_CERTIFICATE = frozenset(
    {Reason.CERTIFICATE_NOT_YET_VALID, Reason.CERTIFICATE_NAME_MISMATCH, Reason.CERTIFICATE_UNTRUSTED}
)
_THROTTLED = frozenset({Reason.RATE_LIMITED, Reason.SENDING_LIMIT_REACHED, Reason.GREYLISTED})
_QUOTA: Mapping[Reason, str] = {Reason.MAILBOX_OVER_QUOTA: "critical", Reason.MAILBOX_NEAR_QUOTA: "warning"}
_DELIVERY: Mapping[Reason, tuple[str, str]] = {
    Reason.MESSAGE_LATE: ("MailRoundTripOverdue", "critical"),
    Reason.MESSAGE_LOST: ("MailRoundTripLost", "critical"),
    Reason.BOUNCED: ("MailRoundTripLost", "critical"),
    Reason.MESSAGE_IN_JUNK: ("MailRoundTripMisfiled", "warning"),
    Reason.MESSAGE_ALTERED: ("MailRoundTripAltered", "warning"),
    Reason.MESSAGE_DUPLICATED: ("MailRoundTripDuplicated", "warning"),
}
_WIDE = {Scope.HOST: "MailHostOutage", Scope.PROVIDER: "MailProviderOutage", Scope.DOMAIN: "MailDomainOutage"}


def labels_of(
    cause: Cause, targets: Sequence[Target], results: Sequence[Result], alert_labels: Iterable[str] = ()
) -> Labels:
    """Return the labels of the alert about a cause.

    `targets` are the targets that it can affect, `results` their failed runs. For a host, `cause.domain` is the domain:
    `Incidents` knows whether it has mailboxes elsewhere.
    """
    first = next(iter(targets), None)
    domains = () if cause.scope is Scope.HOST else (target.domain for target in targets if target.domain)
    name = name_of(cause, first, results)
    found = {
        "alertname": name.alert,
        "severity": name.severity,
        "layer": name.layer,
        "job": JOB,
        "provider": cause.provider or agreed(target.provider for target in targets if target.provider),
        "domain": cause.domain or agreed(domains),
        **_thing(cause, first),
    }
    for label in alert_labels:
        found.setdefault(label, common_label(targets, label))
    return tuple(sorted((label, value) for label, value in found.items() if value))


def name_of(cause: Cause, first: Target | None, results: Sequence[Result]) -> Name:
    """Return the alert's name, chosen by scope, then by kind of target, layer and reason."""
    if cause.inconclusive and cause.layer is not Layer.VANTAGE:
        return Name("MailprobeInconclusive", "warning", "exporter")
    if cause.layer is Layer.VANTAGE:
        if cause.reason is Reason.VANTAGE_OFFLINE:
            return Name("MailprobeAllVantagesOffline", "critical", "vantage")
        return Name(
            "MailprobeVantageOffline", "warning", "vantage"
        )  # only a part is offline: must not inhibit other alerts
    if cause.scope is Scope.DOMAIN and cause.layer is Layer.DNS:
        return _domain(results)
    if cause.scope in _WIDE:
        layer = Layer.TRANSPORT if cause.layer is Layer.EXPORTER else cause.layer
        return Name(_WIDE[cause.scope], "critical", layer)
    kind = first.kind if first is not None else Kind.MAILBOX
    if kind is Kind.ENDPOINT:
        return _endpoint(cause.reason)
    if kind is Kind.DOMAIN:
        return _domain(results)
    if cause.reason in _THROTTLED:
        return Name("MailSubmissionThrottled", "warning", "delivery")
    if kind is Kind.ROUTE:
        return Name(*_DELIVERY.get(cause.reason, ("MailRoundTripStopped", "warning")), "delivery")
    if cause.reason in _QUOTA:
        return Name("MailQuotaAlmostFull", _QUOTA[cause.reason], "capacity")
    return Name("MailLoginRejected" if cause.layer is Layer.AUTH else "MailLoginFailing", "critical", "auth")


def _endpoint(reason: Reason) -> Name:
    if reason is Reason.CERTIFICATE_EXPIRED:
        return Name("MailCertificateExpired", "critical", "transport")
    return Name("MailCertificateInvalid" if reason in _CERTIFICATE else "MailEndpointDown", "critical", "transport")


def _domain(results: Sequence[Result]) -> Name:
    """Return the alert of a domain: no DNS answer, no usable MX, or an invalid policy."""
    if any(result.fact(FactName.DNS_LOOKUP, each) == 0 for result in results for each in ("mx", "a")):
        return Name("MailDNSFailing", "critical", "dns")
    if any(result.fact(FactName.DNS_POLICY_VALID, "mx") == 0 for result in results):
        return Name("MailDNSRecordMissing", "critical", "dns")
    if all(result.fact(FactName.DNS_LOOKUP, "mx") is None for result in results):
        return Name("MailDNSFailing", "critical", "dns")  # the run failed before there was an answer
    return Name("MailDNSPolicyInvalid", "warning", "dns")


def _thing(cause: Cause, first: Target | None) -> dict[str, str]:
    """Return the labels that identify the affected object."""
    if cause.scope is Scope.HOST:
        return {"server": cause.server}
    if cause.scope is not Scope.TARGET or first is None:
        return {}
    found = {"target": first.name, "kind": str(first.kind)}
    if first.kind is Kind.MAILBOX:
        found["mailbox"] = first.name
    elif first.kind is Kind.ROUTE and first.route:
        found |= {"mailbox": first.route[0], "from": first.route[0], "to": first.route[1]}
    elif first.kind is Kind.ENDPOINT:
        endpoint = getattr(first.settings, "endpoint", None)
        if isinstance(endpoint, Endpoint):
            found |= {"protocol": endpoint.protocol, "server": endpoint.host, "port": str(endpoint.port)}
    return found
