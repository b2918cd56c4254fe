"""Parses the shipped rule files and their unit tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from deploy.rules.files import ALERT_FILE, DEPLOY, RECORDING_FILE

Yaml = Any
PROMETHEUS = DEPLOY / "prometheus"
UNIT_TESTS = PROMETHEUS / "tests"
RECORDING_TEST = UNIT_TESTS / "recording.test.yml"
EXAMPLE = PROMETHEUS / "prometheus.example.yml"

KINDS = ("fires", "stays silent", "resolves", "survives missing data", "replicas")
_PART = re.compile(r"(?P<alert>\w+): (?P<kinds>[a-z ,]+?)(?: – .*)?")


@cache
def groups(name: str) -> tuple[Yaml, ...]:
    return tuple(yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"])


@cache
def alerts() -> tuple[Mapping[str, Yaml], ...]:
    return tuple(rule for group in groups(ALERT_FILE) for rule in group["rules"])


@cache
def records() -> tuple[Mapping[str, Yaml], ...]:
    return tuple(rule for group in groups(RECORDING_FILE) for rule in group["rules"])


def names() -> tuple[str, ...]:
    """Return the names of all alerts, without duplicates."""
    return tuple(dict.fromkeys(rule["alert"] for rule in alerts()))


def title(rule: Mapping[str, Yaml]) -> str:
    """Return the title of a rule, for the name of a test."""
    labels = rule.get("labels", {})
    more = [labels[name] for name in ("severity", "long", "protocol") if name in labels]
    return "-".join([rule.get("alert") or rule["record"], *more, *(["other"] if _is_other(rule) else [])])


def _is_other(rule: Mapping[str, Yaml]) -> bool:
    """Return whether this is the rule without the label `mailbox`, of two that differ only in that."""
    same = [each for each in alerts() if each.get("alert") == rule.get("alert")]
    return any("mailbox" in each["labels"] for each in same) and "mailbox" not in rule.get("labels", {})


@dataclass(frozen=True, slots=True)
class Case:
    """One unit test. `shows`: the (alert, kind) pairs that its name promises."""

    file: Path
    head: Mapping[str, Yaml]  # settings of the file: evaluation_interval …
    test: Mapping[str, Yaml]
    shows: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return str(self.test["name"])

    def expected(self, alert: str) -> Iterator[bool]:
        """Return for each check of this alert whether it must fire."""
        for check in self.test.get("alert_rule_test", ()):
            if check["alertname"] == alert:
                yield bool(check["exp_alerts"])
        for check in self.test.get("promql_expr_test", ()):
            if f'alertname="{alert}"' in check["expr"]:
                yield bool(check["exp_samples"])

    def mentioned(self) -> set[str]:
        """Return all alerts that are checked."""
        asked = {check["alertname"] for check in self.test.get("alert_rule_test", ())}
        for check in self.test.get("promql_expr_test", ()):
            asked.update(re.findall(r'alertname="(\w+)"', check["expr"]))
        return asked


@cache
def cases() -> tuple[Case, ...]:
    """Return the unit tests of all alerts."""
    found = []
    for file in sorted({*UNIT_TESTS.glob("*.test.yml")} - {RECORDING_TEST}):
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
        head = {key: value for key, value in loaded.items() if key not in ("tests", "rule_files")}
        found += [Case(file, head, test, _shows(test["name"])) for test in loaded["tests"]]
    return tuple(found)


def _shows(name: str) -> tuple[tuple[str, str], ...]:
    """Parse `Alert: fires, resolves – how; Other: replicas – how` into pairs."""
    found = []
    for part in re.split(r"; (?=\w+: )", name):
        parsed = _PART.fullmatch(part)
        assert parsed, f"not of the form `Alert: what is shown – how`: {part}"
        found += [(parsed["alert"], kind.strip()) for kind in parsed["kinds"].split(",")]
    return tuple(found)
