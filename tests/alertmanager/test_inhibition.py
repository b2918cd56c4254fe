"""Tests of the inhibition rules: checks of the shipped rules, and a real Alertmanager with a scene for each rule."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.alertmanager.channels import Channels
from tests.alertmanager.pushed import pushed
from tests.alertmanager.quick import quick_config
from tests.alertmanager.shipped import Inhibition, Labels, inhibitions, ours, row, seen, takes
from tests.servers.monitoring import Alertmanager
from tests.servers.process import ServerError, wait_until

# A rule selects its targets by layer or severity. Some of these alerts belong to no single domain, provider or target:
# a failing DNS of one domain says nothing about a server that many domains use. They have no such label, and the guard
# of the rule excludes them.
SERVERS = {"MailEndpointDown", "MailHostOutage"}
CERTIFICATES = {"MailCertificateInvalid", "MailCertificateExpired", "MailCertificateExpiringSoon"}
NOT_OF_ONE = {
    "domain": {*SERVERS, *CERTIFICATES, "MailProviderOutage"},
    "provider": {"MailDomainOutage"},
}
# Two severities that exclude each other by their expressions.
EITHER_OR = {"MailprobeDown", "MailprobeNotificationsFailing"}


def universe() -> tuple[Labels, ...]:
    """Every alert: from the table, from the rules' unit tests, and from the daemon itself."""
    every = [*(each.labels for each in ours()), *seen(), *pushed()]
    return tuple({tuple(sorted(labels.items())): labels for labels in every}.values())


EVERY = universe()


@pytest.mark.parametrize("rule", inhibitions(), ids=str)
def test_each_label_that_is_compared_has_a_guard_on_both_sides(rule: Inhibition):
    assert rule.equal
    own = {"alertname"}  # every alert has it
    for side in (rule.source, rule.target):
        guarded = {each.label for each in side if each.guard}
        assert guarded == set(rule.equal) - own


@pytest.mark.parametrize("rule", inhibitions(), ids=str)
def test_no_alert_is_source_and_target_of_one_rule(rule: Inhibition):
    both = [each for each in EVERY if takes(rule.source, each) and takes(rule.target, each)]
    assert both == []


@pytest.mark.parametrize("rule", inhibitions(), ids=str)
def test_a_rule_has_sources_and_targets_among_the_alerts_there_are(rule: Inhibition):
    assert any(takes(rule.source, each) for each in EVERY)
    assert any(takes(rule.target, each) for each in EVERY)


@pytest.mark.parametrize("rule", [rule for rule in inhibitions() if "alertname" not in rule.equal], ids=str)
def test_what_a_rule_means_has_the_labels_that_it_compares(rule: Inhibition):
    """The labels are those of the table. `provider` is empty if it is unknown, in the second part of the table."""
    first = {row.key: row.labels for row in reversed(tuple(ours()))}
    for labels in first.values():
        if takes(rule.source, labels, guarded=False) or takes(rule.target, labels, guarded=False):
            spared = {label for label, names in NOT_OF_ONE.items() if labels["alertname"] in names}
            assert set(rule.equal) - set(labels) == set(rule.equal) & spared, labels


def test_of_two_thresholds_the_lower_is_silent():
    """For each alert that exists as critical and as warning there is a rule with labels that both have."""
    severities: dict[str, set[str]] = {}
    for each in ours():
        severities.setdefault(each.key[0], set()).add(each.key[1])
    double = [name for name, found in severities.items() if {"critical", "warning"} <= found]
    assert len(double) >= 4
    assert set(double) >= EITHER_OR
    for name in sorted(set(double) - EITHER_OR):
        worse, other = row(name, "critical").labels, row(name, "warning").labels
        assert any(takes(rule.source, worse) and takes(rule.target, other) for rule in inhibitions()), name


def test_nothing_mutes_itself_in_a_circle():
    """Two alerts that mute each other would both be silent."""

    def mutes(source: Labels, target: Labels) -> bool:
        return any(
            takes(rule.source, source)
            and takes(rule.target, target)
            and all(source.get(label, "") == target.get(label, "") for label in rule.equal)
            for rule in inhibitions()
        )

    circles = [(one, two) for one in EVERY for two in EVERY if one is not two and mutes(one, two) and mutes(two, one)]
    assert circles == []


def alert(name: str, severity: str = "critical", **changes: str) -> Labels:
    """Return the alert of the table with changed labels. An empty value removes a label."""
    return {label: value for label, value in {**row(name, severity).labels, **changes}.items() if value}


def own(name: str, **changes: str) -> Labels:
    """Return the alert as the daemon pushes it, at a provider that has a name."""
    wanted = {"alertname": name, **({} if name.startswith("Mailprobe") else {"provider": "acme"})}
    found = next(labels for labels in pushed() if wanted.items() <= labels.items())
    return {label: value for label, value in {**found, **changes}.items() if value}


@dataclass(frozen=True, slots=True)
class Scene:
    """Alerts that fire together. Each scene has its own `job`, so that all scenes can run at the same time."""

    name: str
    firing: Sequence[Labels]
    muted: Sequence[Labels]

    def __str__(self) -> str:
        return self.name


LOGIN, REJECTED = alert("MailLoginFailing"), alert("MailLoginRejected")
OVERDUE, QUOTA = alert("MailRoundTripOverdue"), alert("MailQuotaAlmostFull")
BURN = alert("MailErrorBudgetBurn", "warning")
ENDPOINT, EXPIRED = alert("MailEndpointDown"), alert("MailCertificateExpired")
HOST, PROVIDER, DOMAIN = alert("MailHostOutage"), alert("MailProviderOutage"), alert("MailDomainOutage")
DNS, DOWN = alert("MailDNSFailing"), alert("MailprobeDown")
ELSEWHERE = alert("MailLoginFailing", provider="other", domain="other.example", target="info", mailbox="info")
OTHER_SERVER = alert("MailEndpointDown", provider="third", server="mx.third.example")
NAMELESS = alert("MailHostOutage", provider="", server="mx.own.example")  # its provider has no name
OFFLINE, ONE_OFFLINE = alert("MailprobeAllVantagesOffline"), alert("MailprobeVantageOffline", "warning")
CANNOT_TELL = alert("MailprobeInconclusive", "warning")
SOON, SOON_WARNING = alert("MailCertificateExpiringSoon"), alert("MailCertificateExpiringSoon", "warning")
QUOTA_WARNING, SLOW = alert("MailQuotaAlmostFull", "warning"), alert("MailRoundTripSlow", "warning")
WEBMAIL = alert("MailEndpointDown", protocol="https", server="", port="", target="webmail", kind="endpoint")
STALLED, STALLED_WARNING = alert("MailprobeProbesStalled"), alert("MailprobeProbesStalled", "warning")

SCENES = [
    Scene(
        "our own network is down",
        [OFFLINE, DOWN],
        [DNS, ENDPOINT, HOST, PROVIDER, DOMAIN, LOGIN, OVERDUE, QUOTA, BURN, ELSEWHERE, ONE_OFFLINE, CANNOT_TELL],
    ),
    Scene("one of several is offline", [ONE_OFFLINE, LOGIN, NAMELESS], []),
    Scene("a domain's DNS is dead", [DNS, ELSEWHERE, NAMELESS], [LOGIN, DOMAIN, OVERDUE, BURN]),
    Scene("a domain has no MX", [alert("MailDNSRecordMissing"), ELSEWHERE], [LOGIN, DOMAIN, OVERDUE]),
    Scene("a provider is out of order", [PROVIDER, ELSEWHERE, OTHER_SERVER, DNS], [HOST, ENDPOINT, EXPIRED, QUOTA]),
    Scene(
        "a server is dead",
        [HOST, ELSEWHERE, OTHER_SERVER, SOON],
        [ENDPOINT, EXPIRED, LOGIN, REJECTED, OVERDUE, QUOTA, BURN],
    ),
    Scene(
        "a server whose provider has no name is dead",
        [NAMELESS, alert("MailEndpointDown", provider="", server="mx2.own.example"), ELSEWHERE, ENDPOINT],
        [alert("MailEndpointDown", provider="", server="mx.own.example"),
         alert("MailCertificateExpired", provider="", server="mx.own.example")],
    ),
    Scene(
        "a server of one's own is dead, on which a domain has all of its mailboxes",
        [
            {**NAMELESS, "domain": "own.example"},
            alert("MailLoginRejected", provider="", domain="own.example"),
            alert("MailLoginFailing", provider="", domain="other.example", target="info", mailbox="info"),
        ],
        [
            alert("MailLoginFailing", provider="", domain="own.example", target="late", mailbox="late"),
            alert("MailErrorBudgetBurn", "warning", provider="", domain="own.example", target="late", mailbox="late"),
        ],
    ),
    Scene(
        "a port is dead",
        [ENDPOINT, ELSEWHERE, SOON, {**REJECTED, "mailbox": "third", "target": "third"}],
        [LOGIN, OVERDUE, QUOTA, BURN],
    ),
    Scene("a webmail is dead", [WEBMAIL, LOGIN], []),
    Scene("a domain is out of order", [DOMAIN, ELSEWHERE, OTHER_SERVER], [LOGIN, OVERDUE, QUOTA, BURN]),
    Scene(
        "a login is refused",
        [REJECTED, alert("MailRoundTripOverdue", mailbox="third", target="third-route"), ELSEWHERE],
        [LOGIN, OVERDUE, QUOTA, BURN, alert("MailprobeLoginSuspended", "info")],
    ),
    Scene(
        "two thresholds",
        [QUOTA, {**QUOTA_WARNING, "target": "info", "mailbox": "info"}, SOON, {**SOON_WARNING, "port": "465"}, STALLED],
        [QUOTA_WARNING, SOON_WARNING, STALLED_WARNING],
    ),
    Scene(
        "pushed: our own network is down",
        [own("MailprobeAllVantagesOffline")],
        [own("MailHostOutage"), own("MailLoginRejected"), own("MailRoundTripLost"), own("MailprobeVantageOffline")],
    ),
    Scene(
        "pushed: a server is dead",
        [own("MailHostOutage"), own("MailLoginRejected", provider="other", mailbox="info", target="info")],
        [own("MailEndpointDown", server="mail.example.com"), own("MailLoginRejected"), own("MailRoundTripOverdue")],
    ),
    Scene("late mail", [OVERDUE, {**SLOW, "target": "other-route"}], [SLOW]),
]  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], bool]]:
    """Put the alerts of all scenes into one Alertmanager. Returns labels → whether the alert is muted."""
    folder: Path = tmp_path_factory.mktemp("secrets")
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    alerts = [
        {"labels": {**labels, "job": scene.name}, "endsAt": ends}
        for scene in SCENES
        for labels in (*scene.firing, *scene.muted)
    ]
    with Channels() as channels, Alertmanager(quick_config(channels.url, folder)) as alertmanager:
        request = urllib.request.Request(
            f"{alertmanager.url}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            assert answer.status == 200
        expected = sum(len(scene.muted) for scene in SCENES)

        def muted() -> dict[tuple[str, ...], bool]:
            return {_key(each["labels"]): bool(each["status"]["inhibitedBy"]) for each in alertmanager.alerts()}

        # Alertmanager processes new sources with a delay. If a difference stays, the tests report it.
        with contextlib.suppress(ServerError):
            wait_until(lambda: sum(muted().values()) == expected, 10, "sources have muted their targets")
        assert len(muted()) == len(alerts)
        yield muted()


def _key(labels: Labels) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in sorted(labels.items()))


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_the_cause_speaks_and_what_follows_is_silent(scene: Scene, played: dict[tuple[str, ...], bool]):
    for expected, several in ((False, scene.firing), (True, scene.muted)):
        for labels in several:
            assert played[_key({**labels, "job": scene.name})] is expected, labels


def test_each_rule_has_a_scene():
    for rule in inhibitions():
        assert any(
            takes(rule.source, one) and takes(rule.target, two) and all(one[name] == two[name] for name in rule.equal)
            for scene in SCENES
            for one in scene.firing
            for two in scene.muted
        ), rule
