"""Draws panels over time as SVG: lines, stacked bars, bands of states.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import time
from html import escape

from grafana.preview.data import Json, Series, Source
from grafana.preview.shapes import config_of, nothing
from grafana.preview.values import shown, written

PALETTE = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00", "#999999")
LEFT, FOOT = 58, 18
_Points = tuple[tuple[float, float], ...]


def series(panel: Json, found: list[Series], source: Source, width: int, height: int) -> str:
    """Draw lines, with a legend of the last values."""
    found = [each for each in found if any(math.isfinite(value) for _, value in each.points)]
    if not found:
        return nothing(panel)
    config = panel["fieldConfig"]["defaults"]
    custom = config["custom"]
    lines = _stacked(found) if custom["stacking"]["mode"] == "normal" else [each.points for each in found]
    legend_rows = min(len(found), 4)
    tall = height - 15 * legend_rows - 6
    low, high = _range(config, lines)
    frame = _Frame(source, width, tall, low, high)
    parts = [frame.grid(config["unit"])]
    if custom["thresholdsStyle"]["mode"] != "off":
        parts += [
            frame.level(step["value"], step["color"]) for step in config["thresholds"]["steps"] if step.get("value")
        ]
    legend = []
    for number, (each, points) in enumerate(zip(found, lines, strict=True)):
        mine = config_of(panel, each.name)
        colour = mine.get("color", {}).get("fixedColor") or PALETTE[number % len(PALETTE)]
        dashed = ' stroke-dasharray="6 5"' if "custom.lineStyle" in mine else ""
        parts.append(f'<path d="{frame.path(points)}" fill="none" stroke="{colour}" stroke-width="1.8"{dashed}/>')
        last = written(each.last, config["unit"])
        legend.append(f'<span><i style="background:{colour}"></i>{escape(each.name)} <b>{escape(last)}</b></span>')
    more = f"<span>… {len(legend) - 8}</span>" if len(legend) > 8 else ""
    plot = f'<svg width="{width}" height="{tall}">{"".join(parts)}</svg>'
    return f'{plot}<div class="legend">{"".join(legend[:8])}{more}</div>'


def states(panel: Json, found: list[Series], source: Source, width: int, height: int) -> str:
    """Draw a band for each series."""
    if not found:
        return nothing(panel)
    config = panel["fieldConfig"]["defaults"]
    found = found[:20]
    room = 190
    each_height = max(min((height - FOOT) / len(found), 26), 9)
    scale = (width - room) / max(source.end - source.start, 1)
    parts = []
    for row, each in enumerate(found):
        top = row * each_height
        middle = top + each_height / 2 + 4
        parts.append(f'<text x="{room - 6}" y="{middle:.1f}" text-anchor="end">{escape(each.name[:34])}</text>')
        for start, end, value in _runs(each.points, source.step):
            text, colour = shown(value, config)
            x, wide = room + (start - source.start) * scale, max((end - start) * scale, 1)
            size = f'width="{wide:.1f}" height="{each_height - 2:.1f}"'
            parts.append(f'<rect x="{x:.1f}" y="{top + 1:.1f}" {size} fill="{colour}"/>')
            if wide > 8 * len(text) + 8:
                parts.append(f'<text class="in" x="{x + 5:.1f}" y="{middle:.1f}">{escape(text)}</text>')
    bottom = len(found) * each_height
    for share in (0, 0.25, 0.5, 0.75):
        at = source.start + share * (source.end - source.start)
        label = time.strftime("%H:%M:%S", time.localtime(at))
        parts.append(f'<text x="{room + share * (width - room):.0f}" y="{bottom + 13:.0f}">{label}</text>')
    return f'<svg width="{width}" height="{bottom + FOOT:.0f}">{"".join(parts)}</svg>'


def _runs(points: _Points, step: float) -> list[tuple[float, float, float]]:
    """Return the runs of equal values without a gap, as (from, to, value)."""
    runs: list[tuple[float, float, float]] = []
    for at, value in points:
        if runs and runs[-1][2] == value and at - runs[-1][1] <= step * 1.5:
            runs[-1] = (runs[-1][0], at + step, value)
        else:
            runs.append((at, at + step, value))
    return runs


def _stacked(found: list[Series]) -> list[_Points]:
    sums: dict[float, float] = {}
    made = []
    for each in found:
        line = []
        for at, value in each.points:
            sums[at] = sums.get(at, 0.0) + (value if math.isfinite(value) else 0.0)
            line.append((at, sums[at]))
        made.append(tuple(line))
    return made


def _range(config: Json, lines: list[_Points]) -> tuple[float, float]:
    values = [value for line in lines for _, value in line if math.isfinite(value)]
    low = config.get("min", min(values))
    high = config.get("max", max(values) * 1.05)
    return low, high if high > low else low + 1


class _Frame:
    """The axes of one plot."""

    def __init__(self, source: Source, width: int, height: int, low: float, high: float) -> None:
        self.source, self.width, self.height, self.low, self.high = source, width, height, low, high

    def x(self, at: float) -> float:
        return LEFT + (at - self.source.start) / (self.source.end - self.source.start) * (self.width - LEFT - 4)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return (1 - min(max(share, -0.02), 1.02)) * (self.height - FOOT - 8) + 6

    def path(self, points: _Points) -> str:
        made, pen = [], "M"
        last = 0.0
        for at, value in points:
            if not math.isfinite(value):
                pen = "M"
                continue
            if at - last > self.source.step * 1.5:
                pen = "M"
            made.append(f"{pen}{self.x(at):.1f} {self.y(value):.1f}")
            pen, last = "L", at
        return "".join(made)

    def level(self, value: float, colour: str) -> str:
        y = self.y(value)
        return f'<path d="M{LEFT} {y:.1f}H{self.width}" stroke="{colour}" stroke-dasharray="8 6"/>'

    def grid(self, unit: str) -> str:
        parts = []
        for share in (0, 0.5, 1):
            value = self.low + share * (self.high - self.low)
            y = self.y(value)
            parts.append(f'<path d="M{LEFT} {y:.1f}H{self.width}" class="grid"/>')
            parts.append(
                f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{escape(written(value, unit))}</text>'
            )
        for share in (0, 0.33, 0.66):
            at = self.source.start + share * (self.source.end - self.source.start)
            label = time.strftime("%H:%M:%S", time.localtime(at))
            parts.append(f'<text x="{self.x(at):.0f}" y="{self.height - 3}">{label}</text>')
        return "".join(parts)
