"""The 17 rules of grafana/dashboard-linter in Python, because the tests cannot rely on the Go program."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import promql_parser as promql

from tests.grafana.panels import Json, filled

RATE_INTERVAL = timedelta(seconds=77)  # replaces $__rate_interval, which no dashboard writes
MACROS = {"__rate_interval": "77s", "__range": "78s", "__interval": "79s"}
RATES = {"rate", "irate"}
UNITS = {"short", "s", "d", "bytes", "percentunit", "dateTimeFromNow"}  # the units from Grafana's list that we use
DESCRIBED = {"stat", "singlestat", "graph", "table", "timeseries", "gauge"}
LOGQL = {"loki"}


@dataclass(frozen=True, slots=True)
class Complaint:
    """The message of a rule."""

    rule: str
    panel: str
    text: str


Rule = Callable[[Json], Iterator[tuple[str, str]]]  # panel's title, text
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    def keep(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return keep


def lint(made: Json) -> list[Complaint]:
    """Return the messages of all rules about a dashboard."""
    return [Complaint(name, panel, text) for name, check in RULES.items() for panel, text in check(made)]


def _variables(made: Json) -> list[Json]:
    found: list[Json] = made["templating"]["list"]
    return found


def _panels(made: Json) -> list[Json]:
    return [panel for panel in made["panels"] if panel["type"] != "row"]


def _values(made: Json) -> dict[str, str]:
    return {each["name"]: "any" for each in _variables(made) if each["type"] == "query"}


def _targets(made: Json) -> Iterator[tuple[Json, Json]]:
    for panel in _panels(made):
        for target in panel["targets"]:
            yield panel, target


def parsed(expr: str, made: Json) -> promql.Expr:
    """Parse PromQL. Raises ValueError if it is invalid."""
    return promql.parse(filled(expr, _values(made), MACROS))


def nodes(expr: promql.Expr) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(expr, found.append)
    return found


def selectors(expr: promql.Expr) -> list[promql.VectorSelector]:
    return [node for node in nodes(expr) if isinstance(node, promql.VectorSelector)]


def ranges(expr: promql.Expr) -> list[tuple[str, promql.MatrixSelector]]:
    """Return each selector with a window, and the function that is applied to it."""
    calls = [node for node in nodes(expr) if isinstance(node, promql.Call)]
    return [(call.func.name, arg) for call in calls for arg in call.args if isinstance(arg, promql.MatrixSelector)]


# -- the dashboard ----------------------------------------------------------------------------------------------------


@rule("template-datasource-rule")
def template_datasource(made: Json) -> Iterator[tuple[str, str]]:
    found = [each for each in _variables(made) if each["type"] == "datasource"]
    if len(found) != 1 or found[0]["name"] not in ("datasource", "prometheus_datasource"):
        yield "", "there should be one data source variable named datasource"
    elif found[0]["query"] != "prometheus" or found[0]["label"] not in ("Data source", "Prometheus data source"):
        yield "", "it should be of prometheus and labelled Data source"


def _template(made: Json, name: str) -> Iterator[tuple[str, str]]:
    each = next((each for each in _variables(made) if each["name"] == name), None)
    if each is None:
        yield "", f"there is no variable {name}"
    elif (each["datasource"]["uid"], each["type"], each["label"], each["multi"], each["allValue"]) != (
        "${datasource}",
        "query",
        name,
        True,
        ".+",
    ):
        yield "", f"variable {name} should be a labelled multi query on the data source whose All is .+"


@rule("template-job-rule")
def template_job(made: Json) -> Iterator[tuple[str, str]]:
    yield from _template(made, "job")


@rule("template-instance-rule")
def template_instance(made: Json) -> Iterator[tuple[str, str]]:
    yield from _template(made, "instance")


@rule("template-label-promql-rule")
def template_label_promql(made: Json) -> Iterator[tuple[str, str]]:
    for each in _variables(made):
        if each["type"] == "query":
            called = re.fullmatch(r"label_values\((.+), (\w+)\)", each["query"]["query"])
            try:
                assert called
                parsed(called[1], made)
            except (AssertionError, ValueError):
                yield "", f"variable {each['name']}: {each['query']['query']} is no label query"


@rule("template-on-time-change-reload-rule")
def template_on_time_change_reload(made: Json) -> Iterator[tuple[str, str]]:
    for each in _variables(made):
        if each["type"] == "query" and each["refresh"] != 2:
            yield "", f"variable {each['name']} should be asked again when the time range changes"


@rule("uneditable-dashboard")
def uneditable_dashboard(made: Json) -> Iterator[tuple[str, str]]:
    if made["editable"]:
        yield "", "it should not be editable"


# -- panels -----------------------------------------------------------------------------------------------------------


@rule("panel-datasource-rule")
def panel_datasource(made: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(made):
        if panel["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            yield panel["title"], "it should take its data from ${datasource}"


@rule("panel-title-description-rule")
def panel_title_description(made: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(made):
        if panel["type"] in DESCRIBED and not (panel.get("title") and panel.get("description")):
            yield panel.get("title", ""), "it should have a title and a description"


@rule("panel-units-rule")
def panel_units(made: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(made):
        if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
            yield panel["title"], "it has no unit of Grafana's list"


@rule("panel-no-targets-rule")
def panel_no_targets(made: Json) -> Iterator[tuple[str, str]]:
    for panel in _panels(made):
        if not panel.get("targets"):
            yield panel["title"], "it asks nothing"


# -- queries ----------------------------------------------------------------------------------------------------------


@rule("target-logql-rule")
def target_logql(made: Json) -> Iterator[tuple[str, str]]:
    """There is no Loki here: each such target is an error."""
    for panel, target in _targets(made):
        if target["datasource"]["type"] in LOGQL:
            yield panel["title"], "a LogQL query"


@rule("target-logql-auto-rule")
def target_logql_auto(made: Json) -> Iterator[tuple[str, str]]:
    for panel, target in _targets(made):
        if "$__auto" in target["expr"]:
            yield panel["title"], "$__auto is LogQL's"


@rule("target-promql-rule")
def target_promql(made: Json) -> Iterator[tuple[str, str]]:
    for panel, target in _targets(made):
        try:
            parsed(target["expr"], made)
        except ValueError as exc:
            yield panel["title"], str(exc)


@rule("target-rate-interval-rule")
def target_rate_interval(made: Json) -> Iterator[tuple[str, str]]:
    for panel, target in _targets(made):
        for name, given in ranges(parsed(target["expr"], made)):
            if name in RATES and given.range != RATE_INTERVAL:
                yield panel["title"], f"{target['refId']}: {name} should use $__rate_interval"


def _matcher(made: Json, label: str) -> Iterator[tuple[str, str]]:
    for panel, target in _targets(made):
        for selector in selectors(promql.parse(re.sub(r"\$__\w+", "1m", target["expr"]))):
            found = [(each.op, each.value) for each in selector.matchers.matchers if each.name == label]
            if found != [(promql.MatchOp.Re, f"${label}")]:
                yield panel["title"], f'{target["refId"]}: {selector.name} should have {label}=~"${label}"'


@rule("target-job-rule")
def target_job(made: Json) -> Iterator[tuple[str, str]]:
    yield from _matcher(made, "job")


@rule("target-instance-rule")
def target_instance(made: Json) -> Iterator[tuple[str, str]]:
    yield from _matcher(made, "instance")


@rule("target-counter-agg-rule")
def target_counter_agg(made: Json) -> Iterator[tuple[str, str]]:
    for panel, target in _targets(made):
        expr = parsed(target["expr"], made)
        inside = [given.vector_selector.prettify() for name, given in ranges(expr) if name in {*RATES, "increase"}]
        for selector in selectors(expr):
            if str(selector.name).endswith("_total") and selector.prettify() not in inside:
                yield panel["title"], f"{target['refId']}: {selector.name} is a counter without rate or increase"
