"""Tests of the groups: the lists name existing files, and each group is a file or a test."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.groups import APART, LONG, Groups, group

ROOT = Path(__file__).parents[1]


def test_the_lists_name_files_that_there_are():
    assert [name for name in (*LONG, *APART) if not (ROOT / name).is_file()] == []
    assert len(set(LONG)) == len(LONG)


def test_a_group_is_a_file_or_a_test_of_a_file_whose_tests_share_nothing():
    assert group("tests/walk/test_walk.py::test_one[a]") == group("tests/walk/test_walk.py::test_two")
    assert group(f"{APART[0]}::test_one[a]") != group(f"{APART[0]}::test_one[b]")


class Worker:
    """The worker in the form in which the scheduler of pytest-xdist sees it."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="gw")
        self.given: list[list[int]] = []
        self.shutting_down = False

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.given.append(numbers)

    def shutdown(self) -> None:
        self.shutting_down = True


def test_a_worker_gets_whole_groups_in_the_order_of_the_tests():
    """pytest-xdist's scheduler calls a private method of ours to get the groups."""
    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(getvalue=lambda name: ["2*popen"], option=option)
    made = Groups(config)
    nodes: list[Any] = [Worker(), Worker()]
    tests = ["a.py::test_one[::1]", "b.py::test_one", "a.py::test_one[::2]", "a.py::test_two", "b.py::test_two"]
    tests += ["b.py::test_three", "c.py::test_one"]
    for each in nodes:
        made.add_node(each)
        made.add_node_collection(each, tests)
    made.schedule()
    assert [each.given for each in nodes] == [[[0, 2, 3]], [[1, 4, 5]]]
