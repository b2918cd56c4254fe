"""Rows of the state file, as they must be. A damaged one raises ValueError or TypeError. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from exporter.state.in_flight import InFlight


def texts(row: Sequence[object]) -> tuple[str, str]:
    """Two texts."""
    first, second = (_text(each) for each in row)
    return first, second


def breaker(row: Sequence[object]) -> tuple[str, str, str]:
    """Account, fingerprint (hexadecimal) and record. What is in the record, the login guard judges."""
    account, fingerprint, record = (_text(each) for each in row)
    bytes.fromhex(fingerprint)
    if len(fingerprint) < 8:
        raise ValueError("a fingerprint that is too short")
    return account, fingerprint, record


def mail_in_flight(row: Sequence[object]) -> InFlight:
    """A mail; its marks are JSON."""
    token, route, sent_at, late, marks, uncertain = row
    return InFlight(
        _text(token),
        _text(route),
        _time(sent_at),
        bool(late),
        tuple((_text(name), int(validity), int(uid)) for name, validity, uid in json.loads(_text(marks))),
        bool(uncertain),
    )


def two_texts_and_a_time(row: Sequence[object]) -> tuple[str, str, float]:
    """A settled mail: token, route, Unix time."""
    first, second, at = row
    return _text(first), _text(second), _time(at)


def three_texts_and_a_time(row: Sequence[object]) -> tuple[str, str, str, float]:
    """A note: subject, key, value; or a standing: target, probe, record. Unix time of its last change."""
    first, second, third, at = row
    return _text(first), _text(second), _text(third), _time(at)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where a text must be")
    return value


def _time(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{type(value).__name__} where a time must be")
    return float(value)
