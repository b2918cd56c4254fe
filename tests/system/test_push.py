"""Tests of the push with real programs: forty mailboxes on one stopped server are one page, also with restarts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.servers.crowd import crowd
from tests.servers.daemon import Daemon
from tests.servers.dovecot import Dovecot
from tests.servers.monitoring import Alertmanager, Webhook
from tests.servers.process import wait_until
from tests.servers.world import MailWorld

Json = Any
BOXES = 40

PUSH = """\
alertmanager:
  targets: [{{url: "http://127.0.0.1:{port}"}}]
  labels: {{site: berlin}}
  resend: 1s
"""

# Grouped as the shipped configuration has it, but quick.
ALERTMANAGER = """\
route:
  receiver: nobody
  group_by: [job, provider, layer]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
  routes: [{{receiver: page, matchers: ['severity="critical"']}}]
receivers:
  - name: nobody
  - name: page
    webhook_configs: [{{url: "{webhook}", send_resolved: true}}]
"""


def pages(webhook: Webhook, status: str) -> list[Json]:
    """The notifications that somebody got."""
    return [each for each in webhook.notifications if each["status"] == status]


def succeeding(daemon: Daemon, value: int) -> int:
    """How many mailboxes work (1) or do not (0)."""
    lines = daemon.text("/metrics").splitlines()
    wanted = [each for each in lines if each.startswith("mailprobe_probe_success{") and 'probe="imap"' in each]
    return sum(each.endswith(f" {value}") for each in wanted)


async def until(condition: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, 60, what)


async def resends(daemon: Daemon, number: int) -> None:
    """Wait until so many more alerts have been sent."""
    sent = daemon.metric("mailprobe_notifications_total{") or 0.0
    wanted = sent + number
    await until(lambda: (daemon.metric("mailprobe_notifications_total{") or 0.0) >= wanted, f"{number} alerts more")


async def test_forty_mailboxes_on_a_dead_server_are_one_page_through_restart_and_kill(
    mail_world: MailWorld, dovecot: Dovecot, webhook: Webhook
) -> None:
    with (
        Alertmanager(ALERTMANAGER.format(webhook=webhook.url)) as alertmanager,
        crowd(mail_world, BOXES, PUSH.format(port=alertmanager.port)) as daemon,
    ):
        await until(lambda: succeeding(daemon, 1) == BOXES, "all mailboxes work")
        dovecot.stop()
        alert = await webhook.wait_for(lambda each: each["status"] == "firing")
        labels = alert["labels"]
        assert (labels["alertname"], labels["server"]) == ("MailHostOutage", "mail.example.test")
        assert (labels["severity"], labels["layer"], labels["job"]) == ("critical", "transport", "mailprobe")
        assert (labels["site"], "reason" in labels, "instance" in labels) == ("berlin", False, False)

        for number in (signal.SIGTERM, signal.SIGKILL):
            await until(lambda: succeeding(daemon, 0) == BOXES, "all mailboxes have been found failing")
            await asyncio.to_thread(daemon.stop, number)
            await asyncio.to_thread(daemon.start)
            (incident,) = daemon.json("/api/v1/incidents")["incidents"]
            assert (incident["alert"], incident["resolved"]) == ("MailHostOutage", None)
        await until(lambda: succeeding(daemon, 0) == BOXES, "all mailboxes have been found failing")
        await resends(daemon, 6)
        (incident,) = daemon.json("/api/v1/incidents")["incidents"]
        assert (incident["confirmed"], len(incident["targets"])) == (True, BOXES + 1)
        (held,) = alertmanager.json("/api/v2/alerts", filter='severity="critical"')
        assert datetime.fromisoformat(held["startsAt"]) == datetime.fromisoformat(alert["startsAt"])
        assert held["status"]["state"] == "active"
        assert f"{BOXES} of {BOXES} mailboxes at mail.example.test fail" in held["annotations"]["description"]
        assert "box00, box01" in held["annotations"]["description"]
        assert "connection_refused" in held["annotations"]["description_zh"]
        assert (len(pages(webhook, "firing")), len(pages(webhook, "resolved"))) == (1, 0)

        dovecot.start()
        over = await webhook.wait_for(lambda each: each["status"] == "resolved")
        assert over["labels"] == labels
        assert (len(pages(webhook, "firing")), len(pages(webhook, "resolved"))) == (1, 1)
        assert (daemon.metric("mailprobe_notifications_failed_total{") or 0) == 0


async def test_while_alertmanager_is_down_failures_are_counted_and_the_alert_comes_when_it_is_back(
    mail_world: MailWorld, dovecot: Dovecot, webhook: Webhook
) -> None:
    alertmanager = Alertmanager(ALERTMANAGER.format(webhook=webhook.url))
    try:
        with crowd(mail_world, 1, PUSH.format(port=alertmanager.port)) as daemon:
            await until(lambda: succeeding(daemon, 1) == 1, "the mailbox works")
            dovecot.stop()
            await until(lambda: len(daemon.json("/api/v1/incidents")["incidents"]) == 1, "an incident is open")
            failed = f'mailprobe_notifications_failed_total{{alertmanager="127.0.0.1:{alertmanager.port}"}}'
            await until(lambda: (daemon.metric(failed) or 0) > 1, "failures are counted")
            await asyncio.to_thread(alertmanager.start)
            alert = await webhook.wait_for(lambda each: each["status"] == "firing")
            assert alert["labels"]["alertname"] == "MailHostOutage"
            (watchdog,) = alertmanager.json("/api/v2/alerts", filter='alertname="Watchdog"')
            assert watchdog["labels"]["severity"] == "none"
            assert daemon.metric("mailprobe_notifications_dropped_total{") == 0
    finally:
        alertmanager.close()
