"""Tests of the lint: it finds nothing in the shipped rules, and each kind of error in wrong rules."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import promql_parser as promql
import pytest
import yaml

from deploy.rules import book
from exporter.model.reasons import Layer
from tests.alertmanager.shipped import inhibitions, seen
from tests.rules.lint import complaints, recording_complaints, seconds
from tests.rules.output import Labels, labels
from tests.rules.shipped import EXAMPLE, alerts, names, records, title

OF_A_CAUSE = ("MailDNSFailing", "MailDNSRecordMissing", "MailProviderOutage", "MailHostOutage", "MailDomainOutage",
              "MailEndpointDown", "MailLoginFailing", "MailLoginRejected", "MailprobeAllVantagesOffline")  # fmt: skip


@cache
def recorded() -> dict[str, frozenset[Labels]]:
    """The labels of what is recorded, in the order of the file: a rule may read those before it."""
    found: dict[str, frozenset[Labels]] = {}
    for rule in records():
        found[rule["record"]] = labels(promql.parse(rule["expr"]), found)
    return found


@cache
def scrape_interval() -> float:
    return seconds(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["global"]["scrape_interval"])


@pytest.mark.parametrize("rule", alerts(), ids=title)
def test_an_alert_has_nothing_to_complain_about(rule):
    assert list(complaints(rule, recorded(), scrape_interval())) == []


@pytest.mark.parametrize("rule", records(), ids=title)
def test_a_recording_rule_has_nothing_to_complain_about(rule):
    assert list(recording_complaints(rule, recorded())) == []


def test_the_labels_read_from_expressions_are_those_that_promtool_sees():
    """So that what the lint says of labels is true. `seen`: of every alert in the unit tests."""
    assert {each["alertname"] for each in seen()} == set(names())
    for each in seen():
        mine = {name for name, value in each.items() if value} - {"tenant"}  # a configured label of a test
        same = [rule for rule in alerts() if (rule["alert"], rule["labels"]["severity"]) == _key(each)]
        assert any(
            {"alertname", *rule["labels"]} <= mine <= {"alertname", *rule["labels"], *output}
            for rule in same
            for output in labels(promql.parse(rule["expr"]), recorded())
        ), each


def _key(seen_labels: Mapping[str, str]) -> tuple[str, str]:
    return seen_labels["alertname"], seen_labels["severity"]


def test_every_alert_that_mutes_others_has_the_labels_by_which_they_are_compared():
    for rule in inhibitions():
        for alert in alerts():
            static = {"alertname": alert["alert"], **{k: v for k, v in alert["labels"].items() if "{{" not in v}}
            meant = [each for each in rule.source if not each.guard]
            if not any(each.label == "alertname" for each in meant) or not all(each.takes(static) for each in meant):
                continue  # it is chosen by layer or severity, and spared by the guard where the label is missing
            outputs = labels(promql.parse(alert["expr"]), recorded())
            known = [{*output, *static, *alert["labels"]} for output in outputs]
            assert any(set(rule.equal) <= each for each in known), f"{title(alert)}, inhibition {rule}"


def wait(name: str) -> float:
    """The shortest `for` of an alert."""
    return min(seconds(rule.get("for", "0s")) for rule in alerts() if rule["alert"] == name)


def test_a_cause_fires_before_what_follows_from_it():
    """Vantage < dns = outage < endpoint < login < delivery; and it stays until those are gone."""
    assert wait("MailprobeAllVantagesOffline") < wait("MailDNSFailing")
    for outage in ("MailProviderOutage", "MailHostOutage", "MailDomainOutage"):
        assert wait("MailDNSFailing") == wait(outage) < wait("MailEndpointDown")
    assert wait("MailEndpointDown") < wait("MailLoginFailing")
    (overdue,) = (rule for rule in alerts() if rule["alert"] == "MailRoundTripOverdue")
    age = 240.0
    assert f", {age:g})" in overdue["expr"]
    assert age + wait("MailRoundTripOverdue") >= 360 > wait("MailLoginFailing")
    steps = ("MailprobeAllVantagesOffline", "MailDNSFailing", "MailEndpointDown", "MailLoginFailing")
    assert sorted(map(kept, steps), reverse=True) == list(map(kept, steps))
    assert len(set(map(kept, steps))) == len(steps)
    assert {kept(cause) for cause in OF_A_CAUSE if cause not in steps} <= set(map(kept, steps))


def kept(name: str) -> float:
    """The shortest time that an alert stays after its fault, in seconds."""
    return min(seconds(alert.stays or "0s") for alert in book.alerts() if alert.name == name)


def test_every_layer_that_can_fail_has_an_alert_and_each_alert_one_layer():
    layers = {name: {rule["labels"]["layer"] for rule in alerts() if rule["alert"] == name} for name in names()}
    assert all(len(each) == 1 for each in layers.values())
    # what is wrong in a mailbox (a folder is missing) is told by MailLoginFailing: the mailbox cannot be used
    assert {layer for each in layers.values() for layer in each} == {*Layer, "slo"} - {Layer.MAILBOX}


GOOD: dict[str, Any] = {
    "alert": "MailTest",
    "expr": 'avg without (instance) (max_over_time(mailprobe_probe_success{probe="imap"}[3m])) < 0.5',
    "for": "5m",
    "labels": {"severity": "critical", "layer": "auth"},
    "annotations": {
        "summary": "It fails", "description": "{{ $labels.target }} fails", "summary_zh": "失败",
        "description_zh": "{{ $labels.target }} 失败", "runbook_url": "http://x/", "dashboard_url": "http://x/",
    },
}  # fmt: skip
INFO = "mailprobe_probe_failure_info"

BAD: dict[str, dict[str, Any]] = {
    "always fires": {"expr": "avg without (instance) (max_over_time(mailprobe_probe_success[3m]))"},
    "always fires ": {"expr": "max without (instance) (max_over_time(mailprobe_probe_success[3m]) < bool 1)"},
    "topk": {"expr": "topk(3, max without (instance) (max_over_time(mailprobe_probe_success[3m]))) < 1"},
    "is a counter": {"expr": "sum without (instance) (mailprobe_probe_failures_total) > 3"},
    "which is a gauge": {"expr": "max without (instance) (rate(mailprobe_quota_used_bytes[5m])) > 3"},
    "which is a counter": {"expr": "max without (instance) (deriv(mailprobe_probes_total[5m])) > 3"},
    "aggregate then": {"expr": "rate(sum without (instance) (mailprobe_probes_total)[5m:1m]) > 3"},
    "read at one moment": {"expr": "avg without (instance) (mailprobe_probe_success) < 0.5"},
    "is no metric": {"expr": "max without (instance) (max_over_time(mailprobe_probe_sucess[3m])) < 1"},
    "has no label prob": {"expr": 'max without (instance) (max_over_time(mailprobe_probe_success{prob="a"}[3m])) < 1'},
    "is no probe": {"expr": 'max without (instance) (max_over_time(mailprobe_probe_success{probe="pop"}[3m])) < 1'},
    "is no reason": {"expr": f'max by (job) (max_over_time({INFO}{{reason=~"timeout|late"}}[3m])) > 0'},
    "is no pattern": {"expr": 'max by (job) (max_over_time(mailprobe_probe_success{probe=~"imap"}[3m])) < 1'},
    "anchored already": {"expr": 'max by (job) (max_over_time(mailprobe_probe_success{probe=~"imap|smtp$"}[3m])) < 1'},
    "matches everything": {"expr": 'max by (job) (max_over_time(mailprobe_probe_success{target=~".+"}[3m])) < 1'},
    "aggregate that side": {
        "expr": "max without (instance) (max_over_time(mailprobe_probe_success[3m]))"
        " < on (job, target) (max_over_time(mailprobe_probe_inconclusive[3m]))"
    },
    "decides whether": {
        "expr": "max without (instance) (max_over_time(mailprobe_probe_success[3m])) < 1"
        " and on (job, target) max_over_time(mailprobe_target_info[3m])"
    },
    "two scrapes": {"expr": 'absent(up{job="mailprobe"})', "for": "30s"},
    "reason is a label": {"expr": f"max without (instance) (max_over_time({INFO}[3m])) > 0"},
    "instance is a label": {"expr": "max_over_time(mailprobe_probe_success[3m]) < 1"},
    "job is no label": {"expr": "max without (instance, job) (max_over_time(mailprobe_probe_success[3m])) < 1"},
    "is no severity": {"labels": {"severity": "page", "layer": "auth"}},
    "is no layer": {"labels": {"severity": "critical", "layer": "meta"}},
    "has the value in it": {"labels": {"severity": "info", "layer": "auth", "age": "{{ $value }}"}},
    "is looked up": {"labels": {"severity": "info", "layer": "auth", "why": '{{ query "x" }}'}},
    "is made of from": {"labels": {"severity": "info", "layer": "auth", "mailbox": "{{ $labels.from }}"}},
    "dashboard_url is missing": {"annotations": {**GOOD["annotations"], "dashboard_url": ""}},
    "does not end": {"annotations": {**GOOD["annotations"], "description": "{{ $labels.target fails"}},
    "is not English": {"annotations": {**GOOD["annotations"], "description": "失败"}},
    "is not Chinese": {"annotations": {**GOOD["annotations"], "summary_zh": "It fails"}},
    "has values in it": {"annotations": {**GOOD["annotations"], "summary": "{{ $labels.target }} fails"}},
    "not made readable": {"annotations": {**GOOD["annotations"], "description": "since {{ $value }}"}},
    "description: mailprobe_target_info has no label mailbox": {
        "annotations": {**GOOD["annotations"], "description": '{{ query "mailprobe_target_info{mailbox=\\"a\\"}" }}'}
    },
    "is not named Mail": {"alert": "LoginFailing"},
}  # fmt: skip


def test_the_lint_likes_a_good_rule():
    assert list(complaints(GOOD, {})) == []


@pytest.mark.parametrize("complaint", BAD)
def test_the_lint_complains_about(complaint):
    found = list(complaints({**GOOD, **BAD[complaint]}, {}))
    assert any(complaint.strip() in each for each in found), found


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"record": "mailprobe_success", "expr": "sum without (instance) (rate(mailprobe_probes_total[5m]))"}, "form"),
        ({"record": "job:mailprobe_probes_total:rate5m", "expr": "rate(mailprobe_probes_total[5m])"}, "keeps _total"),
        ({"record": "job:mailprobe_probes:rate5m", "expr": "sum by (job) (rate(mailprobe_probes_total[5m]))"}, "`by`"),
    ],
)
def test_the_lint_complains_about_a_recording(rule, complaint):
    found = list(recording_complaints(rule, {}))
    assert any(complaint in each for each in found), found
