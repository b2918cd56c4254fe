"""Tests with real programs that a stopped dovecot gives one page with mailboxes and reason, which then resolves."""

from __future__ import annotations

import time
from datetime import datetime

from tests.alertmanager.quick import quick_rules
from tests.servers.daemon import daemon_for
from tests.servers.dovecot import Dovecot
from tests.servers.monitoring import Alertmanager, Prometheus, Webhook
from tests.servers.postfix import Postfix
from tests.servers.world import MailWorld

PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules/*.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: mailprobe
    static_configs: [{{targets: ["127.0.0.1:{mailprobe}"]}}]
"""

ALERTMANAGER = """\
route:
  receiver: page
  group_by: [alertname, mailbox, server, port]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1s  # a page that went out before the last mailbox had failed is sent again with all of them
receivers:
  - name: page
    webhook_configs: [{{url: "{webhook}", send_resolved: true}}]
"""


async def test_a_stopped_dovecot_pages_once_with_its_mailboxes_and_the_reason_and_resolves(
    mail_world: MailWorld, dovecot: Dovecot, postfix: Postfix
) -> None:
    """Real daemon, Prometheus, Alertmanager: one page for the server names every mailbox, none for each of them."""
    async with Webhook() as webhook:
        with (
            daemon_for(mail_world) as daemon,
            Alertmanager(ALERTMANAGER.format(webhook=webhook.url)) as alertmanager,
            Prometheus(
                PROMETHEUS.format(alertmanager=alertmanager.port, mailprobe=daemon.port),
                {"alerts.yml": quick_rules()},
            ) as prometheus,
        ):
            prometheus.wait_for('count(mailprobe_probe_success{probe="imap"} == 1) == 2')
            prometheus.wait_for("mailprobe_endpoint_up == 1")
            dovecot.stop()

            outage = await webhook.wait_for(
                lambda alert: (
                    alert["status"] == "firing"
                    and alert["labels"]["alertname"] == "MailHostOutage"
                    and " 2 mailboxes: alice, bob (" in alert["annotations"]["description"]
                )
            )
            assert "connection_refused" in outage["annotations"]["description"]
            assert "2 个邮箱受影响：alice、bob（connection_refused" in outage["annotations"]["description_zh"]
            assert "reason" not in outage["labels"]
            # Long enough for their 2.5 s and 4 s: the shipped rules are silenced by the server's root cause.
            prometheus.wait_for('sum(sum_over_time(mailprobe_probe_success{probe="imap"}[10s])) == 0')
            assert prometheus.query('ALERTS{alertname=~"MailLoginFailing|MailEndpointDown",alertstate="firing"}') == []

            started = time.time()
            dovecot.start()
            postfix.restart()  # it throttles its service for a minute, since that cannot live without dovecot's SASL
            resolved = await webhook.wait_for(
                lambda alert: alert["status"] == "resolved" and alert["labels"]["alertname"] == "MailHostOutage"
            )
            assert resolved["startsAt"] == outage["startsAt"]
            told = resolved["annotations"]
            since, until = (
                datetime.fromisoformat(told[name].replace(" UTC", "")).timestamp() for name in ("since", "until")
            )
            assert started <= until < datetime.fromisoformat(resolved["endsAt"]).timestamp()
            assert since < datetime.fromisoformat(outage["startsAt"]).timestamp()  # when the alert was raised
