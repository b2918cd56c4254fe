"""Runs every panel's query on a real Prometheus that scrapes the real daemon, without and with faults.

There must be an answer with the labels that the panel shows, and with numbers: for All, and for one value of each
variable.
"""

from __future__ import annotations

import json
import math
import re
import time
import urllib.error
from typing import Any

import pytest

from grafana.preview.data import Source, values_of
from grafana.preview.page import page
from tests.grafana.panels import NAMES, Target, dashboard, every, filled, panels, targets, variables
from tests.grafana.scene import Scene
from tests.servers.monitoring import get

TARGETS = list(targets())
WINDOW = 20  # seconds of a range query
FAILURES = ("Causes: one line for each", "Failing now: since when and why", "When it failed")

# Panels without data while everything works, and panels that cannot have data with the faults of the scene.
QUIET = {
    *((name, title) for name in ("overview", "mailbox", "roundtrip") for title in FAILURES),
    ("mailbox", "Next login"),  # no login is suspended
    ("capacity", "Slowed down by provider"),
    ("exporter", "Which probes tell nothing"),
    ("exporter", "Beats without a run"),
}
EITHER = {
    ("overview", "Alerts firing"),  # about mailprobe itself: the replicas of the scene have different configurations
    ("roundtrip", "Age of the oldest mail on its way"),  # a mail may be in flight, or not
}
GONE = {
    ("mailbox", "Access token ends"): "the server of the mailbox with OAuth is the one that dies",
}
# A probe stalls after more than a minute without a run. The query is evaluated that much later, with the present data.
STALLED, AHEAD = ("exporter", "Which probes stall"), 90


def key(target: Target) -> tuple[str, str]:
    return target.dashboard, target.panel


def moment(scene: Scene, which: tuple[str, str]) -> float:
    """Return the time to query for the faults."""
    return time.time() + AHEAD if which == STALLED else scene.faulty


def answer(scene: Scene, target: Target, at: float, values: dict[str, str]) -> list[tuple[dict[str, str], list[float]]]:
    """Return labels and numbers of each series."""
    query = filled(target.expr, values)
    try:
        if target.instant:
            said = scene.prometheus.json("/api/v1/query", query=query, time=str(at))
        else:
            start = str(at - WINDOW)
            said = scene.prometheus.json("/api/v1/query_range", query=query, start=start, end=str(at), step="2")
    except urllib.error.HTTPError as exc:
        pytest.fail(f"{target}: {exc.read().decode()}")
    found = []
    for each in said["data"]["result"]:
        points = each.get("values") or [each["value"]]
        found.append((each["metric"], [float(value) for _, value in points]))
    return found


def shown(target: Target) -> set[str]:
    """Return the labels that the panel needs, from its legend or its columns."""
    if target.kind != "table":
        return target.places
    panel = next(each for each in panels(target.dashboard) if each["title"] == target.panel)
    fields = next(step["options"] for step in panel["transformations"] if step["id"] == "filterFieldsByName")
    return {name for name in fields["include"]["names"] if not name.startswith("Value")}


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_in_trouble_every_panel_has_data(scene: Scene, target: Target):
    at = moment(scene, key(target))
    found = answer(scene, target, at, every(target.dashboard))
    if key(target) in GONE:
        assert found == []
        return
    assert found, target.expr
    assert any(math.isfinite(value) for _, values in found for value in values)
    assert not any(math.isinf(value) for _, values in found for value in values)
    seen = set().union(*(set(labels) for labels, _ in found))
    # The queries of a table share their rows: a label may come from another query.
    if target.kind != "table":
        assert target.places <= seen
    assert "__name__" not in seen


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_in_quiet_a_panel_has_data_or_says_that_all_is_well(scene: Scene, target: Target):
    found = answer(scene, target, scene.healthy, every(target.dashboard))
    if key(target) in QUIET or key(target) == STALLED:
        assert found == []
    elif key(target) not in EITHER:
        assert found, target.expr


@pytest.mark.parametrize("name", NAMES)
def test_a_tables_columns_all_have_data(scene: Scene, name: str):
    """Each label is in at least one query, and the queries share the labels by which Grafana merges their rows."""
    for target_panel in {each.panel for each in TARGETS if each.dashboard == name and each.kind == "table"}:
        asked = [each for each in TARGETS if (each.dashboard, each.panel) == (name, target_panel)]
        at = moment(scene, (name, target_panel))
        named = [set().union(*(set(labels) for labels, _ in answer(scene, each, at, every(name)))) for each in asked]
        assert shown(asked[0]) <= set().union(*named), target_panel
        shared = set.intersection(*named)
        rows = {
            tuple(sorted((label, labels.get(label, "")) for label in shared))
            for labels, _ in answer(scene, asked[0], at, every(name))
        }
        assert len(rows) == len(answer(scene, asked[0], at, every(name))), f"{target_panel}: rows would be lost"


def asked(scene: Scene, query: str) -> list[dict[str, Any]]:
    """Query at the time of the faults, not now: a busy machine may have missed the last scrape."""
    found: list[dict[str, Any]] = scene.prometheus.json("/api/v1/query", query=query, time=str(scene.faulty))["data"][
        "result"
    ]
    return found


def candidates(scene: Scene, name: str, variable: str) -> list[str]:
    """Return the values that Grafana would offer."""
    given = next(each for each in variables(name) if each["name"] == variable)
    query, _, label = filled(given["query"]["query"], every(name)).removeprefix("label_values(").rpartition(", ")
    found = asked(scene, query)
    return sorted({each["metric"].get(label.rstrip(")"), "") for each in found})


@pytest.mark.parametrize("variable", ["job", "instance", "provider", "target", "probe"])
def test_one_value_of_a_variable_narrows_every_panel_to_it(scene: Scene, variable: str):
    """For every query there is a value for which it has an answer, and that answer contains no other value."""
    for target in TARGETS:
        if key(target) in GONE:
            continue
        at = moment(scene, key(target))
        found = []
        for value in candidates(scene, target.dashboard, variable):
            found = answer(scene, target, at, every(target.dashboard) | {variable: escaped(value)})
            if found:
                strangers = {labels[variable] for labels, _ in found if labels.get(variable, value) != value}
                assert strangers == set(), f"{target} for {variable} {value}"
                break
        assert found, f"{target}: nothing for any {variable}"


def escaped(value: str) -> str:
    """Escape a value as Grafana does for a pattern in a PromQL string."""
    return re.escape(value).replace("\\", "\\\\")


def test_in_quiet_no_alert_about_mail_fires(scene: Scene):
    query = 'ALERTS{alertname=~"Mail[^p].*", alertstate="firing"}'
    assert scene.prometheus.json("/api/v1/query", query=query, time=str(scene.healthy))["data"]["result"] == []


def test_variables_offer_what_is_there(scene: Scene):
    assert candidates(scene, "overview", "job") == ["mailprobe"]
    assert candidates(scene, "overview", "instance") == sorted(scene.replicas)
    assert {"", "migadu", "netease_qiye"} <= set(candidates(scene, "overview", "provider"))
    assert {"alice", "alice-to-bob", "dave", "example.test"} <= set(candidates(scene, "overview", "target"))
    assert {"dns", "imap", "smtp", "tls", "roundtrip"} == set(candidates(scene, "overview", "probe"))
    assert candidates(scene, "overview", "mailprobe") == ["http://mailprobe.example.test"]


def value_of(scene: Scene, name: str, panel: str, at: float, ref: str = "A") -> dict[str, float]:
    """Return the content of a panel: legend or labels → last number."""
    target = next(each for each in TARGETS if (each.dashboard, each.panel, each.ref) == (name, panel, ref))
    return {
        re.sub(r"\{\{(\w+)\}\}", lambda place: labels.get(place[1], ""), target.legend): values[-1]  # noqa: B023
        for labels, values in answer(scene, target, at, every(name))
    }


def rows(scene: Scene, name: str, panel: str) -> list[dict[str, str]]:
    target = next(each for each in TARGETS if (each.dashboard, each.panel, each.ref) == (name, panel, "A"))
    return [labels for labels, _ in answer(scene, target, scene.faulty, every(name))]


def test_the_overview_tells_what_is_broken_and_why(scene: Scene):
    """The numbers of the first row, the one cause of three failures, and each failing probe with its reason."""
    for panel, quiet, trouble in (("Mailboxes", 0, 3), ("Servers", 0, 1), ("Domains", 0, 2)):
        assert value_of(scene, "overview", panel, scene.healthy)["failing"] == quiet
        assert value_of(scene, "overview", panel, scene.faulty)["failing"] == trouble, panel
    assert value_of(scene, "overview", "Mailboxes", scene.faulty, "B")["watched"] == 6
    assert value_of(scene, "overview", "Round trips", scene.faulty)["failing"] >= 4
    assert value_of(scene, "overview", "Are we looking?", scene.faulty, "B") == {"our network": 0}
    causes = rows(scene, "overview", "Causes: one line for each")
    hosts = [(each["what"], each["reason"], each["layer"]) for each in causes if each["scope"] == "host"]
    assert hosts == [("old.example.test", "connection_refused", "transport")], causes
    assert {"scope": "target", "reason": "wrong_password", "what": "migadu"}.items() <= next(
        each for each in causes if each["reason"] == "wrong_password"
    ).items()
    failing = rows(scene, "overview", "Failing now: since when and why")
    assert {(each["target"], each["probe"], each["reason"]) for each in failing} >= {
        ("dave", "imap", "wrong_password"),
        ("olga", "imap", "connection_refused"),
        ("orson", "imap", "connection_refused"),
    }
    assert all(each["remedy"] == each["reason"] for each in failing)


def test_since_when_is_the_time_of_the_last_success(scene: Scene):
    since = next(each for each in TARGETS if each.panel.startswith("Failing now") and each.ref == "A")
    told = {
        (labels["target"], labels["probe"]): values[-1] / 1000
        for labels, values in answer(scene, since, scene.faulty, every("overview"))
    }
    assert scene.stopped - 30 < told["orson", "imap"] < scene.stopped
    assert told["lost", "roundtrip"] == 0, "never"


def test_a_replica_without_a_network_has_no_vote(scene: Scene):
    """The DNS of example.test fails; the second replica is inconclusive and keeps its last verdict, which was good."""
    both = asked(scene, 'mailprobe_probe_success{target="example.test",probe="dns"}')
    assert sorted(each["value"][1] for each in both) == ["0", "1"]
    timeline = value_of(scene, "overview", "When it failed", scene.faulty)
    assert timeline["example.test"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_annotations_are_there(scene: Scene, name: str):
    start, end = str(scene.healthy - 5), str(scene.faulty)
    for annotation in dashboard(name)["annotations"]["list"]:
        query = filled(annotation["expr"], every(name), {"__interval": "15s"})
        said = scene.prometheus.json("/api/v1/query_range", query=query, start=start, end=end, step="2")
        assert said["data"]["result"], annotation["name"]
        labels = set(re.findall(r"\{\{(\w+)\}\}", annotation["titleFormat"]))
        assert labels <= set().union(*(set(each["metric"]) for each in said["data"]["result"]))


@pytest.mark.parametrize("target", [each for each in TARGETS if "_bucket" in each.expr and "p9" in each.panel], ids=str)
def test_a_dot_leads_to_the_log_of_its_run(scene: Scene, target: Target):
    """The exemplar of a latency has the id under which mailprobe stores the transcript."""
    panel = next(each for each in panels(target.dashboard) if each["title"] == target.panel)
    wanted = next(each["exemplar"] for each in panel["targets"] if each["refId"] == target.ref)
    if not wanted:
        assert "delay" in target.expr or "lag" in target.expr or "p50" in target.legend
        return
    said = scene.prometheus.json(
        "/api/v1/query_exemplars",
        query=filled(target.expr, every(target.dashboard)),
        start=str(scene.healthy - 30),
        end=str(time.time()),
    )
    ids = [each["labels"]["probe_id"] for series in said["data"] for each in series["exemplars"]]
    assert ids
    newest = max(
        (each["timestamp"], each["labels"]["probe_id"]) for series in said["data"] for each in series["exemplars"]
    )[1]
    assert any(_known(daemon.url, newest) for daemon in (scene.first, scene.second))


def _known(url: str, probe_id: str) -> bool:
    try:
        return probe_id in get(f"{url}/logs?id={probe_id}").decode()
    except urllib.error.HTTPError:
        return False


@pytest.mark.parametrize(("name", "language"), [*((name, "en") for name in NAMES), ("overview", "zh")])
def test_the_preview_shows_every_panel_and_says_what_it_is(scene: Scene, name: str, language: str):
    made: dict[str, Any] = dashboard(name, language)
    source = Source(scene.prometheus.url, scene.healthy - 5, scene.faulty, values_of(made, {}))
    html = page(made, source)
    assert ("预览，不是 Grafana" if language == "zh" else "a preview, not Grafana") in html
    for panel in panels(name, language):
        assert f"<h2>{panel['title']}</h2>" in html
    assert json.dumps(made, ensure_ascii=False).count('"type": "row"') == html.count("<h3 ")
