"""Counts what a reader does: the lines of Python that are executed, the same on every machine and every run.

What a regular expression does inside one line is not counted here: regex_cost.py does that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(read: Callable[[], object]) -> int:
    """Lines executed while reading. What the reader raises is an answer, too."""
    count = 0

    def trace(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read()
    except Exception:  # a refusal ends the reading
        return count
    finally:
        sys.settrace(before)
    return count


def grows_linearly(read: Callable[[Any], object], shape: Callable[[int], Any], size: int, *, times: int = 4) -> str:
    """Empty where an input that is `times` as large costs at most a little more than `times` the steps."""
    small, large = shape(size), shape(size * times)
    few, many = steps(lambda: read(small)), steps(lambda: read(large))
    # 200 steps: what every call costs, whatever it is given.
    return "" if many <= times * few * 1.25 + 200 else f"{few} steps for size {size}, {many} for {times} times as much"
