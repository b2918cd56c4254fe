"""Where names and titles lead: our other dashboards, the runbooks and pages that mailprobe itself serves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as sdk
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from grafana.generator.catalogue import Catalogue
from grafana.generator.spec import Goal, Text

TAG = "mailprobe"
MIXIN = "mailprobe-mixin"
MAILPROBE = "${mailprobe}"  # a hidden variable: the external URL by mailprobe's own word
_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
_VARIABLE = {Goal.MAILBOX: "target", Goal.ROUNDTRIP: "target", Goal.EXPORTER: "instance"}
_TITLE: dict[Goal, Text] = {
    Goal.MAILBOX: "Dashboard of this mailbox",
    Goal.ROUNDTRIP: "Dashboard of this round trip",
    Goal.EXPORTER: "Dashboard of this mailprobe",
}


def uid(base: str, language: str) -> str:
    """A dashboard's uid, which is its file's name too but for the language."""
    return base if language == "en" else f"{base}-{language}"


def link(title: str, url: str, *, tooltip: str = "", blank: bool = False) -> sdk.DashboardLink:
    """A link to one address. All of it is set: what the SDK leaves empty Grafana would fill in as it likes."""
    return (
        sdk.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .url(url)
        .icon("external link" if blank else "dashboard")
        .tooltip(tooltip)
        .target_blank(blank)
    )


def to_goal(goal: Goal, value: str, say: Catalogue) -> sdk.DashboardLink:
    """To one of our dashboards about the thing that `value`, one of Grafana's macros, names."""
    kept = "&".join(part for part in _KEPT.split("&") if f"${{{_VARIABLE[goal]}:" not in part)
    url = f"/d/{uid(goal, say.language)}?var-{_VARIABLE[goal]}=${{{value}:percentencode}}&{kept}"
    return link(say(_TITLE[goal]), url)


def to_page(page: str, say: Catalogue) -> sdk.DashboardLink:
    """To the page that mailprobe serves about the cell's value."""
    url = f"{MAILPROBE}/{page}/${{__value.raw:percentencode}}?lang={say.language}"
    return link(say("mailprobe's own page: transcript and remedy"), url, blank=True)


def to_runbook(alert: str, say: Catalogue) -> sdk.DashboardLink:
    return link(f"{say('Runbook')}: {alert}", f"{MAILPROBE}/runbooks/{alert}?lang={say.language}", blank=True)


def of_dashboard(say: Catalogue) -> list[sdk.DashboardLink]:
    """At the top: our other dashboards with time and variables, and mailprobe itself."""
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
