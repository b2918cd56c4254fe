"""The links of names and titles: to our other dashboards, and to the runbooks and pages that mailprobe itself serves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from grafana.generator.catalogue import Catalogue
from grafana.generator.spec import Goal, Text

TAG = "mailprobe"
MIXIN = "mailprobe-mixin"
MAILPROBE = "${mailprobe}"  # a hidden variable: the external URL that mailprobe reports
_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
_VARIABLE = {Goal.MAILBOX: "target", Goal.ROUNDTRIP: "target", Goal.EXPORTER: "instance"}
_TITLE: dict[Goal, Text] = {
    Goal.MAILBOX: "Dashboard of this mailbox",
    Goal.ROUNDTRIP: "Dashboard of this round trip",
    Goal.EXPORTER: "Dashboard of this mailprobe",
}


def uid(base: str, language: str) -> str:
    """Return the uid of a dashboard. It is also the name of its file, except for the language."""
    return base if language == "en" else f"{base}-{language}"


def link(title: str, url: str, *, tooltip: str = "", blank: bool = False) -> sdk.DashboardLink:
    """Return a link to one URL.

    All options are set: Grafana would choose its own value for an option that is missing.
    """
    return (
        sdk.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .url(url)
        .icon("external link" if blank else "dashboard")
        .tooltip(tooltip)
        .target_blank(blank)
    )


def to_goal(goal: Goal, value: str, say: Catalogue) -> sdk.DashboardLink:
    """Return a link to our dashboard about the object that `value`, a macro of Grafana, names."""
    kept = "&".join(part for part in _KEPT.split("&") if f"${{{_VARIABLE[goal]}:" not in part)
    url = f"/d/{uid(goal, say.language)}?var-{_VARIABLE[goal]}=${{{value}:percentencode}}&{kept}"
    return link(say(_TITLE[goal]), url)


def to_page(page: str, say: Catalogue) -> sdk.DashboardLink:
    """Return a link to the page of mailprobe about the cell's value."""
    url = f"{MAILPROBE}/{page}/${{__value.raw:percentencode}}?lang={say.language}"
    return link(say("mailprobe's own page: transcript and remedy"), url, blank=True)


def to_runbook(alert: str, say: Catalogue) -> sdk.DashboardLink:
    return link(f"{say('Runbook')}: {alert}", f"{MAILPROBE}/runbooks/{alert}?lang={say.language}", blank=True)


def of_dashboard(say: Catalogue) -> list[sdk.DashboardLink]:
    """Return the links at the top: our other dashboards, with time range and variables, and mailprobe itself."""
    language_tag = f"{TAG}-{say.language}"
    others = (
        sdk.DashboardLink(say("Mail dashboards"))
        .type(DashboardLinkType.DASHBOARDS)
        .tags([language_tag])
        .icon("dashboard")
        .tooltip("")
        .url("")
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
        .target_blank(False)
    )
    page = link("mailprobe", f"{MAILPROBE}/?lang={say.language}", tooltip=say("mailprobe's status page"), blank=True)
    return [others, page]
