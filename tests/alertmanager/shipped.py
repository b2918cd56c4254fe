"""Parses the shipped Alertmanager configuration, its matchers, and the table of alerts that it must route."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deploy" / "alertmanager" / "alertmanager.example.yml"
TEMPLATES = ROOT / "deploy" / "alertmanager" / "templates" / "mailprobe.tmpl"
TABLE = ROOT / "tests" / "alertmanager_routes.txt"
RULES = ROOT / "deploy" / "prometheus" / "mailprobe.alerts.yml"
RULE_TESTS = ROOT / "deploy" / "prometheus" / "tests"

Labels = Mapping[str, str]

_MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label, as in Alertmanager. A missing label counts as empty."""

    label: str
    sign: str
    value: str

    def takes(self, labels: Labels) -> bool:
        found = labels.get(self.label, "")
        same = bool(re.fullmatch(self.value, found)) if "~" in self.sign else found == self.value
        return same is (self.sign in ("=", "=~"))

    @property
    def guard(self) -> bool:
        return (self.sign, self.value) == ("!=", "")


def matchers(words: Iterable[str]) -> tuple[Matcher, ...]:
    found = []
    for each in words:
        parts = _MATCHER.fullmatch(each)
        assert parts, f"not a matcher with a quoted value, which later Alertmanagers want: {each}"
        found.append(Matcher(*parts.groups()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Inhibition:
    """A firing source mutes the targets that have the same value in all labels of `equal`."""

    number: int
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.number}-{'-'.join(self.equal)}"


def takes(conditions: Iterable[Matcher], labels: Labels, *, guarded: bool = True) -> bool:
    """Return whether the rule applies to these labels, without its guards against missing labels."""
    return all(each.takes(labels) for each in conditions if guarded or not each.guard)


@cache
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return loaded


@cache
def inhibitions() -> tuple[Inhibition, ...]:
    return tuple(
        Inhibition(
            number, matchers(rule["source_matchers"]), matchers(rule["target_matchers"]), tuple(rule.get("equal", ()))
        )
        for number, rule in enumerate(config()["inhibit_rules"], 1)
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: the receivers of an alert with these labels."""

    receivers: tuple[str, ...]
    labels: Labels

    @property
    def key(self) -> tuple[str, str]:
        return self.labels["alertname"], self.labels.get("severity", "")

    def __str__(self) -> str:
        known = self.labels
        return "-".join(filter(None, (*self.key, "" if known.get("provider") or "job" not in known else "plain")))


@cache
def rows() -> tuple[Row, ...]:
    found = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            labels = dict(word.split("=", 1) for word in words[1:])
            found.append(Row(tuple(words[0].split(",")), labels))
    return tuple(found)


def row(alert: str, severity: str) -> Row:
    """Return the first row of this alert."""
    return next(each for each in rows() if each.key == (alert, severity))


def ours() -> Iterator[Row]:
    """Return the rows about mailprobe's alerts."""
    yield from (each for each in rows() if each.labels["alertname"] != "Other")


@cache
def alerts() -> tuple[Mapping[str, Any], ...]:
    """Return the shipped alerting rules."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return tuple(rule for group in groups for rule in group["rules"] if "alert" in rule)


@cache
def seen() -> tuple[Labels, ...]:
    """Return the labels that Prometheus gives the alerts, from the rules' unit tests, where promtool compares them."""
    found = []
    for file in sorted(RULE_TESTS.glob("*.yml")):
        for case in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
            for each in case.get("alert_rule_test", ()):
                for expected in filter(lambda wanted: isinstance(wanted, dict), each.get("exp_alerts") or ()):
                    labels = {name: str(value) for name, value in (expected.get("exp_labels") or {}).items()}
                    found.append({"alertname": each["alertname"], **labels})
    return tuple(found)
