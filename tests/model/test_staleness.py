"""Tests of when a result is too old: after five intervals, but at least ten minutes."""

from __future__ import annotations

import pytest

from exporter.model.staleness import lifetime


@pytest.mark.parametrize(("interval", "seconds"), [(0.0, 600.0), (60.0, 600.0), (120.0, 600.0), (300.0, 1500.0)])
def test_a_result_counts_for_five_intervals_and_ten_minutes_at_least(interval, seconds):
    assert lifetime(interval) == seconds
