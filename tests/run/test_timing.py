"""Tests of when targets run, without a clock."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Kind, Outcome, ProbeName, Result, Target
from exporter.model.settings import Limits
from exporter.run.timing import FEW, fraction, next_start, plan, recheck_start, second_start, spread_of

SECONDS = st.floats(1.0, 86400.0)


def target(
    name: str, interval: float = 300.0, logins: tuple[str, ...] = (), probe: ProbeName = ProbeName.IMAP
) -> Target:
    return Target(name, Kind.MAILBOX, probe, None, interval, 20.0, 20.0, recheck=20.0, logins=logins)


def result(outcome: Outcome, probe: ProbeName = ProbeName.IMAP, *, refused: bool = False) -> Result:
    return Result(target("a", probe=probe), "0" * 12, 0.0, 1.0, outcome, login_refused=refused)


def test_intervals_stay_as_configured_while_the_login_budget_suffices():
    planned = plan([target(f"m{n}", 60.0, ("imap.example.com",)) for n in range(60)], Limits())
    assert set(planned.intervals.values()) == {60.0}
    assert planned.warnings == ()


def test_intervals_are_stretched_per_host_to_the_login_budget_and_a_warning_says_so():
    crowd = [target(f"m{n}", 60.0 if n % 2 else 120.0, ("imap.example.com",)) for n in range(200)]
    others = [target("quiet", 60.0, ("imap.example.net",)), target("tls", 10.0, probe=ProbeName.TLS)]
    planned = plan(crowd + others, Limits(logins_per_host_per_minute=60))
    assert sum(60.0 / planned.intervals[each.key] for each in crowd) == pytest.approx(60.0)
    assert [planned.intervals[each.key] for each in others] == [60.0, 10.0]
    (warning,) = planned.warnings
    assert "imap.example.com: 150 logins a minute are configured and 60 are allowed" in warning
    assert "2.5 times" in warning


def test_a_round_trip_with_two_logins_on_a_host_spends_two():
    planned = plan([target("r", 30.0, ("h", "h"))], Limits(logins_per_host_per_minute=2))
    assert planned.intervals["r", ProbeName.IMAP] == 60.0


def test_the_first_round_keeps_the_login_budget_too():
    crowd = [target(f"m{n}", 300.0, ("h",)) for n in range(240)]
    planned = plan(crowd, Limits(logins_per_host_per_minute=60))
    assert set(planned.spreads.values()) == {240.0}
    few = plan(crowd[:60], Limits(logins_per_host_per_minute=60))
    assert set(few.spreads.values()) == {0.0}


def test_a_few_targets_start_within_two_seconds_and_many_within_a_minute():
    assert spread_of(FEW, 300.0, 0.0) == 2.0
    assert spread_of(FEW + 1, 300.0, 0.0) == 60.0
    assert spread_of(1000, 30.0, 0.0) == 30.0
    assert spread_of(1000, 300.0, 240.0) == 240.0


def test_fractions_are_the_same_in_every_process_and_spread_evenly():
    key = ("sales", ProbeName.IMAP)
    code = "from exporter.run.timing import *; print(fraction(('sales', ProbeName.IMAP)))"
    root = Path(__file__).parents[2]
    other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert float(other) == fraction(key)
    tenths = [0] * 10
    for number in range(10_000):
        tenths[int(fraction((f"mailbox {number}", ProbeName.SMTP)) * 10)] += 1
    assert min(tenths) > 900
    assert max(tenths) < 1100


def test_the_probes_of_a_target_do_not_start_together():
    assert fraction(("sales", ProbeName.IMAP)) != fraction(("sales", ProbeName.SMTP))


@given(st.floats(0, 1, exclude_max=True), SECONDS, SECONDS)
def test_the_second_start_comes_half_to_one_and_a_half_intervals_later_on_the_spread_beat(part, interval, other):
    spread = min(interval, other)
    first = 1000.0 + part * spread
    second = second_start(first, part, spread, interval)
    assert 0.5 * interval - 1e-6 <= second - first < 1.5 * interval + 1e-6
    off_beat = (second - 1000.0 - part * interval) / interval
    assert off_beat == pytest.approx(round(off_beat), abs=1e-6)


@given(st.floats(0, 1e6), SECONDS, st.floats(0, 1e6))
def test_the_next_start_is_the_first_beat_after_now(previous, interval, late):
    now = previous + late
    following = next_start(previous, interval, now)
    assert following > now
    assert following <= now + interval * (1 + 1e-6)
    assert (following - previous) / interval == pytest.approx(round((following - previous) / interval), abs=1e-6)


def test_the_beat_does_not_drift_when_starts_are_a_little_late():
    due = 0.0
    for number in range(1, 1000):
        due = next_start(due, 60.0, due + 0.4)
        assert due == 60.0 * number


def test_a_fresh_failure_is_looked_at_twice_more():
    failed = result(Outcome.FAILED)
    assert recheck_start(failed, 1, 100.0, 400.0) == 120.0
    assert recheck_start(failed, 2, 121.0, 400.0) == 141.0
    assert recheck_start(failed, 3, 142.0, 400.0) is None


def test_a_recheck_that_the_beat_forestalls_is_left_out():
    assert recheck_start(result(Outcome.FAILED), 1, 100.0, 120.0) is None


@pytest.mark.parametrize(
    "found",
    [
        result(Outcome.OK),
        result(Outcome.INCONCLUSIVE),
        result(Outcome.FAILED, refused=True),
        dataclasses.replace(result(Outcome.FAILED), login_suspended=True),
        result(Outcome.FAILED, ProbeName.ROUNDTRIP),
    ],
)
def test_what_is_not_repeated(found):
    assert recheck_start(found, 1, 100.0, 400.0) is None
