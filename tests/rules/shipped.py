"""The shipped rule files and their unit tests, as data."""

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
    """Of all alerts, each once."""
    return tuple(dict.fromkeys(rule["alert"] for rule in alerts()))


def title(rule: Mapping[str, Yaml]) -> str:
    """Of a rule, for the name of a test."""
    labels = rule.get("labels", {})
    more = [labels[name] for name in ("severity", "long", "protocol") if name in labels]
    return "-".join([rule.get("alert") or rule["record"], *more, *(["other"] if _is_other(rule) else [])])


def _is_other(rule: Mapping[str, Yaml]) -> bool:
    """One of two rules that differ in their having a label `mailbox`."""
    same = [each for each in alerts() if each.get("alert") == rule.get("alert")]
    return any("mailbox" in each["labels"] for each in same) and "mailbox" not in rule.get("labels", {})


@dataclass(frozen=True, slots=True)
class Case:
    """One unit test. `shows`: (alert, kind) pairs that its name promises."""

    file: Path
    head: Mapping[str, Yaml]  # of the file: evaluation_interval …
    test: Mapping[str, Yaml]
    shows: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return str(self.test["name"])

    def expected(self, alert: str) -> Iterator[bool]:
        """For each check of this alert, whether it fires then."""
        for check in self.test.get("alert_rule_test", ()):
            if check["alertname"] == alert:
                yield bool(check["exp_alerts"])
        for check in self.test.get("promql_expr_test", ()):
            if f'alertname="{alert}"' in check["expr"]:
                yield bool(check["exp_samples"])

    def mentioned(self) -> set[str]:
        """All alerts that are asked for."""
        asked = {check["alertname"] for check in self.test.get("alert_rule_test", ())}
        for check in self.test.get("promql_expr_test", ()):
            asked.update(re.findall(r'alertname="(\w+)"', check["expr"]))
        return asked


@cache
def cases() -> tuple[Case, ...]:
    """All of alerts."""
    found = []
    for file in sorted({*UNIT_TESTS.glob("*.test.yml")} - {RECORDING_TEST}):
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
        head = {key: value for key, value in loaded.items() if key not in ("tests", "rule_files")}
        found += [Case(file, head, test, _shows(test["name"])) for test in loaded["tests"]]
    return tuple(found)


def _shows(name: str) -> tuple[tuple[str, str], ...]:
    """`Alert: fires, resolves – how; Other: replicas – how` as pairs."""
    found = []
    for part in re.split(r"; (?=\w+: )", name):
        parsed = _PART.fullmatch(part)
        assert parsed, f"not of the form `Alert: what is shown – how`: {part}"
        found += [(parsed["alert"], kind.strip()) for kind in parsed["kinds"].split(",")]
    return tuple(found)
