"""Every regular expression of the program takes linear time: found by itself, with inputs made from each pattern."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.regex_cost import Matcher, excess

ROOT = Path(__file__).parents[2] / "exporter"
# What reads only the arguments and files of the administrator, or is not part of the daemon.
NOT_FOREIGN = ("demo/", "cli/", "config/", "web/config/", "daemon/")
ANCHORED = frozenset({"match", "fullmatch"})
Found = tuple[re.Pattern[Any], bool]


def compiled(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | frozenset | set):
        for each in value:
            yield from compiled(each)
    elif isinstance(value, dict):
        yield from compiled([*value, *value.values()])


@cache
def patterns() -> dict[str, Found]:
    """Where it is → the pattern, and whether it is only ever tried at one position."""
    found: dict[str, Found] = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(NOT_FOREIGN) or path.name in ("__init__.py", "__main__.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls: list[Any] = [
            node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        ]
        used: dict[str, set[str]] = {}
        for call in calls:
            if isinstance(call.func.value, ast.Name):
                used.setdefault(call.func.value.id, set()).add(call.func.attr)
        if "re" not in used:
            continue
        module = importlib.import_module("exporter." + name.removesuffix(".py").replace("/", "."))
        for variable, value in vars(module).items():
            for index, pattern in enumerate(compiled(value)):
                found[f"{name} {variable} {index}"] = pattern, bool(used.get(variable)) and used[variable] <= ANCHORED
        for call in calls:  # re.sub("…", …)
            inline = ast.unparse(call.func.value) == "re" and call.func.attr != "compile" and call.args
            if inline and isinstance(call.args[0], ast.Constant):
                flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(call) else re.NOFLAG
                pattern = re.compile(call.args[0].value, flags)
                found[f"{name} line {call.lineno}"] = pattern, call.func.attr in ANCHORED
    return found


@pytest.fixture(autouse=True)
def deep_enough():
    """A group that is repeated 1,200 times is as many calls of the counted matcher, several each."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(60_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("where", patterns())
def test_a_pattern_takes_linear_steps(where):
    pattern, anchored = patterns()[where]
    assert excess(pattern, anchored=anchored) == ""


@pytest.mark.parametrize(
    "slow",
    [
        r"(a+)+b",
        r"(?:a|aa)*c",
        r"x\s*\s*y",
        r"(.*?)[ \t]*z",
        r"\[([^\]]+)\]",
        r"\d+x",
        r"(?:\s*a)*\s*;",
        r"[a-z]+@",
        r"<.*>",
    ],
)
def test_the_count_finds_patterns_that_are_slow(slow):
    assert excess(re.compile(slow), anchored=False) != ""


@pytest.mark.parametrize("fast", [r"(?:[^\"\\]++|\\.)*+", r"\d{1,19}x", r"\bby\s", r";(?:\s++a)*+", r"a=([^;]*)"])
def test_the_count_lets_linear_ones_pass(fast):
    assert excess(re.compile(fast), anchored=False) == ""


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a|ab)(c|bcd)(d*)\Z", "abcd"),
        (r"(?i)(?:^|\s)by\s+([^\s;()]+)", "by X;"),
        (r"(?=[^.]*[a-z])[a-z0-9]+(?<!-)\Z", "a1"),
        (r"(?:x{2,3}?)+y", "xxxxxy"),
        (r"[^\W\d]+\b", "ab-"),
    ],
)
def test_the_counted_matcher_matches_as_python_does(pattern, text):
    expected = re.compile(pattern).match(text)
    assert Matcher(re.compile(pattern)).match(text) == (expected.end() if expected else None)


def test_the_patterns_of_all_readers_are_found():
    assert len(patterns()) > 60
    assert {"net/imap/parser.py _CODE 0", "probes/roundtrip/headers.py _PARAMETER 0"} <= set(patterns())
