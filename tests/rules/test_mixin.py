"""Tests of the mixin with jsonnet, and of the files for sloth and Pyrra as far as possible without these programs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from deploy.rules.files import ALERT_FILE, RECORDING_FILE
from deploy.thresholds import OBJECTIVE
from tests.rules.output import family_of, walk
from tests.rules.shipped import PROMETHEUS, groups
from tests.servers.process import binary

ROOT = Path(__file__).parents[2]
MIXIN = PROMETHEUS / "mixin" / "mixin.libsonnet"

# The fields of github.com/slok/sloth pkg/prometheus/api/v1 and github.com/pyrra-dev/pyrra kubernetes/api/v1alpha1.
SLOTH: dict[str, Any] = {
    "version": str, "service": str, "labels": dict,
    "slos": [{
        "name": str, "objective": int, "description": str, "labels": dict,
        "sli": {"raw": {"error_ratio_query": str}, "events": {"error_query": str, "total_query": str}},
        "alerting": {
            "name": str, "labels": dict, "annotations": dict,
            "page_alert": {"disable": bool, "labels": dict, "annotations": dict},
            "ticket_alert": {"disable": bool, "labels": dict, "annotations": dict},
        },
    }],
}  # fmt: skip
PYRRA: dict[str, Any] = {
    "apiVersion": str, "kind": str, "metadata": {"name": str, "namespace": str, "labels": dict},
    "spec": {
        "description": str, "target": str, "window": str,
        "indicator": {
            "ratio": {"errors": {"metric": str}, "total": {"metric": str}, "grouping": list},
            "bool_gauge": {"metric": str, "grouping": list},
        },
        "alerting": {"disabled": bool, "burnrates": bool, "absent": bool, "name": str, "absentName": str},
    },
}  # fmt: skip


def evaluated(config: str = "{}") -> Any:
    fields = "{ [name]: mixin[name] for name in std.objectFieldsAll(mixin) }"
    text = f"local mixin = (import '{MIXIN}') + {{ _config+:: {config} }}; {fields}"
    done = subprocess.run(
        [binary("jsonnet", "jsonnet"), "-e", text], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_mixin_holds_the_shipped_rules_and_dashboards():
    made = evaluated()
    assert made["prometheusAlerts"]["groups"] == list(groups(ALERT_FILE))
    assert made["prometheusRules"]["groups"] == list(groups(RECORDING_FILE))
    assert made["grafanaDashboards"] == dashboards("en")


def test_the_mixins_choices_arrive():
    made = evaluated("{ language: 'zh', watchdog: false }")
    assert made["grafanaDashboards"] == dashboards("zh")
    left = {rule["alert"] for group in made["prometheusAlerts"]["groups"] for rule in group["rules"]}
    assert {rule["alert"] for group in groups(ALERT_FILE) for rule in group["rules"]} - left == {"Watchdog"}


def dashboards(language: str) -> dict[str, Any]:
    folder = ROOT / "grafana" / "dashboards" / language
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}


def unfit(value: Any, shape: Any, where: str = "") -> list[str]:
    """Fields that a shape does not have, and values of another kind."""
    if isinstance(shape, list):
        return [each for index, one in enumerate(value) for each in unfit(one, shape[0], f"{where}[{index}]")]
    if isinstance(shape, dict):
        unknown = [f"{where}.{key}" for key in value if key not in shape]
        return unknown + [
            each for key, one in value.items() if key in shape for each in unfit(one, shape[key], f"{where}.{key}")
        ]
    return [] if isinstance(value, shape) else [f"{where}: {value!r}"]


def test_the_file_for_sloth_has_its_fields_and_queries_that_mean_something():
    loaded = yaml.safe_load((PROMETHEUS / "slo" / "sloth.yml").read_text(encoding="utf-8"))
    assert (loaded["version"], unfit(loaded, SLOTH)) == ("prometheus/v1", [])
    for slo in loaded["slos"]:
        assert slo["objective"] == 100 * OBJECTIVE
        assert len(slo["sli"]) == 1  # raw or events
        for queries in slo["sli"].values():
            for query in queries.values():
                assert "{{.window}}" in query
                known(query.replace("{{.window}}", "5m"))


def test_the_file_for_pyrra_has_its_fields_and_selectors_that_mean_something():
    text = (PROMETHEUS / "slo" / "pyrra.yml").read_text(encoding="utf-8")
    for loaded in yaml.safe_load_all(text):
        assert (loaded["apiVersion"], loaded["kind"]) == ("pyrra.dev/v1alpha1", "ServiceLevelObjective")
        assert unfit(loaded, PYRRA) == []
        assert float(loaded["spec"]["target"]) == 100 * OBJECTIVE
        assert len(loaded["spec"]["indicator"]) == 1
        for metric in re.findall(r"metric: (\S+)", text):
            assert isinstance(known(metric), promql.VectorSelector)  # Pyrra takes no other expression


def known(query: str) -> Any:
    """The parsed query, if all its metrics are the exporter's."""
    tree = promql.parse(query)
    names = [str(node.name) for node, _ in walk(tree) if isinstance(node, promql.VectorSelector)]
    assert names
    assert [name for name in names if family_of(name) is None] == []
    return tree


@pytest.mark.parametrize("wrong", [{"slos": [{"objectiv": 99}]}, {"slos": [{"objective": "99"}]}])
def test_a_wrong_field_would_be_seen(wrong):
    assert unfit(wrong, SLOTH)
