"""Parses and formats durations: `500ms`, `30s`, `5m`, `1h30m`, `1d`."""

from __future__ import annotations

import re

UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}  # milliseconds, largest first
PATTERN = r"^(?=[0-9])(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,9})s)?(?:([0-9]{1,9})ms)?$"
_FORM = re.compile(PATTERN)
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")


def parse(text: object) -> float:
    """Return seconds. Raises ValueError with an example of the right form."""
    found = _FORM.match(text) if isinstance(text, str) else None
    if found is None:
        number = str(text)
        if _NUMBER.fullmatch(number):
            raise ValueError(f"a duration needs a unit: {number}s, {number}m or {number}h?")
        raise ValueError("write a duration such as 30s, 5m, 1h30m or 1d")
    total = sum(int(number or 0) * unit for number, unit in zip(found.groups(), UNITS.values(), strict=True))
    return total / 1000


def in_words(seconds: float) -> str:
    """Return an approximate duration for a sentence: 45 s, 12 min, 3 h. `model.details` has it in other languages."""
    for unit, size, limit in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds / size < limit:
            return f"{max(round(seconds / size), 0)} {unit}"
    return f"{round(seconds / 86400)} d"


def show(seconds: float) -> str:
    """Return the shortest form: 5400.0 → 1h30m."""
    left = round(seconds * 1000)
    parts = []
    for name, size in UNITS.items():
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"
