"""Tables: the columns, their order and names, and the link of each cell.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.models import dashboard as model

from grafana.generator.catalogue import Catalogue
from grafana.generator.links import to_goal, to_page
from grafana.generator.marks import NEUTRAL
from grafana.generator.spec import Column, Table
from grafana.generator.wordings import mappings, names


def field_name(column: Column, panel: Table) -> str:
    """Return the name that Prometheus' data source gives the column: a label, or Value (Value #A after merging)."""
    if column.label:
        return column.label
    return f"Value #{column.query}" if len(panel.queries) > 1 else "Value"


def complete(made: sdk.Panel, panel: Table, say: Catalogue) -> None:
    """Return the options, transformations and overrides of a table."""
    fields = [field_name(column, panel) for column in panel.columns]
    titles = dict(zip(fields, (say(column.title) for column in panel.columns), strict=True))
    steps: list[tuple[str, dict[str, object]]] = [("merge", {})] if len(panel.queries) > 1 else []
    # The columns to keep, by name. The others are Time and labels that only keep rows apart.
    steps.append(("filterFieldsByName", {"include": {"names": fields}}))
    order = {name: index for index, name in enumerate(fields)}
    steps.append(("organize", {"excludeByName": {}, "indexByName": order, "renameByName": titles}))
    made.transformations([model.DataTransformerConfig(id_val=name, options=options) for name, options in steps])
    sort = [{"displayName": say(panel.sort), "desc": panel.descending}] if panel.sort else []
    # Not the SDK's table.Options: it always writes a footer, which newer versions of Grafana have in another place.
    made.options({"showHeader": True, "cellHeight": "sm", "frameIndex": 0, "sortBy": sort})
    made.custom({"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False})
    for column, title in zip(panel.columns, titles.values(), strict=True):
        properties = _properties(column, say)
        if properties:
            made.override_by_name(title, properties)


def _properties(column: Column, say: Catalogue) -> list[model.DynamicConfigValue]:
    given: dict[str, object] = {}
    if column.unit:
        given["unit"] = column.unit
    if column.width:
        given["custom.width"] = column.width
    if column.wraps:
        given["custom.wrapText"] = True
    if column.none:
        given["noValue"] = say(column.none)
    if column.steps or any(word.colour != NEUTRAL for word in column.words):
        given["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
    if column.words:
        given["mappings"] = mappings(column.words, say)
    if column.names:
        given["mappings"] = names(column.names, say)
    if column.steps:
        rows = [{"value": step.value, "color": step.colour} for step in column.steps]
        given["thresholds"] = {"mode": "absolute", "steps": rows}
    links = [to_goal(goal, "__value.raw", say) for goal in column.goals]
    if column.page:
        links.append(to_page(column.page, say))
    if links:
        given["links"] = [link.build() for link in links]
    return [model.DynamicConfigValue(key, value) for key, value in given.items()]
