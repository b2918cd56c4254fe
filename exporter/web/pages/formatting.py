"""Formats times, durations and sizes for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from exporter.web.pages.words import Words


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for people, and for machines."""

    iso: str
    text: str
    ago: str  # or when it will be


def moment(at: float, now: float, words: Words) -> Moment:
    """In the server's time zone; the day is left out while it is today's."""
    local, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    text = local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M")
    distance = words("ahead", span=words.span(at - now)) if at > now + 1 else words("ago", span=words.span(now - at))
    return Moment(local.isoformat(timespec="seconds"), text, distance)


def zone(at: float) -> str:
    """The server's time zone as its distance from UTC: names like CST are several zones'."""
    return timezone(datetime.fromtimestamp(at).astimezone().utcoffset() or timedelta()).tzname(None)


def duration(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def size(octets: float) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if octets >= scale:
            return re.sub(r"\.0\b", "", f"{octets / scale:.1f} {unit}")
    return f"{octets:.0f} B"


def number(value: float) -> str:
    """With thousands set apart."""
    return f"{value:,.0f}".replace(",", "\u202f")
