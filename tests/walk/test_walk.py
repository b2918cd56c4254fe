"""End-to-end tests, one for each kind of fault, from a real server to the text on a phone.

Each test makes a fault on a real server and checks the metric, the shipped rule, the shipped routes of Alertmanager,
the notification in both languages, and that it resolves. All faults are in one world at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.alertmanager.channels import Message
from tests.alertmanager.notifications import expand
from tests.alertmanager.shipped import alerts
from tests.servers.certs import Authority
from tests.servers.dns import Authoritative, Resolver
from tests.servers.dovecot import Dovecot
from tests.servers.opendkim import Key
from tests.servers.postfix import Postfix
from tests.servers.world import users, zones
from tests.walk.faults import EVERY, FAULTS, STOPPED, Fault
from tests.walk.making import WAYS
from tests.walk.world import TARGETS, World, running

Json = Any


@pytest.fixture(scope="module")
def healthy(  # noqa: PLR0917  # one of each server
    authority: Authority,
    dovecot_server: Dovecot,
    postfix_server: Postfix,
    authoritative_server: Authoritative,
    resolver_server: Resolver,
    dkim_key: Key,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("secrets")
    for server in (dovecot_server, postfix_server, authoritative_server, resolver_server):
        server.ensure_usable()
    try:
        with running(
            World(authority, dovecot_server, postfix_server, authoritative_server, resolver_server, folder)
        ) as world:
            yield world
    finally:
        dovecot_server.reset(users())
        authoritative_server.reset(zones(dkim_key.record))
        resolver_server.flush()
        postfix_server.empty()


@pytest.fixture(scope="module")
def broken(healthy: World) -> World:
    for fault in FAULTS:
        WAYS[fault.id].make(healthy)
    return healthy


@pytest.fixture(scope="module")
def mended(broken: World) -> tuple[World, float]:
    """Repair the faults; returns the time of the repair."""
    now = time.monotonic()
    for fault in FAULTS:
        WAYS[fault.id].mend(broken)
    return broken, now


def of(fault: Fault, alert: Json) -> bool:
    wanted = {"alertname": fault.alert, "severity": fault.severity, **fault.labels}
    return bool(wanted.items() <= alert["labels"].items())


def told(world: World, fault: Fault, status: str, after: float = 0) -> Json:
    """Return the alert from its notification. Critical ones arrive at the pager, others at the bridge of the chat."""
    place = "pager" if fault.severity == "critical" else "bridge"

    def has(message: Message) -> bool:
        return message.at > after and any(of(fault, each) for each in message.alerts(status))

    message = world.channels.wait_for(place, has, 75)
    return next(each for each in message.alerts(status) if of(fault, each))


def phone(language: str, alert: Json) -> str:
    """Return the text that the shipped template makes of it."""
    return expand(f'{{{{ template "mailprobe.text{language}" . }}}}', [alert])


def test_while_everything_works_nobody_is_told_anything(healthy: World):
    query = healthy.prometheus.wait_for
    query(f'count(mailprobe_probe_success{{job="mailprobe",probe="imap"}} == 1) == {TARGETS}', 60)
    query('count(mailprobe_probe_success{job="mailprobe",probe="roundtrip"} == 1) == 4', 60)
    query('count(mailprobe_probe_success{probe="tls"} == 1) == count(mailprobe_probe_success{probe="tls"})', 60)
    query("min(mailprobe_dns_policy_valid) == 1", 60)
    query("min(mailprobe_vantage_up) == 1")
    assert healthy.firing() == {"Watchdog"}
    assert healthy.channels.at("pager") + healthy.channels.at("bridge") == []


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_told_in_both_languages(fault: Fault, broken: World):
    alert = told(broken, fault, "firing")
    said = alert["annotations"]
    for language in ("", "_zh"):
        for word in fault.says:
            assert word in said[f"description{language}"]
    assert {"reason", "phase", "instance"} & set(alert["labels"]) <= _kept(fault)
    assert said["runbook_url"] == f"{_base(broken, fault)}/runbooks/{fault.alert}"
    assert said["dashboard_url"].startswith(_base(broken, fault))
    english, chinese = phone("", alert), phone(".zh", alert)
    assert f"• {said['summary']}\n" in english
    assert f"• {said['summary_zh']}\n" in chinese
    assert said["description"][:100].split(":")[0] in english


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_its_end_is_told(fault: Fault, mended: tuple[World, float]):
    world, since = mended
    alert = told(world, fault, "resolved", since)
    assert alert["endsAt"] > alert["startsAt"]


def test_mailprobe_itself_is_missed(mended: tuple[World, float]):
    """Runs last, because it stops what the other tests need."""
    world, _ = mended
    way = WAYS[STOPPED.id]
    way.make(world)
    alert = told(world, STOPPED, "firing")
    assert world.main.url.removeprefix("http://") in alert["annotations"]["description_zh"]
    way.mend(world)
    told(world, STOPPED, "resolved")


def test_every_fault_has_a_way_and_is_about_an_alert_that_there_is():
    assert {fault.id for fault in EVERY} == set(WAYS)
    shipped = {(each["alert"], each["labels"]["severity"]) for each in alerts()}
    assert {(fault.alert, fault.severity) for fault in EVERY} <= shipped
    layers = {"vantage", "dns", "transport", "auth", "capacity", "delivery", "mailbox", "exporter"}
    assert {fault.layer for fault in EVERY} == layers


def _kept(fault: Fault) -> set[str]:
    """Return the labels of the alert without `instance`, unless the alert is about one instance of mailprobe."""
    return {"instance"} if fault.layer in ("exporter", "vantage") else set()


def _base(world: World, fault: Fault) -> str:
    """Return the external URL of that mailprobe."""
    job = fault.labels.get("job", "mailprobe")
    return {"mailprobe": world.main, "offline": world.offline, "spoilt": world.spoilt}[job].url
