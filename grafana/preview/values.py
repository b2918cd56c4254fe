"""Formats and colours a value: unit, value mapping, thresholds.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import time
from typing import Any

Json = dict[str, Any]
_FALLBACK = "#8E8E8E"
_SPANS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 0.001))


def written(value: float, unit: str) -> str:
    """Format about as Grafana does."""
    if math.isnan(value):
        return "NaN"
    match unit:
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "bytes":
            return _bytes(value)
        case "s":
            return span(value)
        case "d":
            return f"{value:.0f} d" if abs(value) >= 10 else f"{value:.1f} d"
        case "dateTimeFromNow":
            return ago(value / 1000)
        case _:
            return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def span(seconds: float) -> str:
    for name, size in _SPANS:
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds * 1000:.2g} ms" if seconds else "0 s"


def ago(at: float) -> str:
    left = at - time.time()
    return f"in {span(left)}" if left > 0 else f"{span(-left)} ago"


def _bytes(value: float) -> str:
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:.3g} {name}"
        value /= 1024
    return f"{value:.3g} TiB"


def mapped(value: float | str, mappings: list[Json]) -> Json | None:
    """Return the text and colour of the value mapping for a value."""
    key = value if isinstance(value, str) else f"{value:g}"
    for mapping in mappings:
        if mapping["type"] == "value" and key in mapping["options"]:
            found: Json = mapping["options"][key]
            return found
        if mapping["type"] == "range" and not isinstance(value, str):
            options = mapping["options"]
            if options["from"] <= value <= options["to"]:
                ranged: Json = options["result"]
                return ranged
    return None


def threshold(value: float, config: Json) -> str:
    """Return the colour of the highest threshold that the value reaches."""
    colour = _FALLBACK
    for step in config["steps"]:
        if step.get("value") is None or value >= step["value"]:
            colour = step["color"]
    return colour


def shown(value: float, config: Json) -> tuple[str, str]:
    """Return the text and colour of a value in a field with this configuration."""
    found = mapped(value, config.get("mappings", []))
    if found:
        return str(found.get("text", "")), str(found.get("color") or threshold(value, config["thresholds"]))
    return written(value, config.get("unit", "short")), threshold(value, config["thresholds"])
