"""The alert, once, for real: a dead dovecot becomes a page that names the mailbox and the reason, and then resolves."""

from __future__ import annotations

import re
from pathlib import Path

from tests.servers.daemon import daemon_for
from tests.servers.dovecot import Dovecot
from tests.servers.monitoring import Alertmanager, Prometheus, Webhook
from tests.servers.world import MailWorld

RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "mailprobe.alerts.yml"

PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules/*.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: mailprobe
    static_configs: [{{targets: ["127.0.0.1:{mailprobe}"]}}]
"""

ALERTMANAGER = """\
route: {{receiver: page, group_by: [alertname, mailbox, server, port], group_wait: 1s, group_interval: 1s}}
receivers:
  - name: page
    webhook_configs: [{{url: "{webhook}", send_resolved: true}}]
"""


def faster(rules: str) -> str:
    """The shipped rules with every minute as a second: an hour's test in a minute, the logic untouched."""
    quick, count = re.subn(r"\b(\d+)m\b", r"\1s", rules)
    assert count >= 6, "durations of the rules are no longer written in minutes"
    return quick


async def test_a_stopped_dovecot_pages_with_mailbox_and_reason_and_resolves(
    mail_world: MailWorld, dovecot: Dovecot
) -> None:
    """Real daemon, real Prometheus, real Alertmanager: login fails → page with mailbox and reason → back → resolved."""
    async with Webhook() as webhook:
        with (
            daemon_for(mail_world) as daemon,
            Alertmanager(ALERTMANAGER.format(webhook=webhook.url)) as alertmanager,
            Prometheus(
                PROMETHEUS.format(alertmanager=alertmanager.port, mailprobe=daemon.port),
                {RULES.name: faster(RULES.read_text(encoding="utf-8"))},
            ) as prometheus,
        ):
            prometheus.wait_for('count(mailprobe_probe_success{probe="imap"} == 1) == 2')
            prometheus.wait_for("mailprobe_endpoint_up == 1")
            dovecot.stop()

            login = await webhook.wait_for(
                lambda alert: (
                    alert["status"] == "firing"
                    and alert["labels"]["alertname"] == "MailLoginFailing"
                    and alert["labels"]["mailbox"] == "alice"
                    and alert["labels"]["probe"] == "imap"
                )
            )
            assert "connection_refused in phase connect" in login["annotations"]["description"]
            assert "alice" in login["annotations"]["description"]
            assert "alice" in login["annotations"]["description_zh"]
            assert "reason" not in login["labels"]
            endpoint = await webhook.wait_for(
                lambda alert: (
                    alert["status"] == "firing"
                    and alert["labels"]["alertname"] == "MailEndpointDown"
                    and alert["labels"]["port"] == str(mail_world.imaps)
                )
            )
            assert "connection_refused" in endpoint["annotations"]["description"]

            dovecot.start()
            resolved = await webhook.wait_for(
                lambda alert: (
                    alert["status"] == "resolved"
                    and alert["labels"]["alertname"] == "MailLoginFailing"
                    and alert["labels"]["mailbox"] == "alice"
                )
            )
            assert resolved["startsAt"] == login["startsAt"]
            await webhook.wait_for(
                lambda alert: alert["status"] == "resolved" and alert["labels"]["alertname"] == "MailEndpointDown"
            )
