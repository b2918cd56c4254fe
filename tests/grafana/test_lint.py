"""Tests that the rules of dashboard-linter find nothing but the exceptions, each of which has its reason in `.lint`."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.grafana.panels import FOLDER, LANGUAGES, NAMES, Json, dashboard
from tests.grafana.rules import RULES, lint


def exceptions(language: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / language / ".lint").read_text(encoding="utf-8"))
    found: dict[str, Any] = loaded["exclusions"]
    return found


def test_all_of_its_rules_are_here():
    assert len(RULES) == 17


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_rules_hold_but_for_the_exceptions(language: str):
    """Each exception is also needed: one that is not must be removed."""
    said = {
        (each.rule, dashboard(name, language)["title"], each.panel)
        for name in NAMES
        for each in lint(dashboard(name, language))
    }
    allowed = {
        (rule, entry["dashboard"], entry["panel"])
        for rule, given in exceptions(language).items()
        for entry in given["entries"]
    }
    assert said == allowed


def test_each_exception_has_a_reason():
    assert all(len(given["reason"]) > 20 for given in exceptions("en").values())


def spoil(rule: str, made: Json) -> None:
    """Break one rule."""
    by_name = {each["name"]: each for each in made["templating"]["list"]}
    panel = next(each for each in made["panels"] if each["type"] == "timeseries")
    target = panel["targets"][0]
    mine = 'mailprobe_probes_total{job=~"$job", instance=~"$instance"}'
    match rule:
        case "template-datasource-rule":
            by_name["datasource"]["label"] = "Source"
        case "template-job-rule" | "template-instance-rule":
            by_name[rule.split("-")[1]]["multi"] = False
        case "template-label-promql-rule":
            by_name["probe"]["query"]["query"] = "label_values(x{, probe)"
        case "template-on-time-change-reload-rule":
            by_name["target"]["refresh"] = 1
        case "uneditable-dashboard":
            made["editable"] = True
        case "panel-datasource-rule":
            panel["datasource"] = {"type": "prometheus", "uid": "abc"}
        case "panel-title-description-rule":
            panel["description"] = ""
        case "panel-units-rule":
            panel["fieldConfig"]["defaults"]["unit"] = "seconds"
        case "panel-no-targets-rule":
            panel["targets"] = []
        case "target-logql-rule":
            target["datasource"] = {"type": "loki", "uid": "${datasource}"}
        case "target-logql-auto-rule":
            target["expr"] = f"increase({mine}[$__auto])"
        case "target-promql-rule":
            target["expr"] = "sum by (job"
        case "target-rate-interval-rule":
            target["expr"] = f"rate({mine}[5m])"
        case "target-job-rule":
            target["expr"] = 'up{instance=~"$instance"}'
        case "target-instance-rule":
            target["expr"] = 'up{job=~"$job"}'
        case _:
            target["expr"] = mine


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_rule_finds_what_it_is_there_for(rule: str):
    made = dashboard("capacity")
    assert list(RULES[rule](made)) == []
    spoil(rule, made)
    assert list(RULES[rule](made))
