"""A token bucket: so many at once, then one each time an interval has passed. Pure: the time is passed in."""

from __future__ import annotations


class TokenBucket:
    """`burst` at once, at least one, then one each `interval` seconds. Full at first."""

    def __init__(self, burst: int, interval: float) -> None:
        self._slack = (burst - 1) * interval
        self._interval = interval
        self._full_at = float("-inf")  # when the whole burst is there again

    def wait(self, now: float) -> float:
        """Seconds until one may be taken."""
        return max(0.0, self._full_at - now - self._slack)

    def take(self, now: float) -> None:
        """Use one up. It is for the caller to have waited."""
        self._full_at = max(self._full_at, now) + self._interval
