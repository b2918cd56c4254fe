from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1d", 86400), ("1d2h3m4s5ms", 93784.005), ("0s", 0)],
)
def test_durations_are_read(text, seconds):
    assert durations.parse(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "5 m", "m5", "5m1h", "5m5m", "-5s", "1.5h", "5min", "5M", "1w", "٣s", None, [], True]
)
def test_anything_else_is_refused_with_a_hint(text):
    with pytest.raises(ValueError, match=r"write a duration such as 30s"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["20", 20, "1.5"])
def test_a_bare_number_is_asked_for_its_unit(text):
    with pytest.raises(ValueError, match=r"needs a unit: .*s, .*m or .*h\?"):
        durations.parse(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_shown_reads_back(milliseconds):
    assert durations.parse(durations.show(milliseconds / 1000)) == pytest.approx(milliseconds / 1000)
