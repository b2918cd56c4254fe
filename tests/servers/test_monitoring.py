"""Tests that the real Prometheus and Alertmanager behave as the other tests need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.servers.monitoring import Alertmanager, Blackbox, Prometheus, Webhook, get
from tests.servers.process import ServerError

RULES = """
groups:
  - name: test
    interval: 1s
    rules:
      - alert: Always
        expr: vector(1)
        annotations: {summary: it does}
"""

ROUTES = """
route: {{receiver: hook, group_wait: 0s, group_interval: 1s}}
receivers:
  - name: hook
    webhook_configs: [{{url: "{url}", send_resolved: true}}]
"""

CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules/*.yml]
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


async def test_an_alert_reaches_the_webhook(
    webhook: Webhook, alertmanager: Callable[[str], Alertmanager], prometheus: Callable[..., Prometheus]
):
    manager = await asyncio.to_thread(alertmanager, ROUTES.format(url=webhook.url))
    await asyncio.to_thread(prometheus, CONFIG.format(port=manager.port), {"test.yml": RULES})
    alert = await webhook.wait_for(lambda each: each["labels"]["alertname"] == "Always")
    assert alert["annotations"] == {"summary": "it does"}


def test_a_bad_rule_is_an_error_that_says_where(prometheus: Callable[..., Prometheus]):
    with pytest.raises(ServerError, match="could not parse expression"):
        prometheus(CONFIG.format(port=1), {"test.yml": RULES.replace("vector(1)", "vector(")})


def test_blackbox_probes_over_tcp(blackbox: Callable[[str], Blackbox], authoritative):
    exporter = blackbox("modules: {tcp: {prober: tcp}}")
    said = get(f"{exporter.url}/probe?module=tcp&target=127.0.0.1:{authoritative.port}").decode()
    assert "probe_success 1" in said
