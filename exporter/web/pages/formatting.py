"""Formats times, durations and sizes for people."""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.model.zones import in_zone, offset
from exporter.web.pages.words import Words


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as text for people, and in a format for programs."""

    iso: str
    text: str  # without its zone: where many times stand below each other, the heading names it
    zone: str  # offset from UTC
    ago: str  # how long ago, or how far in the future

    @property
    def whole(self) -> str:
        """The time with its zone."""
        return f"{self.text} {self.zone}"


def moment(at: float, now: float, words: Words) -> Moment:
    """Return the Unix time `at` in the reader's time zone, without the date if it is today."""
    local, today = in_zone(at, words.zone), in_zone(now, words.zone)
    text = local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M")
    distance = words("ahead", span=words.span(at - now)) if at > now + 1 else words("ago", span=words.span(now - at))
    return Moment(local.isoformat(timespec="seconds"), text, offset(local), distance)


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
    """Return the number with separators of thousands."""
    return f"{value:,.0f}".replace(",", "\u202f")
