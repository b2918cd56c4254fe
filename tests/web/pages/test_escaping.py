"""Tests that characters with a special meaning for a page are shown as text."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from exporter.model.reasons import Reason
from exporter.model.text import shortened
from exporter.web.pages.escaping import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("a\r\nb", "a\nb"),
        ("\x00\x1b[31mred\x7f", "⟨U+0000⟩⟨U+001B⟩[31mred⟨U+007F⟩"),
        ("a\x00\r\nb\rc", "a⟨U+0000⟩\nb⟨U+000D⟩c"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("invoice\u202egpj.exe", "invoice⟨U+202E⟩gpj.exe"),
        ("\u2066x\u2069\u200f\u061c", "⟨U+2066⟩x⟨U+2069⟩⟨U+200F⟩⟨U+061C⟩"),
        ("\u2028\ufeff\U000e0041", "⟨U+2028⟩⟨U+FEFF⟩⟨U+E0041⟩"),
        ("\ud800", "\ufffd"),
        ("采购 👩\u200d💻 می\u200cخواهم", "采购 👩\u200d💻 می\u200cخواهم"),
    ],
)
def test_steering_characters_become_visible(text, expected):
    assert shown(text) == expected


def test_what_is_ours_passes():
    for value in (Markup("<b>\u200e</b>"), Reason.TIMEOUT, 5, None):
        assert shown(value) is value


def test_a_long_text_becomes_one_line_of_bounded_length():
    assert shortened("a\n b\t c", 10) == "a b c"
    long = shortened("word " * 100_000, 50)
    assert len(long) <= 50
    assert long.endswith("…")
