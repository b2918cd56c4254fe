"""Tests that the table of times follows from the rules, and that a server that is down is paged within four minutes."""

from __future__ import annotations

import re

import pytest

from exporter.config.schema.daemon import Intervals
from exporter.run.vantage import EVERY
from tests.rules.timetable import FILE, INTERVALS, NOTICE, measured, rows, steps
from tests.walk.test_times import FILE as WRITTEN


def test_a_server_that_is_down_is_paged_within_four_minutes():
    assert steps("MailHostOutage").most <= 240
    assert steps("MailHostOutage").wait >= 60  # several runs, since a failure is checked again after 20 and 40 seconds


def test_the_intervals_are_the_defaults():
    known = Intervals()
    assert INTERVALS["MailHostOutage"] == INTERVALS["MailEndpointDown"] == known.tls
    assert INTERVALS["MailLoginRejected"] == known.login
    assert INTERVALS["MailDNSFailing"] == known.dns
    assert INTERVALS["MailprobeAllVantagesOffline"] == EVERY


def test_what_is_measured_is_what_the_table_shows():
    assert FILE == WRITTEN
    assert {each["alert"] for each in measured()} == set(INTERVALS)
    assert len(list(rows())) == len(measured())


@pytest.mark.parametrize("each", measured(), ids=lambda each: each["alert"])
def test_what_was_measured_keeps_what_the_rules_promise(each):
    """One page and one end for each fault, not later than the steps allow, with times within one interval."""
    assert (each["pages"], each["resolves"]) == (1, 1)
    assert each["fault_to_page"] <= steps(each["alert"]).most
    # A time is that of a run. Whose server was told to work is looked at once more, within its timeout.
    interval = INTERVALS[each["alert"]] + NOTICE
    assert all(-1 <= (each[name] or 0) <= interval for name in ("since_after_fault", "until_after_repair"))
    assert not re.search(r"\d\.\d", "".join(rows()))
