"""Which tests run together: the lists name files that there are, and a group is a file or a test."""

from __future__ import annotations

from pathlib import Path

from tests.groups import APART, LONG, group

ROOT = Path(__file__).parents[1]


def test_the_lists_name_files_that_there_are():
    assert [name for name in (*LONG, *APART) if not (ROOT / name).is_file()] == []
    assert len(set(LONG)) == len(LONG)


def test_a_group_is_a_file_or_a_test_of_a_file_whose_tests_share_nothing():
    assert group("tests/walk/test_walk.py::test_one[a]") == group("tests/walk/test_walk.py::test_two")
    assert group(f"{APART[0]}::test_one[a]") != group(f"{APART[0]}::test_one[b]")
