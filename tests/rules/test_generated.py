"""Tests of the generator of rules: the committed files, the options, and the agreement with pushed alerts."""

from __future__ import annotations

import json
import re

import promql_parser as promql
import pytest
import yaml

from deploy.rules.__main__ import main
from deploy.rules.book import ALERTS, RECORDINGS, alerts
from deploy.rules.files import ALERT_FILE, KUBERNETES_FILE, MIXIN_FILE, RECORDING_FILE, rule_files, shipped
from deploy.rules.rule import Options
from deploy.rules.writer import as_data
from exporter.incidents import alert_labels
from exporter.model.phrases import texts
from tests.alertmanager.pushed import pushed
from tests.rules.output import SCRAPED, walk

FILES = {ALERT_FILE, RECORDING_FILE, KUBERNETES_FILE, MIXIN_FILE}


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_what_is_committed_is_what_the_generator_makes(path):
    assert path.read_text(encoding="utf-8") == shipped()[path], "run `python -m deploy.rules`"


@pytest.mark.parametrize(
    "options",
    [Options(), Options('job="mail",site=~"a|b"', ("instance", "pod"), "https://p", "https://g", watchdog=False)],
    ids=["default", "chosen"],
)
def test_the_yaml_reads_back_as_what_the_tables_say(options):
    """Folding, quoting and comments lose and add nothing."""
    for name, groups in ((ALERT_FILE, ALERTS), (RECORDING_FILE, RECORDINGS)):
        read = yaml.safe_load(rule_files(options)[name])["groups"]
        assert read == [as_data(group, options) for group in groups]


def test_a_selector_comes_to_every_series():
    chosen = rule_files(Options(selector='job="mail",site="berlin"'))
    for name in (ALERT_FILE, RECORDING_FILE):
        for group in yaml.safe_load(chosen[name])["groups"]:
            for rule in group["rules"]:
                for node, _ in walk(promql.parse(rule["expr"])):
                    if isinstance(node, promql.VectorSelector) and ":" not in str(node.name) and node.name != "ALERTS":
                        found = {matcher.name: matcher.value for matcher in node.matchers.matchers}
                        assert (found.get("job"), found.get("site")) == ("mail", "berlin"), rule["expr"]


def test_replica_labels_are_taken_off_together():
    chosen = yaml.safe_load(rule_files(Options(replica_labels=("instance", "pod")))[ALERT_FILE])["groups"]
    exprs = [rule["expr"] for group in chosen for rule in group["rules"]]
    assert any("without (instance, pod)" in expr for expr in exprs)
    for expr in exprs:
        assert not re.search(r"\binstance\b(?!, pod)", expr), expr


def test_links_lead_to_grafana_where_it_is_named():
    text = rule_files(Options(grafana_url="https://grafana.example.com"))[ALERT_FILE]
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            url = rule["annotations"]["dashboard_url"]
            assert url.startswith("https://grafana.example.com/d/mailprobe-")
            assert "/runbooks/" + rule["alert"] in rule["annotations"]["runbook_url"]


def test_watchdog_can_be_left_out():
    assert "- alert: Watchdog\n" in rule_files(Options())[ALERT_FILE]
    assert "Watchdog" not in rule_files(Options(watchdog=False))[ALERT_FILE]


def test_the_command_line_writes_into_a_folder(tmp_path):
    assert main(["--out", str(tmp_path / "new"), "--selector", 'job="mail", site=~"a|b"', "--no-watchdog"]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES
    text = (tmp_path / "new" / ALERT_FILE).read_text(encoding="utf-8")
    assert 'up{job="mail",site=~"a|b"} == 0' in text
    json.loads((tmp_path / "new" / MIXIN_FILE).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--selector", "job=mail"], "must be label matchers"),
        (["--selector", 'job="a" site="b"'], "a comma is missing"),
        (["--replica-labels", "instance,pod-name"], "must be names of labels"),
        (["--mailprobe-url", "mailprobe:9826"], "must be like https://"),
        (["--grafana-url", "https://g/?x=1"], "must be like https://"),
        (["--no-watchdog"], "--out is needed"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(arguments, complaint, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


# -- the same alerts, when mailprobe pushes them itself -------------------------------------------------------------


def test_a_pushed_alert_has_the_name_severity_and_summary_of_the_rule():
    known = {(each.name, each.severity): each for each in reversed([*alerts()])}
    for labels in pushed():
        if labels["alertname"] != "Watchdog":
            assert (labels["alertname"], labels["severity"]) in known, labels
    summaries = {(each.name, each.en.summary, each.zh.summary) for each in alerts()}
    for name, english in texts("en")["alerts"].items():
        assert (name, english, texts("zh")["alerts"][name]) in summaries


def test_a_pushed_alert_carries_only_labels_that_the_rules_have_too():
    ours = {"alertname", "severity", "layer", "mailbox", "target", "kind", "provider", "domain", "from", "to"}
    for labels in pushed():
        assert set(labels) <= ours | {"protocol", "server", "port"} | SCRAPED - {"instance"}
    assert alert_labels.JOB == "mailprobe"
