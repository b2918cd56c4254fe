"""Measures in real time how long it takes from a fault to its page, and from the repair to the resolve.

Real servers, mailprobe at its default intervals, Prometheus and Alertmanager with the shipped rules, routes and times.
It takes half an hour: `make walk-times` runs it and writes `times.json`, from which docs/alerts.md has its table.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.alertmanager.channels import Channels
from tests.alertmanager.quick import slow_config
from tests.alertmanager.reference import Reference
from tests.alertmanager.shipped import RULES
from tests.rules.shipped import EXAMPLE
from tests.servers.certs import Authority
from tests.servers.daemon import Daemon
from tests.servers.dns import Authoritative, Resolver, Zone
from tests.servers.dovecot import EXPIRED, GOOD, PASSWORD, SELF_SIGNED, WRONG_NAME, Dovecot, User
from tests.servers.monitoring import Alertmanager, Prometheus
from tests.servers.process import wait_until
from tests.walk.world import JOB, RECORDS

FILE = Path(__file__).with_name("times.json")
BOXES = 5
PATIENCE = 1500.0  # seconds for the slowest class
Json = Any

MAIN = """\
resolvers: ["{resolver}"]
defaults: {{timeout: 20s, ca_file: {ca_file}}}
alert_labels: [team]
domains: [{{name: dead.test}}]
endpoints: [{{name: alone, host: 127.0.0.1, port: {alone}, security: plain, protocol: imap}}]
mailboxes:
  - name: refused
    address: alice@example.test
    password_file: secrets/refused
    imap: {{host: mail.example.test, port: {imaps}, security: tls}}
    smtp: off
"""
BOX = """\
  - name: hosted{n}
    address: hosted{n}@example.test
    password_file: secrets/hosted{n}
    labels: {{team: team{n}}}
    imap: {{host: host.walk.test, port: {port}, security: tls}}
    smtp: off
"""
OFFLINE = """\
vantage: {{references: [{{tcp: "127.0.0.1:{reference}"}}]}}
endpoints: [{{name: other, host: 127.0.0.1, port: {port}, security: plain, protocol: imap}}]
"""


@dataclass
class Class:
    """A class of faults: the alert that tells it, and how it is made and repaired."""

    name: str
    alert: str
    make: Callable[[], object]
    mend: Callable[[], object]
    made: float = 0.0
    mended: float = 0.0


def _messages(channels: Channels, alert: str, status: str) -> list[tuple[float, Json]]:
    offset = time.time() - time.monotonic()
    return [
        (message.at + offset, each)
        for message in channels.at("pager")
        for each in message.alerts(status)
        if each["labels"]["alertname"] == alert
    ]


def _told(alert: Json, name: str) -> float | None:
    text = alert["annotations"].get(name, "")
    return datetime.fromisoformat(text.replace(" UTC", "")).timestamp() if text else None


@pytest.mark.times
@pytest.mark.timeout(3600)
def test_times_from_the_fault_to_the_page_and_from_the_repair_to_the_resolve(
    dovecot: Dovecot,
    authority: Authority,
    authoritative: Authoritative,
    resolver_server: Resolver,
    tmp_path: Path,
) -> None:
    authoritative.add("dead.test", Zone(RECORDS))
    authoritative.add("walk.test", Zone(["host A 127.0.0.1"]))
    resolver_server.flush()
    name = "host.walk.test"
    certs = {
        GOOD: authority.good(name),
        EXPIRED: authority.expired(name),
        SELF_SIGNED: authority.self_signed(name),
        WRONG_NAME: authority.good("mail.walk.test"),
    }
    users = {f"hosted{n}@example.test": User() for n in range(BOXES)}
    with (
        Dovecot(authority, users, certs=certs) as hosted,
        Dovecot(authority, {}) as alone,
        Reference() as reference,
        Channels() as channels,
    ):
        text = MAIN.format(
            resolver=resolver_server.address, ca_file=authority.ca_file, alone=alone.imap, imaps=dovecot.imaps
        )
        text += "".join(BOX.format(n=n, port=hosted.imaps) for n in range(BOXES))
        names = ["refused", *(f"hosted{n}" for n in range(BOXES))]
        with (
            Daemon(text, dict.fromkeys(names, PASSWORD)) as main,
            Daemon(OFFLINE.format(reference=reference.port, port=dovecot.imap), {}) as offline,
            Alertmanager(slow_config(channels.url, tmp_path)) as alertmanager,
            Prometheus(
                _prometheus(alertmanager.port, main.port, offline.port), {"alerts.yml": RULES.read_text()}
            ) as prometheus,
        ):
            classes = [
                Class("a server with 5 mailboxes is stopped", "MailHostOutage", hosted.stop, hosted.start),
                Class("a server without mailboxes is stopped", "MailEndpointDown", alone.stop, alone.start),
                Class(
                    "a domain's name servers refuse", "MailDNSFailing",
                    lambda: authoritative.remove("dead.test"),
                    lambda: authoritative.add("dead.test", Zone(RECORDS)),
                ),
                Class(
                    "a mailbox's password is changed", "MailLoginRejected",
                    lambda: dovecot.set_password("alice@example.test", "another p4ss"),
                    lambda: main.secret("refused", "another p4ss"),
                ),
                Class("our own network is down", "MailprobeAllVantagesOffline", reference.stop, reference.start),
            ]  # fmt: skip
            working = f"count(mailprobe_probe_success == 1) == {BOXES + 2 + 2 + 1 + 1}"
            wait_until(lambda: bool(prometheus.query(working)), 400, "everything works")
            time.sleep(90)
            for each in classes:
                each.made = time.time()
                each.make()
            resolver_server.flush()
            _wait(classes, channels, "firing")
            time.sleep(60)
            for each in classes:
                each.mended = time.time()
                each.mend()
            resolver_server.flush()
            _wait(classes, channels, "resolved")
        FILE.write_text(json.dumps([_measured(each, channels) for each in classes], indent=2) + "\n")


def _wait(classes: list[Class], channels: Channels, status: str) -> None:
    wait_until(lambda: all(_messages(channels, each.alert, status) for each in classes), PATIENCE, f"all are {status}")


def _measured(each: Class, channels: Channels) -> dict[str, Json]:
    pages, resolves = (_messages(channels, each.alert, status) for status in ("firing", "resolved"))
    since, until = _told(pages[0][1], "since"), _told(resolves[0][1], "until")
    return {
        "class": each.name,
        "alert": each.alert,
        "fault_to_page": round(pages[0][0] - each.made),
        "repair_to_resolve": round(resolves[0][0] - each.mended),
        "since_after_fault": None if since is None else round(since - each.made),
        "until_after_repair": None if until is None else round(until - each.mended),
        "pages": len(pages),
        "resolves": len(resolves),
    }


def _prometheus(alertmanager: int, main: int, offline: int) -> str:
    scrape, rules = (line.split("#")[0].strip() for line in EXAMPLE.read_text().splitlines() if "_interval:" in line)
    target = f'["127.0.0.1:{alertmanager}"]'
    return (
        f"global: {{{scrape}, {rules}}}\nrule_files: [rules/*.yml]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: {target}}}]}}]}}\nscrape_configs:\n"
        + JOB.format(job="mailprobe", port=main)
        + JOB.format(job="offline", port=offline)
    )
