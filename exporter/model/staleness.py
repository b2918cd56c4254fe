"""Decides how long a result is valid. Metrics, root causes, pages and tickets all use this."""

from __future__ import annotations

INTERVALS = 5
LEAST = 600.0  # seconds


def lifetime(interval: float) -> float:
    """Return the seconds after which a result is stale, for a target that runs every `interval` seconds."""
    return max(INTERVALS * interval, LEAST)
