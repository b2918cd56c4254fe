"""The shipped rules: valid, and doing what they say, by Prometheus' own tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.servers.process import binary

DEPLOY = Path(__file__).parents[1] / "deploy" / "prometheus"


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [binary("promtool", "prometheus"), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_pass_promtools_lint() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(DEPLOY / "mailprobe.alerts.yml"))


def test_each_alert_fires_stays_silent_and_resolves_as_its_unit_test_says() -> None:
    promtool("test", "rules", *(str(path) for path in sorted((DEPLOY / "tests").glob("*.test.yml"))))


def test_the_example_configuration_loads() -> None:
    promtool("check", "config", "--syntax-only", str(DEPLOY / "prometheus.example.yml"))
