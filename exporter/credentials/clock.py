"""A clock that never jumps: CLOCK_BOOTTIME while the machine runs, the wall clock between two boots.

Login pauses must not become shorter because somebody sets the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path


class Clock:
    """`now` continues while the machine sleeps, and does not change when the wall clock is set."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        self.wall = wall  # Unix time, seconds
        self.now = elapsed or _boottime
        self._boot = _boot_id() if boot is None else boot

    def stamp(self) -> dict[str, object]:
        """Return the current time in a form for `since`, also in a later process."""
        return {"boot": self._boot, "elapsed": self.now(), "wall": self.wall()}

    def since(self, stamp: object) -> float:
        """Return the seconds since a stamp; 0 if it lies in the future, so that a clock set back ends no pause early.

        Between two boots only the wall clock is available.
        """
        if not isinstance(stamp, dict):
            return 0.0
        same_boot = self._boot != "" and stamp.get("boot") == self._boot
        then = stamp.get("elapsed" if same_boot else "wall")
        now = self.now() if same_boot else self.wall()
        return max(0.0, now - then) if isinstance(then, int | float) else 0.0


def _boottime() -> float:
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
