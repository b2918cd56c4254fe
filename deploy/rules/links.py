"""The links of an alert: its runbook on mailprobe's own page, and the page or dashboard about what fails.

The base is the external URL that mailprobe reports (mailprobe_web_info), so that the links also work on a phone.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deploy.rules.rule import Alert, Options


@dataclass(frozen=True, slots=True)
class Page:
    """A page of mailprobe and a dashboard of Grafana about the same thing.

    `target` is the operand of a template action that returns the name of a target.
    """

    dashboard: str
    target: str = ""
    variable: str = ""  # of the dashboard
    value: str = ""  # value of that variable, as an operand
    endpoint: bool = False  # the target's name is looked up by server and port


PAGES: Final = {
    "mailbox": Page("mailprobe-mailbox", "$labels.target", "target", "$labels.target"),
    "route": Page("mailprobe-roundtrip", "$labels.target", "target", "$labels.target"),
    "capacity": Page("mailprobe-capacity", "$labels.target", "target", "$labels.target"),
    "domain": Page("mailprobe-dns-tls", "$labels.domain", "target", "$labels.domain"),
    "page": Page("mailprobe-dns-tls", "$labels.target", "target", "$labels.target"),
    "endpoint": Page("mailprobe-dns-tls", endpoint=True),
    "provider": Page("mailprobe-overview", "", "provider", "$labels.provider"),
    "overview": Page("mailprobe-overview"),
    "exporter": Page("mailprobe-exporter"),
}

_WEB: Final = "mailprobe_web_info{job=%q} or on (job) last_over_time(mailprobe_web_info{job=%q}[1d])"
_OF_TARGET: Final = (
    "last_over_time(mailprobe_web_info{job=%q}[5m])"
    " and on (job, instance) last_over_time(mailprobe_target_info{job=%q,target=%q}[5m])"
)
_ENDPOINT: Final = r"last_over_time(mailprobe_endpoint_info{job=%q,kind=\"endpoint\",server=%q,port=%q}[5m])"


def runbook_url(alert: Alert, options: Options) -> str:
    return f"{_base(alert, options)}/runbooks/{alert.name}"


def dashboard_url(alert: Alert, options: Options) -> str:
    page = PAGES[alert.page]
    if options.grafana_url:
        where = f"{options.grafana_url}/d/{page.dashboard}"
        return f"{where}?var-{page.variable}={{{{ urlquery {page.value} }}}}" if page.variable else where
    if page.endpoint:
        known = f'printf "{_ENDPOINT}" $labels.job $labels.server $labels.port | query | sortByLabel "target"'
        name = '(. | first | label "target")'
        return f"{_base(alert, options)}/{{{{ with {known} }}}}targets/{{{{ {_path(name)} }}}}{{{{ end }}}}"
    if page.target:
        return f"{_base(alert, options, page.target)}/targets/{{{{ {_path(page.target)} }}}}"
    return f"{_base(alert, options)}/"


def _base(alert: Alert, options: Options, target: str = "") -> str:
    """Return the external URL:

    with several replicas the first one's, with several shards that of the target's shard.
    """
    if not alert.job:
        asked = 'query "last_over_time(mailprobe_web_info[1d])"'
    elif target:
        asked = f'printf "{_OF_TARGET}" $labels.job $labels.job {target} | query'
    else:
        asked = f'printf "{_WEB}" $labels.job $labels.job | query'
    found = '{{ . | first | label "external_url" }}'
    return (
        f'{{{{ with {asked} | sortByLabel "external_url" }}}}{found}{{{{ else }}}}{options.mailprobe_url}{{{{ end }}}}'
    )


def _path(operand: str) -> str:
    """Escape a name as one segment of a path."""
    return rf'urlquery {operand} | reReplaceAll "\\+" "%20"'
