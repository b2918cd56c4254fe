"""Derives from the syntax tree of an expression which labels its result can have, and which selectors it contains."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import promql_parser as promql

from exporter.outputs.metrics.families import FAMILIES
from exporter.outputs.metrics.family import BASE_LABELS, MetricFamily, Shape

Labels = frozenset[str]
SCRAPED = frozenset({"job", "instance"})
OPERATIONS = frozenset({"and", "or", "unless"})
COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
FAMILY = {family.full_name: family for family in FAMILIES}


def family_of(name: str) -> MetricFamily | None:
    """Return the family of a series' name; the buckets of a histogram belong to the histogram."""
    for suffix in ("", "_bucket", "_count", "_sum"):
        found = FAMILY.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if found is not None and (not suffix or found.shape is Shape.HISTOGRAM):
            return found
    return None


def operator(node: Any) -> str:
    return str(node.op).lower()


def children(node: Any) -> tuple[Any, ...]:
    """Return the child nodes."""
    match node:
        case promql.BinaryExpr():
            return node.lhs, node.rhs
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return (node.expr,)
        case promql.Call():
            return tuple(node.args)
        case promql.MatrixSelector():
            return (node.vector_selector,)
    return ()


def walk(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield every node with its parents, the outermost first."""
    yield node, above
    for child in children(node):
        yield from walk(child, (*above, node))


def labels(node: Any, recorded: dict[str, frozenset[Labels]]) -> frozenset[Labels]:
    """Return the label sets that the result's series can have, including empty ones, as metrics and rules declare them.

    `recorded`: the labels of the recording rules, by name. A scalar has no label set.
    """
    match node:
        case promql.VectorSelector():
            return _of_selector(node, recorded)
        case promql.MatrixSelector() | promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return labels(children(node)[0], recorded)
        case promql.AggregateExpr():
            return _of_aggregate(node, recorded)
        case promql.Call():
            return _of_call(node, recorded)
        case promql.BinaryExpr():
            return _of_binary(node, recorded)
    return frozenset()  # a number, a string


def _of_selector(node: Any, recorded: dict[str, frozenset[Labels]]) -> frozenset[Labels]:
    if node.name in recorded:
        return recorded[node.name]
    family = family_of(node.name)
    if family is None:
        return frozenset({SCRAPED})
    own = {*BASE_LABELS[family.subject], *family.labels}
    if node.name.endswith("_bucket"):
        own.add("le")
    return frozenset({SCRAPED | own})


def _of_aggregate(node: Any, recorded: dict[str, frozenset[Labels]]) -> frozenset[Labels]:
    inner = labels(node.expr, recorded)
    if node.modifier is None:
        return frozenset({frozenset()})
    named = frozenset(node.modifier.labels)
    by = node.modifier.type == promql.AggModifierType.By
    return frozenset(each & named if by else each - named for each in inner)


def _of_call(node: Any, recorded: dict[str, frozenset[Labels]]) -> frozenset[Labels]:
    name = node.func.name
    if name in ("time", "scalar"):
        return frozenset()
    if name == "vector":
        return frozenset({frozenset()})
    if name == "absent":
        return frozenset({frozenset(m.name for m in node.args[0].matchers.matchers if m.op == promql.MatchOp.Equal)})
    vector = next(each for each in node.args if labels(each, recorded))
    inner = labels(vector, recorded)
    if name == "label_replace":
        return frozenset(each | {node.args[1].val} for each in inner)
    if name == "histogram_quantile":
        return frozenset(each - {"le"} for each in inner)
    return inner


def _of_binary(node: Any, recorded: dict[str, frozenset[Labels]]) -> frozenset[Labels]:
    left, right = labels(node.lhs, recorded), labels(node.rhs, recorded)
    operation = operator(node)
    if operation == "or":
        return left | right
    if operation in OPERATIONS or not right:
        return left
    if not left:
        return right
    matching = node.modifier.matching if node.modifier is not None else None
    grouped = node.modifier is not None and node.modifier.card != promql.VectorMatchCardinality.OneToOne
    if matching is None or grouped:
        return left  # equal on both sides, or the many are on the left
    named = frozenset(matching.labels)
    by = matching.type == promql.LabelModifierType.Include
    return frozenset(one & named if by else one - named for one, _ in product(left, right))
