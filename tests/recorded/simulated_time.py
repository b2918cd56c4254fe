"""An event loop in simulated time: what waits costs nothing, and a story of an hour takes a second."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jump(selectors.SelectSelector):
    """Waits by moving the clock. Nothing else is ever ready: the stories have no sockets and no threads."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self.now += timeout
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Its time, in seconds, begins at 0."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


class Monotonic:
    """Stands for the module `time` in code that reads it."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.monotonic = loop.time
        self.perf_counter = loop.time


def run(loop: SimulatedLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run until `work` is done, and close the loop."""
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
