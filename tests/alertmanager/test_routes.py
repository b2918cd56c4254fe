"""Tests that the shipped configuration is valid and sends every alert to the right receivers, with amtool."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.alertmanager.pushed import NAMES, pushed
from tests.alertmanager.shipped import CONFIG, TABLE, TEMPLATES, Labels, Row, alerts, config, matchers, ours, rows, seen
from tests.servers.process import binary

RECEIVERS = {each["name"]: each for each in config()["receivers"]}
CONFIGURED = {"tenant", "team"}  # labels that a user has added to the targets


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary("amtool", "prometheus-alertmanager"), *arguments], capture_output=True, text=True, check=False
    )


def routed(labels: Labels) -> list[str]:
    """Return the receivers that amtool finds, in order."""
    done = amtool("config", "routes", "test", f"--config.file={CONFIG}", *(f"{k}={v}" for k, v in labels.items()))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split(",")


def routes(route: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield route
    for each in route.get("routes", ()):
        yield from routes(each)


def messengers(receiver: str) -> set[str]:
    """Return the kinds of messages that a receiver sends: "slack", "webhook" …"""
    return {key.removesuffix("_configs") for key, value in RECEIVERS[receiver].items() if key != "name" and value}


def test_the_configuration_is_accepted_with_its_templates():
    done = amtool("check-config", str(CONFIG))
    assert done.returncode == 0, done.stderr
    assert " - 1 templates" in done.stdout


@pytest.mark.parametrize("row", rows(), ids=str)
def test_an_alert_reaches_those_that_the_table_says(row: Row):
    assert routed(row.labels) == list(row.receivers)


def test_the_table_knows_every_alert_at_every_severity_and_no_other():
    shipped = {(each["alert"], each["labels"]["severity"]) for each in alerts()}
    listed = {row.key for row in ours()}
    assert shipped - listed == set(), f"not in {TABLE.name}"
    assert {name for name, _ in listed} - {name for name, _ in shipped} - {"Watchdog"} == set()


def test_the_table_has_the_labels_that_prometheus_gives_them():
    """The labels are compared by promtool in the rules' own unit tests. `provider` may be empty."""
    found: dict[tuple[str, str], set[frozenset[str]]] = {}
    for row in ours():
        found.setdefault(row.key, set()).add(frozenset(row.labels) - {"provider"})
    told = set()
    for labels in seen():
        key = labels["alertname"], labels["severity"]
        names = frozenset(name for name, value in labels.items() if value) - {"provider", *CONFIGURED}
        assert names in found[key], labels
        told.add(key[0])
    assert told | {"Watchdog"} == {name for name, _ in found}


def test_what_the_daemon_pushes_goes_where_the_alert_of_the_same_name_goes():
    where = {row.key: list(row.receivers) for row in rows()}
    met: Counter[str] = Counter()
    kinds = {tuple(sorted({**each, "target": "", "mailbox": ""}.items())): each for each in pushed()}
    for labels in kinds.values():
        met[labels["alertname"]] += 1
        assert routed(labels) == where[labels["alertname"], labels["severity"]], labels
    assert set(met) == NAMES


@pytest.mark.parametrize("row", [row for row in rows() if row.labels.get("severity") == "critical"], ids=str)
def test_mail_is_never_the_only_messenger_of_what_is_critical(row: Row):
    assert any(messengers(receiver) - {"email"} for receiver in row.receivers)
    assert [receiver for receiver in row.receivers if messengers(receiver) <= {"email"}] == []


def test_every_receiver_is_used_and_every_route_has_one():
    used = {route["receiver"] for route in routes(config()["route"])}
    assert used == set(RECEIVERS)
    assert messengers("null") == set()


def test_matchers_are_written_as_later_alertmanagers_want_them():
    for route in routes(config()["route"]):
        assert "match" not in route
        assert "match_re" not in route
        assert matchers(route.get("matchers", ())) is not None
        assert "..." not in route.get("group_by", ())


def test_a_critical_alert_waits_for_its_cause_but_not_where_nobody_watches():
    """The alerts of causes fire a minute or more earlier. Alerts without such a step must arrive within group_wait."""
    root = config()["route"]
    waits = {}
    for route in routes(root):
        if route["receiver"] == "pager":
            quick = "vantage" in "".join(route["matchers"]) and "=~" in "".join(route["matchers"])
            waits[quick] = route.get("group_wait", root["group_wait"])
    assert waits == {True: "10s", False: "20s"}


def test_what_stands_in_comments_for_this_version_loads_too(tmp_path: Path):
    """Alternative receivers; keys that are newer than version 0.25 are at the end of a line, or marked in the text."""
    text = CONFIG.read_text(encoding="utf-8").replace("templates/", f"{TEMPLATES.parent}/")
    blocks = re.findall(r"    # \w+_configs:\n(?:    #   .*\n)+", text)
    assert {block.split(":")[0].strip(" #") for block in blocks} == {
        "pagerduty_configs", "webhook_configs", "telegram_configs", "email_configs",
    }  # fmt: skip
    for block in blocks:
        text = text.replace(block, block.replace("    # ", "    "))
    file = tmp_path / "alertmanager.yml"
    file.write_text(text, encoding="utf-8")
    done = amtool("check-config", str(file))
    assert done.returncode == 0, done.stderr


def test_secrets_are_files():
    """Except where version 0.25 has no key for a file."""
    text = CONFIG.read_text(encoding="utf-8")
    inline = [line for line in text.splitlines() if "REPLACE" in line and not line.lstrip().startswith("#")]
    assert [line.split(":")[0].strip(" -") for line in inline] == ["corp_id", "api_secret"]
    assert "credentials:" not in text
