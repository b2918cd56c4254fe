"""Checks rules as a linter of Prometheus rules would, and for our own conventions. Yields messages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import promql_parser as promql

from exporter.model import Kind, Phase, ProbeName, Scope
from exporter.model.reasons import Layer, Reason
from exporter.outputs.metrics.family import BASE_LABELS, Shape
from tests.rules.output import COMPARISONS, OPERATIONS, SCRAPED, Labels, family_of, labels, operator, walk

Rule = Mapping[str, Any]
Recorded = dict[str, frozenset[Labels]]

RATES = frozenset({"rate", "irate", "increase"})
OF_GAUGES = frozenset({"delta", "idelta", "deriv", "predict_linear"})
SEVERITIES = frozenset({"critical", "warning", "info", "none"})
LAYERS = frozenset(Layer) | {"slo"}
ANNOTATIONS = ("summary", "description", "summary_zh", "description_zh", "runbook_url", "dashboard_url")
DECORATION = frozenset(f"mailprobe_{name}_info" for name in ("target", "endpoint", "tls", "web", "build"))
NOT_OURS = frozenset({"up", "ALERTS"})
CLOSED: Mapping[str, frozenset[str]] = {
    "probe": frozenset(ProbeName),
    "kind": frozenset(Kind),
    "phase": frozenset(Phase),
    "scope": frozenset(Scope),
    "layer": frozenset(Layer),
    "reason": frozenset(Reason),
}
ALWAYS = "Watchdog"

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_META = re.compile(r"[.*+?()\[\]{}|\\^$]")
_QUERY = re.compile(r'printf "((?:\\.|[^"\\])*)"[^{}|]*\| query|query "((?:\\.|[^"\\])*)"')
_PLACE = re.compile(r"%(?:\[\d\])?q")
_BARE_VALUE = re.compile(r"\{\{\s*\$value\s*\}\}")
_NAME = re.compile(r"Watchdog|Mail(?:probe)?(?:[A-Z][A-Za-z]+)")
_RECORD = re.compile(r"[a-z_]+:mailprobe_[a-z_]+:[a-z0-9_]+")


def seconds(text: str) -> float:
    """Return the seconds of a duration in a rule."""
    return promql.parse_duration(text).total_seconds()


def complaints(rule: Rule, recorded: Recorded, scrape_interval: float = 30.0) -> Iterator[str]:
    """Yield all messages about an alerting rule."""
    tree = promql.parse(rule["expr"])
    yield from _expression(tree, recorded)
    if rule["alert"] != ALWAYS and not _compares(tree):
        yield "it always fires: nothing is compared"
    if any(_calls(node, "absent") for node, _ in walk(tree)) and seconds(rule.get("for", "0s")) < 2 * scrape_interval:
        yield "absent() without waiting for two scrapes: one failed scrape would fire it"
    yield from _labels(rule, labels(tree, recorded))
    yield from _texts(rule, tree, recorded)
    if not _NAME.fullmatch(rule["alert"]):
        yield f"{rule['alert']} is not named Mail… or Mailprobe…"


def recording_complaints(rule: Rule, recorded: Recorded) -> Iterator[str]:
    """Yield all messages about a recording rule."""
    name, tree = rule["record"], promql.parse(rule["expr"])
    yield from _expression(tree, recorded, closing=False)
    if not _RECORD.fullmatch(name):
        yield f"{name} is not of the form level:metric:operations"
    if "_total" in name:
        yield f"{name} keeps _total, though it is no counter any more"
    for node, _ in walk(tree):
        if isinstance(node, promql.AggregateExpr) and node.modifier and node.modifier.type == promql.AggModifierType.By:
            yield "`by` loses the labels of tenants: say `without`"


# -- the expression -------------------------------------------------------------------------------------------------


def _expression(tree: Any, recorded: Recorded, *, closing: bool = True) -> Iterator[str]:
    for node, above in walk(tree):
        match node:
            case promql.VectorSelector():
                yield from _selector(node, above, recorded)
            case promql.AggregateExpr() if str(node.op).lower() in ("topk", "bottomk"):
                yield f"{node.op}: the alert changes its series from one evaluation to the next"
            case promql.Call() if node.func.name in RATES | OF_GAUGES:
                yield from _rate(node)
            case promql.BinaryExpr() if closing:
                yield from _join(node)


def _selector(node: Any, above: tuple[Any, ...], recorded: Recorded) -> Iterator[str]:
    name = str(node.name)
    if name in NOT_OURS or name in recorded:
        return
    family = family_of(name)
    if family is None:
        yield f"{name} is no metric of the exporter"
        return
    known = {*SCRAPED, *BASE_LABELS[family.subject], *family.labels, "le"}
    for matcher in node.matchers.matchers:
        yield from _matcher(name, matcher, known)
    within = [each.func.name for each in above if isinstance(each, promql.Call)]
    counts = family.shape in (Shape.COUNTER, Shape.HISTOGRAM)
    if counts and not RATES.intersection(within):
        yield f"{name} is a counter: only its increase says something"
    windowed = any(each.endswith("_over_time") or each in RATES | OF_GAUGES for each in within)
    if not counts and not windowed and name not in DECORATION:
        yield f"{name} is read at one moment: a failed scrape is a gap in it"
    if name in DECORATION and not _in_unless(node, above):
        yield f"{name} decides whether the alert fires: where it is missing, or twice there, the alert is silent"


def _matcher(metric: str, matcher: Any, known: set[str]) -> Iterator[str]:
    name, value = matcher.name, matcher.value
    if name not in known:
        yield f"{metric} has no label {name}"
    regular = matcher.op in (promql.MatchOp.Re, promql.MatchOp.NotRe)
    if regular and not _META.search(value):
        yield f'{name}=~"{value}" is no pattern: compare with ='
    if regular and (value.startswith("^") or value.endswith("$")):
        yield f'{name}=~"{value}": patterns are anchored already'
    if regular and value in (".*", ".+"):
        yield f'{name}=~"{value}" matches everything'
    for each in value.split("|") if regular else [value]:
        if name in CLOSED and each and each not in CLOSED[name]:
            yield f"{each} is no {name}"


def _rate(node: Any) -> Iterator[str]:
    function, argument = node.func.name, node.args[0]
    if not isinstance(argument, promql.MatrixSelector):
        yield f"{function} of something that is no series: take it first and aggregate then"
        return
    name = str(argument.vector_selector.name)
    family = family_of(name)
    counts = family is not None and family.shape in (Shape.COUNTER, Shape.HISTOGRAM)
    if family is not None and counts is (function in OF_GAUGES):
        yield f"{function} of {name}, which is a {family.shape}"


def _join(node: Any) -> Iterator[str]:
    """An error in such a join stops the rule for all targets; a set operation cannot fail."""
    matching = node.modifier.matching if node.modifier is not None else None
    if matching is None or operator(node) in OPERATIONS:
        return
    one = node.rhs
    while isinstance(one, promql.ParenExpr):
        one = one.expr
    if not isinstance(one, promql.AggregateExpr):
        yield f"`{operator(node)} on (…)` with several series for one: aggregate that side first"


def _in_unless(node: Any, above: tuple[Any, ...]) -> bool:
    """Return whether a selector can only suppress.

    The parser creates new nodes at each access, so they are compared as text.
    """
    path = (*above, node)
    return any(
        isinstance(each, promql.BinaryExpr) and operator(each) == "unless" and str(each.rhs) == str(below)
        for each, below in pairwise(path)
    )


def _compares(tree: Any) -> bool:
    return any(
        _calls(node, "absent")
        or (isinstance(node, promql.BinaryExpr) and operator(node) in COMPARISONS and not _is_bool(node))
        for node, _ in walk(tree)
    )


def _is_bool(node: Any) -> bool:
    return node.modifier is not None and bool(node.modifier.return_bool)


def _calls(node: Any, name: str) -> bool:
    return isinstance(node, promql.Call) and node.func.name == name


# -- labels and texts -----------------------------------------------------------------------------------------------


def _labels(rule: Rule, output: frozenset[Labels]) -> Iterator[str]:
    own: Mapping[str, str] = rule["labels"]
    if own.get("severity") not in SEVERITIES:
        yield f"{own.get('severity')} is no severity"
    if own.get("layer") not in LAYERS:
        yield f"{own.get('layer')} is no layer"
    for name, value in own.items():
        if "$value" in value or ".Value" in value:
            yield f"label {name} has the value in it: a new alert at each evaluation"
        if "query" in value:
            yield f"label {name} is looked up: it would change while the alert fires"
        for used in re.findall(r"\$labels\.(\w+)", value):
            if any(used not in each for each in output):
                yield f"label {name} is made of {used}, which the result does not always have"
    for forbidden in ("reason", "phase"):
        if any(forbidden in each for each in output) or forbidden in own:
            yield f"{forbidden} is a label of the alert: when it flips, `for` begins anew"
    ours = own.get("layer") in ("exporter", "vantage")
    if any("instance" in each for each in output) and not ours:
        yield "instance is a label of the alert: each replica would tell it"
    if rule["alert"] != ALWAYS and any("job" not in each for each in output):
        yield "job is no label of the alert"


def _texts(rule: Rule, tree: Any, recorded: Recorded) -> Iterator[str]:
    texts: Mapping[str, str] = rule["annotations"]
    for name in ANNOTATIONS:
        if not texts.get(name):
            yield f"annotation {name} is missing"
    for name, text in texts.items():
        if text.count("{{") != text.count("}}"):
            yield f"annotation {name} has a template that does not end"
        if _CHINESE.search(text) and not name.endswith("_zh"):
            yield f"annotation {name} is not English"
        if name.endswith("_zh") and not _CHINESE.search(text):
            yield f"annotation {name} is not Chinese"
        if name.startswith("summary") and "{{" in text:
            yield f"annotation {name} has values in it"
        if _BARE_VALUE.search(text) and not _counts(tree):
            yield f"annotation {name} shows a number that is not made readable"
        for query in _queries(text):
            yield from (f"annotation {name}: {each}" for each in _asked(query, recorded))


def _queries(text: str) -> Iterator[str]:
    """Yield the queries of the templates, with a placeholder for each value."""
    for found in _QUERY.finditer(text):
        yield _PLACE.sub('"x"', (found[1] or found[2]).replace('\\"', '"'))


def _asked(query: str, recorded: Recorded) -> Iterator[str]:
    for node, _ in walk(promql.parse(query)):
        if isinstance(node, promql.VectorSelector) and node.name not in recorded:
            family = family_of(str(node.name))
            if family is None:
                yield f"{node.name} is no metric of the exporter"
                continue
            known = {*SCRAPED, *BASE_LABELS[family.subject], *family.labels}
            for matcher in node.matchers.matchers:
                if matcher.name not in known:
                    yield f"{node.name} has no label {matcher.name}"


def _counts(tree: Any) -> bool:
    """Return whether the result is a count."""
    while isinstance(tree, promql.ParenExpr | promql.BinaryExpr):
        tree = tree.expr if isinstance(tree, promql.ParenExpr) else tree.lhs
    return isinstance(tree, promql.AggregateExpr) and str(tree.op).lower() == "count"
