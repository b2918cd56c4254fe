"""Tests the shipped rules and the shipped Alertmanager configuration with real programs, only sixty times as fast.

One stopped server gives one page, a failure of our own network silences everything else, and the end is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.alertmanager.channels import Channels, Message
from tests.alertmanager.quick import TOKENS, quick_config, quick_rules
from tests.alertmanager.reference import Reference
from tests.servers.crowd import crowd
from tests.servers.dovecot import Dovecot
from tests.servers.monitoring import Alertmanager, Prometheus
from tests.servers.process import wait_until
from tests.servers.world import MailWorld

BOXES = 40

VANTAGE = 'vantage: {{references: [{{tcp: "127.0.0.1:{reference}"}}]}}\n'
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules/*.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: mailprobe
    static_configs: [{{targets: ["127.0.0.1:{mailprobe}"]}}]
"""


def names(message: Message, status: str = "firing") -> set[str]:
    """Return the alerts of a webhook's notification."""
    return {each["labels"]["alertname"] for each in message.alerts(status)}


def test_one_dead_server_is_one_page_and_our_own_network_silences_it(
    mail_world: MailWorld, dovecot: Dovecot, tmp_path: Path
) -> None:
    """The page lists the mailboxes, and chats get both languages. Then our network fails, and everything recovers."""
    with (
        Reference() as reference,
        Channels() as channels,
        crowd(mail_world, BOXES, VANTAGE.format(reference=reference.port)) as daemon,
        Alertmanager(quick_config(channels.url, tmp_path)) as alertmanager,
        Prometheus(
            PROMETHEUS.format(alertmanager=alertmanager.port, mailprobe=daemon.port), {"alerts.yml": quick_rules()}
        ) as prometheus,
    ):
        prometheus.wait_for(f'count(mailprobe_probe_success{{probe="imap"}} == 1) == {BOXES}', 60)
        alive = channels.wait_for("dead-man", lambda each: names(each) == {"Watchdog"})
        assert alive.token == f"Bearer {TOKENS['dead-man-token']}"
        dovecot.stop()

        page = channels.wait_for("pager", lambda each: names(each) == {"MailHostOutage"})
        (outage,) = page.alerts("firing")
        assert page.token == f"Bearer {TOKENS['pager-token']}"
        assert outage["labels"]["server"] == "mail.example.test"
        for said in (outage["annotations"][f"description{language}"] for language in ("", "_zh")):
            assert "mail.example.test" in said
            assert "connection_refused" in said
            assert 1 <= len(set(re.findall(r"box\d\d", said))) <= 10
        english = channels.wait_for("chat", lambda each: "A mail server is out of order" in each.text).text
        assert english.startswith("CRITICAL: A mail server is out of order (mail.example.test)\n")
        assert "/runbooks/MailHostOutage" in english
        chinese = channels.wait_for("wecom", lambda each: "邮件服务器故障" in each.text)
        assert chinese.text.startswith("严重：邮件服务器故障\n受影响：mail.example.test\n")
        assert chinese.token == "token-of-REPLACE"
        # All of them as soon as each has failed.
        wait_until(lambda: f" for {BOXES} mailboxes: " in held(alertmanager), 30, "all mailboxes are counted")
        # Long enough for the 2.5 s and 4 s of the consequences: the shipped rules know that the server is the cause.
        prometheus.wait_for('sum(sum_over_time(mailprobe_probe_success{probe="imap"}[10s])) == 0')
        assert {each["metric"]["alertname"] for each in prometheus.query("ALERTS")} == {"MailHostOutage", "Watchdog"}
        assert channels.at("pager") == [page]

        with without(reference):
            channels.wait_for("pager", lambda each: names(each) == {"MailprobeAllVantagesOffline"})
            wait_until(
                lambda: shown(alertmanager) == {"MailprobeAllVantagesOffline", "Watchdog"},
                *(20, "all but our own network is silent"),
            )
            assert daemon.metric("mailprobe_vantage_up") == 0
        channels.wait_for("pager", lambda each: "MailprobeAllVantagesOffline" in names(each, "resolved"))
        assert set().union(*map(names, channels.at("pager"))) == {"MailHostOutage", "MailprobeAllVantagesOffline"}

        wait_until(lambda: "MailHostOutage" in shown(alertmanager), 30, "the server is seen failing again")
        dovecot.start()
        channels.wait_for("pager", lambda each: "MailHostOutage" in names(each, "resolved"))
        channels.wait_for("chat", lambda each: each.text.startswith("RESOLVED: A mail server is out of order"))
        channels.wait_for("wecom", lambda each: each.text.startswith("已恢复：邮件服务器故障"))


@contextmanager
def without(reference: Reference) -> Iterator[None]:
    """Simulate a failure of our network."""
    reference.stop()
    yield
    reference.start()


def held(alertmanager: Alertmanager) -> str:
    """Return the current alerts of Alertmanager about the server."""
    (alert,) = alertmanager.json("/api/v2/alerts", filter='alertname="MailHostOutage"')
    return str(alert["annotations"]["description"])


def shown(alertmanager: Alertmanager, state: str = "active") -> set[str]:
    return {each["labels"]["alertname"] for each in alertmanager.alerts() if each["status"]["state"] == state}
