"""Time zones by their IANA name, and how a time names its zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone with an IANA name. Raises ValueError, which says what to write."""
    if _NAME.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (LookupError, ValueError, OSError):  # no such file, not a file of that kind, a folder
            pass
    raise ValueError(
        f"{name[:64]!r} is no time zone that this machine knows; write a name such as Asia/Shanghai or UTC"
    )


def in_zone(at: float, zone: tzinfo | None) -> datetime:
    """Return the Unix time in a time zone; None is the one of this machine."""
    return datetime.fromtimestamp(at, zone) if zone is not None else datetime.fromtimestamp(at).astimezone()


def offset(at: datetime) -> str:
    """Return the offset of a time from UTC, such as UTC+08:00. A name such as CST would be ambiguous."""
    return timezone(at.utcoffset() or timedelta()).tzname(None)


def named(at: float, zone: tzinfo | None) -> str:
    """Return the name of a zone and its offset at a Unix time: Asia/Shanghai (UTC+08:00), or only the offset."""
    shown, key = offset(in_zone(at, zone)), getattr(zone, "key", "")
    return f"{key} ({shown})" if key and key != shown else shown
