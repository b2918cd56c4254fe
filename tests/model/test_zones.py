"""Tests of time zones by name: those that exist, what is refused, and how a time names its zone."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from exporter.model.zones import in_zone, named, offset, time_zone

SUMMER, WINTER = 1_720_000_000.0, 1_704_067_200.0  # 3 July and 1 January 2024


@pytest.mark.parametrize("name", ["Asia/Shanghai", "Asia/Taipei", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+8"])
def test_a_zone_is_found_by_its_name(name: str):
    assert time_zone(name).key == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "Beijing",
            "Asia",
            "Asia/",
            "+08:00",
            "tzdata.zi",
            "posixrules/",
            "Asia\\Shanghai",
            "UTC\0",
            "UTC\n",
            "é",
        ),
        *("/etc/passwd", "../../etc/passwd", "Asia/../UTC", "x" * 5000),
    ],
)
def test_any_other_name_is_refused_with_what_to_write(name: str):
    with pytest.raises(ValueError, match="write a name such as Asia/Shanghai or UTC") as refused:
        time_zone(name)
    assert len(str(refused.value)) < 250


def test_a_zone_names_the_offset_of_the_time_and_not_of_today():
    berlin = time_zone("Europe/Berlin")
    assert (named(SUMMER, berlin), named(WINTER, berlin)) == ("Europe/Berlin (UTC+02:00)", "Europe/Berlin (UTC+01:00)")
    assert named(WINTER, time_zone("Asia/Kolkata")) == "Asia/Kolkata (UTC+05:30)"
    assert named(WINTER, time_zone("UTC")) == named(WINTER, UTC) == "UTC"
    assert named(WINTER, timezone(timedelta(hours=8), "CST")) == "UTC+08:00"
    assert offset(in_zone(WINTER, berlin)) == "UTC+01:00"


def test_without_a_zone_it_is_that_of_this_machine():
    assert in_zone(WINTER, None).utcoffset() is not None
    assert in_zone(WINTER, None) == in_zone(WINTER, UTC)
