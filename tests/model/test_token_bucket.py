"""Tests of the token bucket, with a clock that the test controls."""

from __future__ import annotations

from exporter.model.token_bucket import TokenBucket


def taken(bucket: TokenBucket, now: float) -> bool:
    """Return whether a token could be taken."""
    free = not bucket.wait(now)
    if free:
        bucket.take(now)
    return free


def test_a_burst_passes_and_then_one_each_interval():
    now = 100.0
    bucket = TokenBucket(3, 2.0)
    assert [taken(bucket, now) for _ in range(4)] == [True, True, True, False]
    now += 1.0
    assert not taken(bucket, now)
    assert bucket.wait(now) == 1.0
    now += 1.0
    assert taken(bucket, now)
    assert not taken(bucket, now)


def test_a_long_silence_saves_up_no_more_than_the_burst():
    bucket = TokenBucket(2, 1.0)
    assert [taken(bucket, 1_000_000.0) for _ in range(3)] == [True, True, False]
    assert [taken(bucket, 2_000_000.0) for _ in range(3)] == [True, True, False]


def test_who_waits_as_told_gets_one_each_interval():
    bucket, now = TokenBucket(3, 4.0), 100.0
    waits = []
    for _ in range(5):
        wait = bucket.wait(now)
        waits.append(wait)
        now += wait
        bucket.take(now)
    assert waits == [0, 0, 0, 4, 4]
    assert bucket.wait(now + 1000) == 0
