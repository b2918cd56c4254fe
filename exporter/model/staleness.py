"""How long a result speaks for the present. Metrics, root causes, pages and tickets all ask here."""

from __future__ import annotations

INTERVALS = 5
LEAST = 600.0  # seconds


def lifetime(interval: float) -> float:
    """Seconds after which the result of a target that runs every `interval` seconds is too old."""
    return max(INTERVALS * interval, LEAST)
