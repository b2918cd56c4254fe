"""Tests of the committed dashboards:

generated, equal in both languages except for the texts, and following our rules.
"""

from __future__ import annotations

import json
import re

import pytest
import yaml

from deploy import thresholds
from grafana.generator import catalogue
from grafana.generator.pages import FOLDER, PAGES, files
from grafana.generator.promql import family_of
from grafana.generator.render import render
from tests.grafana.panels import LANGUAGES, NAMES, ROOT, Json, dashboard, panels, targets, text_of, variables
from tests.grafana.rules import parsed, selectors

# Metrics of Prometheus itself, and of prometheus_client about the process.
FOREIGN = {
    "ALERTS",
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
}
ALERT_NAMES = set(re.findall(r"alert: (\w+)", (ROOT / "deploy/prometheus/mailprobe.alerts.yml").read_text()))


def test_the_committed_files_are_what_the_generator_makes():
    """On failure: python -m grafana.generator."""
    made = files()
    assert set(FOLDER.rglob("mailprobe-*.json")) == {path for path in made if path.suffix == ".json"}
    assert [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text] == []


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_differ_in_nothing_but_texts_and_links(name: str):
    def bare(node: object, key: str = "") -> object:
        """Return the dashboard without its texts: the rest must be equal."""
        if isinstance(node, dict):
            if set(node) >= {"id", "value"} and node["id"] in ("mappings", "links", "noValue"):
                return {"id": node["id"]}
            if key == "renameByName":
                return sorted(node)
            if key == "matcher" and node["id"] == "byName":
                return "a column"
            return {each: bare(value, each) for each, value in node.items()}
        if isinstance(node, list):
            return [bare(each, key) for each in node]
        words = ("title", "description", "noValue", "text", "label", "displayName", "tooltip", "legendFormat", "url")
        return "" if key in (*words, "uid", "tags", "name", "titleFormat") and isinstance(node, str) else node

    english, chinese = bare(dashboard(name)), bare(dashboard(name, "zh"))
    assert english == chinese
    assert [(each.panel is not None, each.expr) for each in targets() if each.dashboard == name] == [
        (True, each.expr) for each in targets("zh") if each.dashboard == name
    ]


def test_the_catalogue_has_every_text_and_none_besides():
    say = catalogue.Catalogue("zh")
    for page in PAGES:
        render(page, say)
    written = catalogue.FILE.read_text(encoding="utf-8")
    known = yaml.safe_load(written)
    assert say.used == set(known)
    assert len(re.findall(r'^"', written, re.MULTILINE)) == len(known), "a text stands there twice"
    assert [text for text, chinese in known.items() if text.count("{") != chinese.count("{")] == []
    assert [text for text, chinese in known.items() if not chinese.strip()] == []


SAME = re.compile(r"OK|CPU|Python|mailprobe|[\w.: {}]* p(50|95)")  # proper names are not translated


def test_what_is_chinese_is_chinese():
    known = yaml.safe_load(catalogue.FILE.read_text(encoding="utf-8"))
    left = [text for text, chinese in known.items() if not re.search("[\u4e00-\u9fff]", chinese)]
    assert [text for text in left if not SAME.fullmatch(text)] == []
    assert len(re.findall("[\u4e00-\u9fff]", text_of("overview", "zh"))) > 2000
    assert not re.search("[\u4e00-\u9fff]", text_of("capacity"))


@pytest.mark.parametrize("name", NAMES)
def test_the_frame_is_that_of_the_house_rules(name: str):
    made = dashboard(name)
    assert made["uid"] == f"mailprobe-{name}"
    assert dashboard(name, "zh")["uid"] == f"mailprobe-{name}-zh"
    assert {"mailprobe", "mailprobe-mixin"} < set(made["tags"])
    assert (made["graphTooltip"], made["refresh"], made["timezone"]) == (1, "1m", "browser")
    assert made["time"] == {"from": "now-6h", "to": "now"}
    seen = [each["name"] for each in variables(name) if each.get("hide", 0) == 0]
    assert seen == ["datasource", "job", "instance", "provider", "target", "probe"]
    labels = {
        language: next(
            each["label"] for each in dashboard(name, language)["templating"]["list"] if each["name"] == "target"
        )
        for language in LANGUAGES
    }
    assert labels == {"en": "Mailbox", "zh": "对象"}
    expressions = [each["expr"] for each in made["annotations"]["list"]]
    assert any('ALERTS{alertname=~"Mail.*"' in each for each in expressions)
    assert any("changes(mailprobe_config_last_reload_success_timestamp_seconds" in each for each in expressions)
    assert 36 <= made["schemaVersion"] <= 42
    assert len(text_of(name)) < 1_000_000, "a ConfigMap holds one MiB"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_panel_says_what_it_shows_what_is_bad_and_who_watches_it(name: str, language: str):
    for panel in panels(name, language):
        told, _, watched = panel["description"].partition("\n\n")
        assert len(told) > (40 if language == "en" else 12), panel["title"]
        assert told.endswith((".", "?", "。", "？")), panel["title"]
        named = set(re.findall(r"Mail\w+", watched)) - {"Mailprobe"}
        assert named <= ALERT_NAMES
        assert named or watched in ("No alert watches this.", "没有针对它的告警。")
        runbooks = {link["url"].partition("/runbooks/")[2].partition("?")[0] for link in panel["links"]}
        assert runbooks == named
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["noValue"]
        assert defaults["unit"]
        assert defaults["thresholds"]["steps"][0].get("value") is None


def test_every_alert_is_named_by_a_panel():
    """Except for the Watchdog, which always fires."""
    named = {alert for name in NAMES for alert in re.findall(r"Mail\w+", " ".join(_descriptions(name)))}
    assert ALERT_NAMES - named == {"Watchdog"}


def _descriptions(name: str) -> list[str]:
    return [panel["description"].partition("\n\n")[2] for panel in panels(name)]


@pytest.mark.parametrize("name", NAMES)
def test_no_two_panels_of_a_dashboard_have_one_title(name: str):
    for language in LANGUAGES:
        titles = [panel["title"] for panel in panels(name, language)]
        assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", NAMES)
def test_panels_fill_the_grid_without_overlap(name: str):
    taken: dict[tuple[int, int], str] = {}
    numbers = [panel["id"] for panel in dashboard(name)["panels"]]
    assert numbers == list(range(1, len(numbers) + 1))
    for panel in dashboard(name)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    rows = {y for _, y in taken}
    assert rows == set(range(max(rows) + 1))
    assert all((x, y) in taken for x in range(24) for y in rows), "a hole in the layout"


@pytest.mark.parametrize("name", NAMES)
def test_states_are_words_not_only_colours(name: str):
    for panel in panels(name):
        if panel["type"] == "state-timeline":
            words = [mapping["options"] for mapping in panel["fieldConfig"]["defaults"]["mappings"]]
            assert {"0", "1"} <= set(words[0]) or "0" in words[0]
            assert all(each["text"] for each in words[0].values())


def test_queries_name_metrics_that_exist_and_labels_that_they_have():
    documented = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
    asked = [(each.dashboard, each.expr) for each in targets()]
    for name in NAMES:
        asked += [(name, each["expr"]) for each in dashboard(name)["annotations"]["list"]]
        asked += [(name, _inside(each)) for each in variables(name) if each["type"] == "query"]
    for name, expr in asked:
        for selector in selectors(parsed(expr, dashboard(name))):
            metric = str(selector.name)
            if metric not in FOREIGN:
                assert family_of(metric).full_name in documented


def _inside(variable: Json) -> str:
    query: str = variable["query"]["query"]
    return query.removeprefix("label_values(").rpartition(",")[0]


def test_links_lead_to_dashboards_that_exist():
    for language in LANGUAGES:
        known = {dashboard(name, language)["uid"] for name in NAMES}
        for name in NAMES:
            text = text_of(name, language)
            assert set(re.findall(r'"/d/([\w-]+)\?', text)) <= known
    overview = text_of("overview")
    assert "/d/mailprobe-mailbox?var-target=${__value.raw:percentencode}" in overview
    assert "${mailprobe}/targets/${__value.raw:percentencode}" in overview


def test_the_thresholds_of_panels_are_those_of_deploy():
    """The generator uses them by construction; this tests the result."""

    def steps(name: str, title: str) -> list[float]:
        panel = next(each for each in panels(name) if each["title"] == title)
        return [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"] if step.get("value")]

    assert steps("dns-tls", "First certificate ends") == [
        thresholds.CERTIFICATE_CRITICAL_DAYS,
        thresholds.CERTIFICATE_WARNING_DAYS,
    ]
    full = [thresholds.QUOTA_FILLING_RATIO, thresholds.QUOTA_WARNING_RATIO, thresholds.QUOTA_CRITICAL_RATIO]
    for name, title in (
        ("overview", "Fullest mailboxes"),
        ("mailbox", "Quota used"),
        ("capacity", "Quota used"),
        ("capacity", "Message quota used"),
    ):
        assert steps(name, title) == full
    assert steps("exporter", "Scheduler delay (p50, p95)") == [thresholds.SCHEDULER_DELAY_SECONDS]
    assert steps("mailbox", "Availability") == [thresholds.OBJECTIVE]


def test_the_alerts_have_the_same_numbers():
    groups = yaml.safe_load((ROOT / "deploy/prometheus/mailprobe.alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    def expressions(alert: str) -> str:
        return " ".join(" ".join(rule["expr"].split()) for rule in rules if rule["alert"] == alert)

    for alert, written in (
        ("MailCertificateExpiringSoon", f"< {thresholds.CERTIFICATE_WARNING_DAYS} * 86400"),
        ("MailCertificateExpiringSoon", f"< {thresholds.CERTIFICATE_CRITICAL_DAYS} * 86400"),
        ("MailQuotaAlmostFull", f"> {thresholds.QUOTA_WARNING_RATIO:g}"),
        ("MailQuotaAlmostFull", f"> {thresholds.QUOTA_CRITICAL_RATIO:g}"),
        ("MailQuotaFillingUp", f"> {thresholds.QUOTA_FILLING_RATIO:g}"),
        ("MailprobeSchedulerOverloaded", f"> {thresholds.SCHEDULER_DELAY_SECONDS}"),
        ("MailprobeProbesStalled", f"> {thresholds.STALLED_INTERVALS} * "),
        ("MailprobeProbesStalled", f"+ {thresholds.STALLED_GRACE_SECONDS}"),
        ("MailDNSChanged", f"< {thresholds.DNS_CHANGE_SECONDS}"),
        ("MailRoundTripSlow", f"> {thresholds.ROUNDTRIP_SLOW_RATIO:g} * "),
        ("MailRoundTripOverdue", f", {thresholds.ROUNDTRIP_OVERDUE_SECONDS})"),
    ):
        assert written in expressions(alert), alert
    assert f"{thresholds.ROUNDTRIP_SLOW_RATIO:g} * " in json.dumps(panels("roundtrip"))


def test_the_provisioning_knows_where_things_are():
    folder = ROOT / "grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/mailprobe.yml").read_text())["datasources"]
    assert (source["type"], source["uid"]) == ("prometheus", "prometheus")
    (trace,) = source["jsonData"]["exemplarTraceIdDestinations"]
    assert trace["name"] == "probe_id"
    assert trace["url"].endswith("/logs?id=$${__value.raw}")
    providers = yaml.safe_load((folder / "dashboards/mailprobe.yml").read_text())["providers"]
    assert {each["options"]["path"].rpartition("/")[2] for each in providers} == set(LANGUAGES)
    assert {each["allowUiUpdates"] for each in providers} == {False}
