"""Tests that every reason is explained in both languages, and that the documentation agrees with the table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from exporter.diagnosis import signatures
from exporter.model.advice import Advice
from exporter.model.reasons import ABOUT, Layer, Owner, Reason, about
from tests.docs.generate_reasons import LAYERS, OWNERS, PAGE, page

PACKAGE = Path(__file__).parents[2] / "exporter"
MOST = 220  # characters


def test_every_reason_is_explained_and_nothing_else_is() -> None:
    assert set(ABOUT) == set(Reason)


def test_reasons_are_grouped_by_layer_from_the_ground_up() -> None:
    order = [list(Layer).index(ABOUT[reason].layer) for reason in Reason]
    assert order == sorted(order)


@pytest.mark.parametrize("case", [*Reason, *Advice])
def test_a_remedy_is_a_short_sentence_in_each_language(case: Reason | Advice) -> None:
    known, advice = (about(case), None) if isinstance(case, Reason) else (about(Reason.UNKNOWN), case)
    english, chinese = known.remedy("en", advice), known.remedy("zh", advice)
    assert 0 < len(english) <= MOST
    assert 0 < len(chinese) <= MOST
    assert english.endswith((".", "?"))
    assert chinese.endswith(("。", "？"))
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    for text in (english, chinese):
        assert text == text.strip()
        assert "  " not in text
        assert "|" not in text, "it would break the table"
    assert not re.search(r"[\u4e00-\u9fff][,;:?!]|[\u4e00-\u9fff]\.(\s|$)", chinese), "half-width punctuation"


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_a_label_value_named_like_its_member(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert re.fullmatch(r"[a-z][a-z0-9_]*", reason.value)


class _Reported(ast.NodeVisitor):
    """Collects the reasons that code assigns; comparisons and look-ups do not count."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_Compare(self, node: ast.Compare) -> None:
        """Ignored."""

    def visit_Set(self, node: ast.Set) -> None:
        """Ignored."""

    def visit_Dict(self, node: ast.Dict) -> None:
        for value in node.values:
            self.visit(value)

    def visit_match_case(self, node: ast.match_case) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "Reason":
            self.found.add(node.attr.lower())
        self.generic_visit(node)


def test_every_reason_that_is_not_reserved_is_reported_somewhere() -> None:
    """By code that makes results, or by a signature. A reason that is reported must not be marked as reserved."""
    reported = _Reported()
    for package in ("credentials", "diagnosis", "net", "probes", "run", "targets"):
        for path in sorted((PACKAGE / package).rglob("*.py")):
            reported.visit(ast.parse(path.read_text(encoding="utf-8")))
    for row in signatures.rows():
        reported.found |= {row.reason, *row.causes}
    assert reported.found == {reason.value for reason in Reason if not about(reason).reserved}


def test_a_reserved_reason_is_marked_in_both_languages() -> None:
    rows = [line for line in page().partition("## More exact")[0].splitlines() if line.startswith("| `")]
    assert [row for row in rows if "(reserved · 预留)" in row] == [
        row for row in rows if about(Reason(row.split("`")[1])).reserved
    ]


def test_the_page_knows_every_layer_and_owner() -> None:
    assert set(LAYERS) == set(Layer)
    assert set(OWNERS) == set(Owner)


def test_the_documentation_is_what_the_table_says() -> None:
    """On failure: python -m tests.docs.generate_reasons."""
    assert PAGE.read_text(encoding="utf-8") == page()
