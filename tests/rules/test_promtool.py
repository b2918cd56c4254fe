"""Tests of the shipped rules with promtool:

they are valid, and the unit tests of each alert cover all required cases.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.rules import slo
from deploy.rules.files import ALERT_FILE, DEPLOY, KUBERNETES_FILE, RECORDING_FILE
from tests.rules.lint import ANNOTATIONS, seconds
from tests.rules.shipped import EXAMPLE, KINDS, PROMETHEUS, RECORDING_TEST, Case, alerts, cases, groups, names, records
from tests.servers.process import binary

# What always fires cannot be silent or end; what tells that nothing is there is one alert, however many are missing.
NOT_SHOWN = {("Watchdog", kind) for kind in KINDS if kind != "fires"} | {("MailprobeAbsent", "replicas")}
LONGEST = {"description": 330, "description_zh": 170, "summary": 60, "summary_zh": 30}  # characters that a phone shows


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [binary("promtool", "prometheus"), *arguments], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [ALERT_FILE, RECORDING_FILE])
def test_the_rules_pass_promtools_lint(name):
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(PROMETHEUS / name))


def test_the_custom_resource_holds_the_same_rules(tmp_path):
    """With what an operator makes a rule file of."""
    resource = yaml.safe_load((DEPLOY / "kubernetes" / KUBERNETES_FILE).read_text(encoding="utf-8"))
    assert (resource["apiVersion"], resource["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert resource["spec"]["groups"] == [*groups(RECORDING_FILE), *groups(ALERT_FILE)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(resource["spec"]))
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(file))


def test_the_example_configuration_loads_with_the_rules(tmp_path):
    text = EXAMPLE.read_text(encoding="utf-8")
    for name in (RECORDING_FILE, ALERT_FILE):
        (tmp_path / name).write_text((PROMETHEUS / name).read_text(encoding="utf-8"))
    (tmp_path / EXAMPLE.name).write_text(text)
    promtool("check", "config", str(tmp_path / EXAMPLE.name))
    assert set(yaml.safe_load(text)["rule_files"]) == {RECORDING_FILE, ALERT_FILE}


# -- the unit tests -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alert", names())
def test_an_alert_does_what_its_unit_tests_say(alert, tmp_path):
    """Only with the rules that they ask about: promtool would evaluate all others, too, at each step."""
    by_file: dict[Path, list[Case]] = {}
    for case in cases():
        if case.shows[0][0] == alert:
            by_file.setdefault(case.file, []).append(case)
    assert by_file
    files = [_prepared(file, mine, tmp_path) for file, mine in by_file.items()]
    promtool("test", "rules", *map(str, files))


def _prepared(file: Path, mine: list[Case], folder: Path) -> Path:
    asked = {alert for case in mine for alert in case.mentioned()}
    rules = [rule for rule in alerts() if rule["alert"] in asked]
    made: list[dict[str, Any]] = [{"name": "mailprobe-slo", "rules": rules}]
    if any("target:mailprobe_" in rule["expr"] for rule in rules):
        made = [*groups(RECORDING_FILE), *made]
    text = (folder / f"{file.stem}.rules.yml", folder / file.name)
    text[0].write_text(yaml.safe_dump({"groups": made}, allow_unicode=True))
    document = {**mine[0].head, "rule_files": [str(text[0])], "tests": [case.test for case in mine]}
    text[1].write_text(yaml.safe_dump(document, allow_unicode=True))
    return text[1]


def test_the_unit_tests_run_as_they_are_against_the_shipped_files():
    """As the files' first line says."""
    promtool("test", "rules", str(PROMETHEUS / "tests" / "vantage.test.yml"))


@pytest.mark.parametrize("alert", names())
def test_an_alert_is_shown_to_fire_to_be_silent_to_resolve_and_to_survive_missing_data(alert):
    """And what it does where replicas disagree. A name that promises is held to it."""
    shown = {kind for case in cases() for name, kind in case.shows if name == alert}
    assert shown == set(KINDS) - {kind for name, kind in NOT_SHOWN if name == alert}
    for case in cases():
        for kind in (kind for name, kind in case.shows if name == alert):
            _is_shown(case, alert, kind)


def _is_shown(case: Case, alert: str, kind: str) -> None:
    fires = list(case.expected(alert))
    values = [str(series["values"]) for series in case.test["input_series"]]
    instances = {part for each in case.test["input_series"] for part in each["series"].split('"') if len(part) == 1}
    promised = {
        "fires": True in fires,
        "stays silent": False in fires,
        "resolves": True in fires and False in fires and _ends_silent(case, alert),
        "survives missing data": len(fires) > 1 and any("stale" in each or "_" in each for each in values),
        "replicas": len(instances) > 1 and bool(fires),
    }
    assert promised[kind], f"{case.name}: does not show that it {kind}"


def test_every_alert_is_compared_word_for_word_at_each_of_its_severities():
    compared = {
        (check["alertname"], each["exp_labels"]["severity"])
        for case in cases()
        for check in case.test.get("alert_rule_test", ())
        for each in check["exp_alerts"]
        if set(each["exp_annotations"]) - {"since", "until", "lasted"} == set(ANNOTATIONS)
    }
    assert compared == {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}


@pytest.mark.parametrize("window", slo.WINDOWS, ids=lambda window: window.long)
def test_an_error_budget_is_told_only_of_a_window_that_has_data_of_all_of_it(window, tmp_path):
    """A mailbox fails every other look. Half of the long window says nothing yet about the whole."""
    long = seconds(window.long)
    of = '{job="mailprobe",instance="a",target="sales",kind="mailbox",provider="qq",domain="a.example",probe="imap"}'
    step = 150 if long < 7200 else 300
    looks = int(1.3 * long / step)
    series = [
        {"series": f"mailprobe_probe_success{of}", "values": " ".join(["1", "0"] * (looks // 2))},
        {"series": f"mailprobe_probe_failures_total{of}", "values": " ".join(str(n // 2) for n in range(looks))},
    ]
    asked = f'count(ALERTS{{alertname="MailErrorBudgetBurn",long="{window.long}",alertstate="firing"}})'
    checks = [
        {
            "expr": asked,
            "eval_time": f"{int(part * long)}s",
            "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
        }
        for part, fires in ((0.5, False), (0.7, False), (1.2, True))
    ]
    rules = [rule for rule in alerts() if rule["alert"] == "MailErrorBudgetBurn"]
    (tmp_path / "rules.yml").write_text(
        yaml.safe_dump({"groups": [*groups(RECORDING_FILE), {"name": "mailprobe-slo", "rules": rules}]})
    )
    test = {"interval": f"{step}s", "input_series": series, "promql_expr_test": checks}
    order = ["mailprobe-slo-fast", "mailprobe-slo-slow", "mailprobe-slo"]
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "150s", "group_eval_order": order, "tests": [test]}
    (tmp_path / "budget.test.yml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", str(tmp_path / "budget.test.yml"))


def _ends_silent(case: Case, alert: str) -> bool:
    """The last check of it, by time, finds nothing that fires."""
    asked = [
        (seconds(check["eval_time"]), bool(check["exp_alerts"]))
        for check in case.test.get("alert_rule_test", ())
        if check["alertname"] == alert
    ] + [
        (seconds(check["eval_time"]), bool(check["exp_samples"]))
        for check in case.test.get("promql_expr_test", ())
        if f'alertname="{alert}"' in check["expr"]
    ]
    return not max(asked)[1]


def test_texts_are_short_enough_for_a_phone():
    for case in cases():
        for check in case.test.get("alert_rule_test", ()):
            for each in check["exp_alerts"]:
                for name, longest in LONGEST.items():
                    text = each["exp_annotations"][name]
                    assert len(text) <= longest, f"{check['alertname']}: {name} has {len(text)} characters: {text}"


def test_what_is_recorded_is_right():
    """Each series has its own test, or is part of what MailErrorBudgetBurn reads."""
    promtool("test", "rules", str(RECORDING_TEST))
    asked = RECORDING_TEST.read_text(encoding="utf-8")
    budget = "".join(rule["expr"] for rule in (*alerts(), *records()) if "target:mailprobe_probe_" in rule["expr"])
    for rule in records():
        assert rule["record"] in asked or rule["record"] in budget, rule["record"]
