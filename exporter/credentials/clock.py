"""Time that never jumps: seconds of CLOCK_BOOTTIME within a boot, bridged over restarts of the machine by the wall."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path


class Clock:
    """`now` counts on while the machine sleeps and takes no notice of who sets the wall clock."""

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
        """The present moment, for `since` in this process or a later one."""
        return {"boot": self._boot, "elapsed": self.now(), "wall": self.wall()}

    def since(self, stamp: object) -> float:
        """Seconds since a stamp; 0 where it seems to lie in the future, so that nothing ends early by a clock set back.

        Between two boots there is only the wall clock to go by.
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
