"""A token bucket: a burst of tokens at once, then one per interval. No I/O; the time is passed in."""

from __future__ import annotations


class TokenBucket:
    """`burst` tokens at once (at least one), then one per `interval` seconds. Full at the start."""

    def __init__(self, burst: int, interval: float) -> None:
        self._slack = (burst - 1) * interval
        self._interval = interval
        self._full_at = float("-inf")  # when the bucket is full again

    def wait(self, now: float) -> float:
        """Return the seconds until a token is available."""
        return max(0.0, self._full_at - now - self._slack)

    def take(self, now: float) -> None:
        """Use one token. The caller must have waited until one is available."""
        self._full_at = max(self._full_at, now) + self._interval
