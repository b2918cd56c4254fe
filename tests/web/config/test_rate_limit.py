"""The token bucket, with a clock in the hand."""

from __future__ import annotations

from exporter.web.config.rate_limit import Bucket


def test_a_burst_passes_and_then_one_each_interval():
    now = 100.0
    bucket = Bucket(2.0, 3, lambda: now)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now += 1.0
    assert not bucket.take()
    now += 1.0
    assert bucket.take()
    assert not bucket.take()


def test_a_long_silence_saves_up_no_more_than_the_burst():
    now = 0.0
    bucket = Bucket(1.0, 2, lambda: now)
    now = 1_000_000.0
    assert [bucket.take() for _ in range(3)] == [True, True, False]
