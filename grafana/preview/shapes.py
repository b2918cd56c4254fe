"""Draws panels as HTML and SVG: values, tables, bars.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from html import escape

from grafana.preview.data import Json, Series
from grafana.preview.values import mapped, shown, threshold, written


def config_of(panel: Json, name: str) -> Json:
    """Return the configuration of the field: the defaults and the override with its name."""
    made: Json = {**panel["fieldConfig"]["defaults"]}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": "byName", "options": name}:
            for change in override["properties"]:
                made[change["id"]] = change.get("value")
    return made


def colour_of(panel: Json, name: str, value: float) -> str:
    config = config_of(panel, name)
    fixed = config.get("color", {})
    return str(fixed["fixedColor"]) if fixed.get("mode") == "fixed" else shown(value, config)[1]


def nothing(panel: Json) -> str:
    return f'<div class="none">{escape(panel["fieldConfig"]["defaults"].get("noValue", ""))}</div>'


def stat(panel: Json, found: list[Series]) -> str:
    """Draw large values next to each other."""
    options = panel["options"]
    named = options["textMode"] == "value_and_name"
    filled = options["colorMode"].startswith("background")
    cells = []
    for each in found:
        text, _ = shown(each.last, config_of(panel, each.name))
        colour = colour_of(panel, each.name, each.last)
        style = f"background:{colour};color:#fff" if filled else f"color:{colour}"
        name = f'<span class="name">{escape(each.name)}</span>' if named else ""
        cells.append(f'<div class="value" style="{style}">{name}<b>{escape(text)}</b></div>')
    many = " many" if len(found) > 4 else ""
    return f'<div class="stat{many}">{"".join(cells)}</div>' if cells else nothing(panel)


def bars(panel: Json, found: list[Series]) -> str:
    """Draw horizontal bars."""
    highest = panel["fieldConfig"]["defaults"].get("max") or max((each.last for each in found), default=1) or 1
    rows = []
    for each in found:
        text, colour = shown(each.last, panel["fieldConfig"]["defaults"])
        width = min(max(each.last / highest, 0), 1) * 100
        rows.append(
            f'<tr><th>{escape(each.name)}</th><td class="track"><div style="width:{width:.1f}%;background:{colour}">'
            f"</div></td><td>{escape(text)}</td></tr>"
        )
    return f'<table class="bars">{"".join(rows)}</table>' if rows else nothing(panel)


def table(panel: Json, found: list[Series]) -> str:
    """Draw rows that are merged by their labels, with columns in the order of the transformations."""
    steps = {step["id"]: step["options"] for step in panel["transformations"]}
    fields = steps["filterFieldsByName"]["include"]["names"]
    titles = steps["organize"]["renameByName"]
    named: dict[str, set[str]] = {}
    for each in found:
        named.setdefault(each.query, set()).update(each.labels)
    shared = sorted(set.intersection(*named.values())) if named else []  # Grafana merges rows by these labels
    rows: dict[tuple[str, ...], dict[str, float | str]] = {}
    for each in found:
        row = rows.setdefault(tuple(each.labels.get(name, "") for name in shared), {})
        row.update(each.labels)
        row[f"Value #{each.query}" if "merge" in steps else "Value"] = each.last
    if not rows:
        return nothing(panel)
    ordered = list(rows.values())
    for sort in panel["options"]["sortBy"]:
        field = next(name for name, title in titles.items() if title == sort["displayName"])
        ordered.sort(key=lambda row: (field in row, row.get(field, 0)), reverse=sort["desc"])
    head = "".join(f"<th>{escape(titles[name])}</th>" for name in fields)
    body = "".join(
        "<tr>" + "".join(_cell(panel, titles[name], row.get(name)) for name in fields) + "</tr>" for row in ordered
    )
    return f'<div class="scroll"><table class="rows"><tr>{head}</tr>{body}</table></div>'


def _cell(panel: Json, title: str, value: float | str | None) -> str:
    config = config_of(panel, title)
    width = f"width:{config['custom.width']}px;" if "custom.width" in config else ""
    if value is None:
        return f'<td style="{width}"></td>'
    found = mapped(value, config.get("mappings", []))
    text = found["text"] if found else value if isinstance(value, str) else written(value, config.get("unit", "short"))
    linked = "link" if config.get("links") else ""
    if config.get("custom.cellOptions"):
        colour = (found or {}).get("color") or threshold(float(value), config["thresholds"])
        width += f"background:{colour};color:#fff;"
    return f'<td class="{linked}" style="{width}">{escape(str(text))}</td>'
