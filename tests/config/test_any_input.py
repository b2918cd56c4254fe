"""Tests that any file content gives a Config or a ConfigError: no other exception, and no value of a secret key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import ConfigError, load, redacted
from exporter.config.schema import daemon, targets
from exporter.targets.build import build

KEYS = sorted(
    {
        field.alias or name
        for model in (
            targets.Main,
            targets.Included,
            daemon.Defaults,
            targets.Mailbox,
            targets.ImapServer,
            targets.Domain,
            targets.Route,
        )
        for name, field in model.model_fields.items()
    }
    | {"prot", "oauth2", "<<", "a b", "host:x"}
)
VALUES = [
    "",
    "off",
    "tls",
    "993",
    "5m",
    "20",
    "sales@163.com",
    "sales",
    "example.com",
    "qq",
    "system",
    "../x",
    "*",
    "\0",
    "é",
]
LEAVES = st.sampled_from(VALUES) | st.none()
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
LISTS = ("mailboxes", "domains", "endpoints", "routes", "include", "resolvers", "alert_labels")
FILES = st.fixed_dictionaries(
    {}, optional={key: st.lists(TREES, max_size=3) | TREES for key in (*LISTS, "defaults", "limits")}
)
SLOW = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
CANARY = "canary-9f2c"


def answer(path: Path) -> str:
    try:
        config = load(path)
        return redacted(config) + str(build(config).warnings) + str(config.warnings)
    except ConfigError as exc:
        return str(exc) + repr(exc)


@SLOW
@given(st.binary(max_size=300))
def test_any_bytes(tmp_path, data):
    (tmp_path / "config.yaml").write_bytes(data)
    assert answer(tmp_path / "config.yaml") is not None


@SLOW
@given(FILES)
def test_any_values_under_known_keys(tmp_path, tree):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), "utf-8")
    assert answer(tmp_path / "config.yaml") is not None


SLIPS: list[Any] = [
    f"password: {CANARY}",
    f"password: [{CANARY}]",
    f"password: {{{CANARY}: x}}",
    f"password: {{x: {CANARY}}}",
    f"password:{CANARY}",
    f"password={CANARY}",
    f"password : {CANARY}: {CANARY}",
    f"password: *{CANARY}",
    f"password: '{CANARY}",
    f"password: !{CANARY}",
    f"passwort: {CANARY}",
    f"password_command: [echo, {CANARY}]",
    f"password_command: echo {CANARY}",
    f"password: {CANARY}\n    password: {CANARY}",
    f"oauth2: {{client_secret: {CANARY}}}",
    f"imap: {{host: imap.example.com, password: {CANARY}}}",
    f"imap: {CANARY}",
    f"smtp: {{port: {CANARY}, interval: {CANARY}, host: '{CANARY}:1'}}",
]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_password_that_slipped_is_not_repeated(tmp_path, slip):
    (tmp_path / "config.yaml").write_text(f"mailboxes:\n  - address: a@example.com\n    {slip}\n", "utf-8")
    assert CANARY not in answer(tmp_path / "config.yaml")
