"""The panels that several dashboards share: current failures, since when, why, and what to do.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana.generator.marks import ANY_IS_BAD, LAYERS, NEVER, PHASES, PROBES, REMEDIES, SCOPES, STATE, STATES
from grafana.generator.promql import OWNER, once_failed, series, verdict
from grafana.generator.spec import Column, Goal, Query, Table, Timeline

_LOGIN_ALERTS = ("MailLoginFailing", "MailLoginRejected")
_OUTAGES = ("MailHostOutage", "MailDomainOutage", "MailProviderOutage")
DELIVERY_ALERTS = ("MailRoundTripOverdue", "MailRoundTripLost", "MailRoundTripMisfiled")
_WHO = "job, target, kind, provider, domain, probe, phase, layer, reason, remedy"
# The server, domain or provider of a cause; for a single target its provider, or else its domain.
_WHAT = (  # patterns of scope;server;domain;provider
    "host;([^;]*).*",
    "domain;[^;]*;([^;]*).*",
    "(?:provider|target);[^;]*;[^;]*;(.+)",
    "target;[^;]*;([^;]*);",
)


def _remedied(expr: str) -> str:
    """Add a copy of the label `reason` with another name: the table shows the remedy in that column."""
    return f'label_replace({expr}, "remedy", "$1", "reason", "(.+)")'


def _causes() -> tuple[str, str]:
    """Return how many targets each cause has, and the earliest last success among those that fail now."""
    target = "job, target, scope, layer, reason, what, remedy"
    key = '"what_key", ";", "scope", "server", "domain", "provider"'
    told = f"label_join({_remedied(series('root_cause_info'))}, {key})"
    for pattern in _WHAT:
        told = f'label_replace({told}, "what", "$1", "what_key", "{pattern}")'
    told = f"max by ({target}) ({told})"
    worked = series("probe_last_success_timestamp_seconds")
    newest = f"min by ({OWNER}) ({worked} and on (job, instance, target, probe) {series('probe_success')} == 0)"
    by = "job, scope, layer, reason, what, remedy"
    return (
        f"count by ({by}) ({told})",
        f"max by ({by}) ({told} * on ({OWNER}) group_left () ({newest})) * 1000",
    )


def causes() -> Table:
    affected, since = _causes()
    return Table(
        title="Causes: one line for each",
        shows="What many failures have in common, the widest first: where it lies, how far it reaches, what to do.",
        bad="Any line. A whole server, domain or provider is one fault, not that of its mailboxes.",
        alerts=(*_OUTAGES, "MailEndpointDown", "MailDNSFailing", "MailprobeAllVantagesOffline"),
        queries=(Query(affected), Query(since)),
        width=24,
        height=7,
        none="Nothing is broken.",
        sort="Affected",
        columns=(
            Column(title="Reach", label="scope", names=SCOPES, width=130),
            Column(title="What", label="what", width=190),
            Column(title="Layer", label="layer", names=LAYERS, width=110),
            Column(title="Why", label="reason", width=190),
            Column(title="Affected", query="A", unit="short", width=90, steps=ANY_IS_BAD),
            Column(title="Last OK", query="B", unit="dateTimeFromNow", width=140, words=NEVER),
            Column(title="What to do", label="remedy", names=REMEDIES, wraps=True),
        ),
    )


def failing_now(height: int, kind: str = "") -> Table:
    """Return the panel with each failing probe of each target."""
    matchers = {"kind": kind} if kind else {}
    why = _remedied(series("probe_failure_info", **matchers))
    worked = series("probe_last_success_timestamp_seconds", **matchers)
    newest = f"max by ({OWNER}, probe) ({worked})"
    since = f"max by ({_WHO}) ({why}) * on ({OWNER}, probe) group_left () {newest} * 1000"
    route = kind == "route"
    return Table(
        title="Failing now: since when and why",
        shows="Each failing probe with the step and the reason of its last run, and how many replicas of mailprobe "
        "say so. “Last OK” is when it last worked.",
        bad="Any line. Click a name for its dashboard, or for mailprobe's own page with the server's words.",
        alerts=DELIVERY_ALERTS if route else (*_LOGIN_ALERTS, *_OUTAGES),
        queries=(Query(f"{since} or max by ({_WHO}) ({why}) * 0"), Query(f"count by ({_WHO}) ({why})")),
        width=24,
        height=height,
        none="Nothing fails.",
        sort="Last OK",
        columns=(
            Column(
                title="Target",
                label="target",
                width=190,
                goals=(Goal.ROUNDTRIP,) if route else (Goal.MAILBOX, Goal.ROUNDTRIP),
                page="targets",
            ),
            Column(title="Provider", label="provider", width=120),
            Column(title="Probe", label="probe", names=PROBES, width=95),
            Column(title="Step", label="phase", names=PHASES, width=100),
            Column(title="Why", label="reason", width=190),
            Column(title="Last OK", query="A", unit="dateTimeFromNow", width=140, words=NEVER),
            Column(title="Seen by", query="B", unit="short", width=75),
            Column(title="What to do", label="remedy", names=REMEDIES, wraps=True),
        ),
    )


def history(height: int, kind: str = "") -> Timeline:
    """Return the panel with the times when the targets failed."""
    matchers = {"kind": kind} if kind else {}
    return Timeline(
        title="When it failed",
        shows="The targets that have failed within the time range, by their worst probe. DISPUTED: replicas of "
        "mailprobe disagree.",
        bad="FAILING without an end. Where all bands begin at one time there is one cause: see the causes.",
        alerts=DELIVERY_ALERTS if kind == "route" else (*_LOGIN_ALERTS, *_OUTAGES),
        queries=(Query(once_failed(OWNER, **matchers), "{{target}}"),),
        width=24,
        height=height,
        none="Nothing has failed within the time range.",
        words=STATE,
        steps=STATES,
        goal=Goal.ROUNDTRIP if kind == "route" else Goal.MAILBOX,
    )


def by_probe(height: int, kind: str = "") -> Timeline:
    """Return the panel with every probe of the chosen targets."""
    matchers = {"kind": kind} if kind else {}
    return Timeline(
        title="State of each probe",
        shows="The verdict of the last conclusive run, over time. DISPUTED: replicas of mailprobe disagree.",
        bad="FAILING. Choose one mailbox above to see it alone.",
        alerts=DELIVERY_ALERTS if kind == "route" else _LOGIN_ALERTS,
        queries=(Query(verdict(f"{OWNER}, probe", **matchers), "{{target}} {{probe}}"),),
        width=24,
        height=height,
        words=STATE,
        steps=STATES,
    )
