"""Content negotiation (RFC 9110 section 12.5): exposition format, compression, language and time zone of a response."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from exporter.model.phrases import FALLBACK, matching
from exporter.model.zones import time_zone

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OPENMETRICS_0 = "application/openmetrics-text; version=0.0.1; charset=utf-8"
MAX_RANGES = 32


@dataclass(frozen=True, slots=True)
class _Range:
    name: str
    parameters: dict[str, str]
    quality: float


def _ranges(header: str) -> list[_Range]:
    """Return the elements of Accept, Accept-Encoding or Accept-Language. Invalid elements are ignored."""
    found = []
    for element in header.split(",")[:MAX_RANGES]:
        name, *rest = [part.strip() for part in element.split(";")]
        parameters = {
            key.strip().lower(): value.strip().strip('"') for key, _, value in (p.partition("=") for p in rest)
        }
        try:
            quality = min(max(float(parameters.pop("q", "1")), 0.0), 1.0)
        except ValueError:
            continue
        if name:
            found.append(_Range(name.lower(), parameters, quality))
    return found


def exposition_type(accept: str) -> str:
    """Return the Content-Type of /metrics.

    It is the format with the highest quality, the first one if several are equal, else text 0.0.4. A request for a
    later version of OpenMetrics gets 1.0.0.
    """
    best, quality = TEXT, 0.0
    for wanted in _ranges(accept):
        offer = _offer(wanted)
        if offer and wanted.quality > quality:
            best, quality = offer, wanted.quality
    return best


def _offer(wanted: _Range) -> str | None:
    version = wanted.parameters.get("version", "")
    if wanted.name == "application/openmetrics-text":
        return OPENMETRICS_0 if version.startswith("0.") else OPENMETRICS
    if wanted.name == "text/plain":
        return TEXT_1 if version == "1.0.0" else TEXT if version in ("", "0.0.4") else None
    return TEXT if wanted.name in ("*/*", "text/*") else None


def accepts_gzip(header: str) -> bool:
    qualities = {wanted.name: wanted.quality for wanted in _ranges(header)}
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def language(header: str, chosen: str = "") -> str:
    """Return the language chosen in the URL, else the preferred one of the browser, else English."""
    wanted = [chosen] if chosen else [r.name for r in sorted(_ranges(header), key=lambda r: -r.quality) if r.quality]
    return next(filter(None, map(matching, wanted)), FALLBACK)


def zone(chosen: str, usual: tzinfo | None) -> tzinfo | None:
    """Return the time zone that the URL chooses (`tz=Asia/Shanghai`), else `usual`. Raises ValueError."""
    return time_zone(chosen.replace(" ", "+")) if chosen else usual  # a plus sign in a query is a space


def wants_html(accept: str) -> bool:
    """Return whether the client is a browser, which prefers HTML."""
    return any(wanted.name == "text/html" and wanted.quality > 0 for wanted in _ranges(accept))
