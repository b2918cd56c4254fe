"""Converts our plain data to Grafana's panels, in one language.

Every option is set, because the defaults of the SDK do not fit.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import common as shared
from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import (
    bargauge,
    common,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.generator import tables
from grafana.generator.catalogue import Catalogue
from grafana.generator.frame import DATASOURCE, as_json, frame
from grafana.generator.links import to_goal, to_runbook
from grafana.generator.marks import NEUTRAL
from grafana.generator.spec import Bars, Goal, Lines, Page, Panel, Query, Row, Stat, Step, Table, Timeline
from grafana.generator.wordings import mappings

WIDTH = 24  # width of Grafana's grid
_KINDS: dict[type[Panel], str] = {
    Stat: "stat", Lines: "timeseries", Timeline: "state-timeline", Bars: "bargauge", Table: "table",
}  # fmt: skip


def render(page: Page, say: Catalogue) -> str:
    """Return the dashboard as JSON."""
    made = frame(page, say)
    top, number = 0, 1
    for row in page.rows:
        made.with_row(_row(row, number, top, say))
        number, top = number + 1, top + 1
        left = tallest = 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                left, top, tallest = 0, top + tallest, 0
            place = model.GridPos(x=left, y=top, w=panel.width, h=panel.height)
            made.with_panel(_panel(panel, say).id(number).grid_pos(place))
            left, tallest, number = left + panel.width, max(tallest, panel.height), number + 1
        top += tallest
    return as_json(made)


def _row(row: Row, number: int, top: int, say: Catalogue) -> sdk.Row:
    return sdk.Row(say(row.title)).id(number).collapsed(False).grid_pos(model.GridPos(x=0, y=top, w=WIDTH, h=1))


def _panel(panel: Panel, say: Catalogue) -> sdk.Panel:
    watched = f"{say('Alerts')}: {say.names(panel.alerts)}." if panel.alerts else say("No alert watches this.")
    made = (
        sdk.Panel()
        .type(_KINDS[type(panel)])
        .title(say(panel.title))
        .description(f"{say.sentences(panel.shows, panel.bad)}\n\n{watched}")
        .datasource(DATASOURCE)
        .targets([_target(query, number, panel, say) for number, query in enumerate(panel.queries)])
        .unit(panel.unit)
        .no_value(say(panel.none))
        .mappings(mappings(panel.words, say))
        .thresholds(steps(panel.steps))
        .color_scheme(_colour(panel))
        .links([to_runbook(alert, say) for alert in panel.alerts])
        .transparent(False)
    )
    for query in panel.queries:
        if query.colour and query.legend:
            fixed = {"mode": "fixed", "fixedColor": query.colour}
            made.override_by_name(say(query.legend), [model.DynamicConfigValue("color", fixed)])
    if panel.goal and not isinstance(panel, Table):
        field = "__field.labels." + ("instance" if panel.goal is Goal.EXPORTER else "target")
        made.data_links([to_goal(panel.goal, field, say)])
    match panel:
        case Stat():
            made.options(_stat(panel))
        case Lines():
            made.options(_lines_options()).custom(_lines(panel))
            _limits(made, panel.floor, panel.ceiling)
            if panel.dashed:
                dashes = {"fill": "dash", "dash": [10, 10]}
                style = [model.DynamicConfigValue("custom.lineStyle", dashes)]
                made.override_by_name(say(panel.dashed), [*style, model.DynamicConfigValue("custom.fillOpacity", 0)])
        case Timeline():
            made.options(_timeline()).custom(statetimeline.FieldConfig(line_width=0, fill_opacity=80))
        case Bars():
            made.options(_bars())
            _limits(made, 0, panel.ceiling)
        case Table():
            tables.complete(made, panel, say)
    return made


def steps(given: tuple[Step, ...]) -> sdk.ThresholdsConfig:
    """Return the thresholds. Grafana needs at least one, and the first without a value."""
    made = [model.Threshold(step.value, step.colour) for step in given] or [model.Threshold(None, NEUTRAL)]
    return sdk.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(made)


def _target(query: Query, number: int, panel: Panel, say: Catalogue) -> prometheus.Dataquery:
    table = isinstance(panel, Table)
    made = prometheus.Dataquery().ref_id(chr(ord("A") + number)).datasource(DATASOURCE).expr(query.expr)
    made.legend_format(say(query.legend)).editor_mode(QueryEditorMode.CODE).exemplar(query.exemplars)
    made.format(PromQueryFormat.TABLE if table else PromQueryFormat.TIME_SERIES)
    return made.instant() if table or query.instant else made.range()


def _colour(panel: Panel) -> sdk.FieldColor:
    by_value = not isinstance(panel, Lines) or len(panel.steps) == 1
    mode = model.FieldColorModeId.THRESHOLDS if by_value else model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    return sdk.FieldColor().mode(mode)


def _limits(made: sdk.Panel, low: float | None, high: float | None) -> None:
    if low is not None:
        made.min(low)
    if high is not None:
        made.max(high)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields="")


def _stat(panel: Stat) -> stat.Options:
    background = common.BigValueColorMode.BACKGROUND_SOLID if panel.fills else common.BigValueColorMode.VALUE
    return stat.Options(
        graph_mode=common.BigValueGraphMode.NONE,
        color_mode=background,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode.VALUE_AND_NAME if panel.names else common.BigValueTextMode.VALUE,
        wide_layout=True,
        show_percent_change=False,
        reduce_options=_last(),
        orientation=common.VizOrientation.AUTO,
        percent_change_color_mode=common.PercentChangeColorMode.STANDARD,
    )


def _legend(*, shown: bool = True) -> common.VizLegendOptions:
    return (
        shared.VizLegendOptions()
        .show_legend(shown)
        .display_mode(common.LegendDisplayMode.TABLE if shown else common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"] if shown else [])
        .build()
    )


def _lines_options() -> timeseries.Options:
    tooltip = common.VizTooltipOptions(mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING)
    return timeseries.Options(legend=_legend(), tooltip=tooltip)


def _lines(panel: Lines) -> common.GraphFieldConfig:
    lined = len(panel.steps) > 1
    mode = common.GraphThresholdsStyleMode.DASHED if lined else common.GraphThresholdsStyleMode.OFF
    return common.GraphFieldConfig(
        draw_style=common.GraphDrawStyle.BARS if panel.bars else common.GraphDrawStyle.LINE,
        line_interpolation=common.LineInterpolation.LINEAR,
        line_width=1 if panel.bars else 2,
        fill_opacity=70 if panel.bars else 20 if panel.stacked else 5,
        show_points=common.VisibilityMode.NEVER if panel.bars or panel.stacked else common.VisibilityMode.AUTO,
        point_size=4,
        # Intervals are minutes long, but scrapes are more frequent: a gap means that data is missing, and is not
        # connected.
        span_nulls=False,
        stacking=common.StackingConfig(
            mode=common.StackingMode.NORMAL if panel.stacked else common.StackingMode.NONE, group="A"
        ),
        axis_placement=common.AxisPlacement.AUTO,
        axis_border_show=False,
        thresholds_style=common.GraphThresholdsStyleConfig(mode=mode),
    )


def _timeline() -> statetimeline.Options:
    tooltip = common.VizTooltipOptions(mode=common.TooltipDisplayMode.SINGLE, sort=common.SortOrder.NONE)
    return statetimeline.Options(
        show_value=common.VisibilityMode.AUTO,
        row_height=0.85,
        merge_values=True,
        align_value=common.TimelineValueAlignment.LEFT,
        legend=_legend(shown=False),
        tooltip=tooltip,
        per_page=20,
    )


def _bars() -> bargauge.Options:
    return bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.TEXT,
        name_placement=common.BarGaugeNamePlacement.LEFT,
        show_unfilled=True,
        sizing=common.BarGaugeSizing.AUTO,
        min_viz_width=8,
        min_viz_height=16,
        max_viz_height=40,
        legend=_legend(shown=False),
        reduce_options=_last(),
        orientation=common.VizOrientation.HORIZONTAL,
    )
