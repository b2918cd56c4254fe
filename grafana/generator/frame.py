"""The parts of a dashboard around its panels: variables, annotations, links, refresh.

It also removes what the SDK writes and Grafana does not know.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableHide, VariableRefresh, VariableSort

from grafana.generator.catalogue import Catalogue
from grafana.generator.links import MIXIN, TAG, of_dashboard, uid
from grafana.generator.marks import BAD, CALM
from grafana.generator.promql import OURSELVES, series
from grafana.generator.spec import Page, Text

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

_TARGETS = series("target_info")
# Name, label, the series and the label that its values come from, the pattern for All. The empty string is a value of
# provider: mailboxes whose provider was not recognised have it, and `.+` would leave them out.
_VARIABLES: tuple[tuple[str, Text, str, str, str], ...] = (
    ("job", "job", "mailprobe_build_info", "job", ".+"),
    ("instance", "instance", 'mailprobe_build_info{job=~"$job"}', "instance", ".+"),
    ("provider", "Provider", f"mailprobe_target_info{{{OURSELVES}}}", "provider", ".*"),
    ("target", "Mailbox", f'mailprobe_target_info{{{OURSELVES}, provider=~"$provider"}}', "target", ".+"),
    ("probe", "Probe", f'mailprobe_probes_total{{{OURSELVES}, target=~"$target"}}', "probe", ".+"),
)
# Alerts with a wider scope have no target, and alerts about a whole server have no provider.
ALERTS = 'ALERTS{alertname=~"Mail.*", alertstate="firing", job=~"$job", provider=~"$provider|", target=~"$target|"}'
# The SDK writes its defaults into fields that we do not use, and some of these defaults would have an effect.
_SUPERFLUOUS = {"auto", "auto_count", "auto_min", "placement"}


def frame(page: Page, say: Catalogue) -> sdk.Dashboard:
    """Return an empty dashboard."""
    made = (
        sdk.Dashboard(say(page.title))
        .uid(uid(page.uid, say.language))
        .description(say(page.about))
        .tags([TAG, MIXIN, f"{TAG}-{say.language}"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .timezone("browser")
        .refresh("1m")
        .links([*of_dashboard(say)])
        .with_variable(
            sdk.DatasourceVariable("datasource").label("Data source").type("prometheus").regex("").include_all(False)
        )
    )
    for name, label, source, of, every in _VARIABLES:
        query = f"label_values({source}, {of})"
        made.with_variable(
            sdk.QueryVariable(name)
            .label(name if name in ("job", "instance") else say(label))
            .datasource(DATASOURCE)
            .query({"query": query, "refId": f"variable-{name}", "qryType": 1})
            .multi(True)
            .include_all(True)
            .all_value(every)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    made.with_variable(_mailprobe())
    return _annotate(made, say)


def _mailprobe() -> sdk.QueryVariable:
    """Return the base URL of links to mailprobe; with several replicas the first one's."""
    query = f"label_values({series('web_info')}, external_url)"
    return (
        sdk.QueryVariable("mailprobe")
        .hide(VariableHide.HIDE_VARIABLE)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": "variable-mailprobe", "qryType": 1})
        .multi(False)
        .include_all(False)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _annotate(made: sdk.Dashboard, say: Catalogue) -> sdk.Dashboard:
    reload = series("config_last_reload_success_timestamp_seconds")
    for name, expr, title, text, colour in (
        ("Alerts", ALERTS, "{{alertname}}", "{{severity}} {{provider}} {{domain}} {{server}} {{target}}", BAD),
        ("Config reloads", f"changes({reload}[$__interval]) > 0", say("Config reloaded"), "{{instance}}", CALM),
    ):
        made.annotation(
            sdk.AnnotationQuery()
            .name(say(name))
            .datasource(DATASOURCE)
            .enable(True)
            .hide(False)
            .icon_color(colour)
            .expr(expr)
            .step("60s")
            .title_format(title)
            .text_format(text)
            .tag_keys("severity,layer")
            .use_value_for_time(False)
        )
    return made


def as_json(made: sdk.Dashboard) -> str:
    """Return the text of the file."""
    plain: dict[str, Any] = json.loads(JSONEncoder().encode(made.build()))
    for part in (plain["templating"]["list"], plain["annotations"]["list"], plain["links"]):
        for each in part:
            for key in _SUPERFLUOUS & set(each):
                del each[key]
    for panel in plain["panels"]:
        panel.pop("repeatDirection", None)
    return json.dumps(plain, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
