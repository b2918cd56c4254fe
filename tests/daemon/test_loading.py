"""Tests of the values that the parts of the daemon take from a configuration."""

from __future__ import annotations

import pytest

from exporter.config import load
from exporter.daemon.loading import Loaded
from exporter.model.effective import EffectiveConfig
from exporter.targets.build import build

HEAD = "limits: {logins_per_host_per_minute: 1}\ndefaults: {interval: {login: 60s}}\nmailboxes:\n"
BOX = "  - {{name: {0}, address: {0}@example.com, password_env: P, imap: {{host: mail.example.com}}, smtp: off}}\n"


@pytest.fixture
def effective(tmp_path, monkeypatch):
    monkeypatch.setenv("P", "x")

    def read(text: str) -> EffectiveConfig:
        (tmp_path / "config.yaml").write_text(text, "utf-8")
        config = load(tmp_path / "config.yaml")
        return Loaded(config, build(config)).effective()

    return read


def logins(config: EffectiveConfig) -> dict[str, float]:
    """Return the intervals in effect of the probes that log in, by target name."""
    return {target.name: config.interval(target) for target in config.targets if target.logins}


def test_effective_intervals_keep_the_login_budget_and_a_reload_changes_them(effective):
    two = effective(HEAD + BOX.format("a") + BOX.format("b"))
    assert logins(two) == {"a": 120.0, "b": 120.0}
    assert [each for each in two.warnings if "logins a minute are configured" in each]
    one = effective(HEAD + BOX.format("a"))
    assert logins(one) == {"a": 60.0}
    assert not [each for each in one.warnings if "logins a minute are configured" in each]


def test_a_target_that_has_gone_has_the_interval_that_it_was_configured_with(effective):
    two = effective(HEAD + BOX.format("a") + BOX.format("b"))
    gone = next(target for target in two.targets if target.name == "b" and target.logins)
    assert effective(HEAD + BOX.format("a")).interval(gone) == 60.0
