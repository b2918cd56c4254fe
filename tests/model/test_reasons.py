"""Every reason is explained, in both languages, and the documentation is what the table says."""

from __future__ import annotations

import re

import pytest

from exporter.model.reasons import ABOUT, Layer, Owner, Reason, about
from tests.docs.generate_reasons import LAYERS, OWNERS, PAGE, page

MOST = 220  # characters


def test_every_reason_is_explained_and_nothing_else_is() -> None:
    assert set(ABOUT) == set(Reason)


def test_reasons_are_grouped_by_layer_from_the_ground_up() -> None:
    order = [list(Layer).index(ABOUT[reason].layer) for reason in Reason]
    assert order == sorted(order)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_remedy_is_a_short_sentence_in_each_language(reason: Reason) -> None:
    english, chinese = about(reason).remedy("en"), about(reason).remedy("zh")
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


def test_the_page_knows_every_layer_and_owner() -> None:
    assert set(LAYERS) == set(Layer)
    assert set(OWNERS) == set(Owner)


def test_the_documentation_is_what_the_table_says() -> None:
    """On failure: python -m tests.docs.generate_reasons."""
    assert PAGE.read_text(encoding="utf-8") == page()
