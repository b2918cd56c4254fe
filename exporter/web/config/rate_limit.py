"""A token bucket: `burst` requests at once, then one per `interval`."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Full at first."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Whether one more request may be answered now."""
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._at) / self._interval, float(self._burst))
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
