"""Writes one dashboard as one HTML page, with a notice that it is not Grafana.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from grafana.preview import lines, shapes
from grafana.preview.data import Json, Source

UNIT, GAP = 38, 8  # pixels: height of a row of Grafana's grid, and space between panels
WIDTH = 1600
STYLE = Path(__file__).with_name("style.css")


def page(dashboard: Json, source: Source) -> str:
    """Return the page as HTML."""
    chinese = dashboard["uid"].endswith("-zh")
    notice = "预览，不是 Grafana" if chinese else "a preview, not Grafana"
    parts, bottom = [], 0
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        top = place["y"] * UNIT
        bottom = max(bottom, top + place["h"] * UNIT)
        if panel["type"] == "row":
            parts.append(f'<h3 style="top:{top}px">{escape(panel["title"])}</h3>')
            continue
        width, height = place["w"] * WIDTH // 24 - GAP, place["h"] * UNIT - GAP
        style = f"left:{place['x'] * WIDTH // 24}px;top:{top}px;width:{width}px;height:{height}px"
        body = _body(panel, source, width - 18, height - 34)
        parts.append(f'<section style="{style}"><h2>{escape(panel["title"])}</h2>{body}</section>')
    language = "zh-Hans" if chinese else "en"
    style = STYLE.read_text(encoding="utf-8").replace("WIDTH", str(WIDTH))
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>{escape(dashboard["title"])}</title>'
        f"<style>{style}</style><header><h1>{escape(dashboard['title'])}</h1>"
        f'<b>{notice}</b></header><main style="height:{bottom}px">{"".join(parts)}</main></html>\n'
    )


def height(dashboard: Json) -> int:
    """Return the height in pixels of a window that shows the whole page."""
    lowest: int = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    return lowest * UNIT + 60


def _body(panel: Json, source: Source, width: int, tall: int) -> str:
    found = [each for target in panel["targets"] for each in source.ask(target)]
    match panel["type"]:
        case "stat":
            return shapes.stat(panel, found)
        case "bargauge":
            return shapes.bars(panel, found)
        case "table":
            return shapes.table(panel, found)
        case "state-timeline":
            return lines.states(panel, found, source, width, tall)
        case _:
            return lines.series(panel, found, source, width, tall)
