"""The data types of rules: an alert with its texts in two languages, a recording rule, a group; and the user's options.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

WINDOW = 180  # seconds within which a gauge is read
OWN_METRIC = re.compile(r"(?<![:\w])(mailprobe_\w+)(?![:\w])(\{)?")


@dataclass(frozen=True, slots=True)
class Options:
    """The options that a user can set."""

    selector: str = ""  # label matchers for every selector; "" = none on mailprobe_*, job="mailprobe" on up
    replica_labels: tuple[str, ...] = ("instance",)  # the label that distinguishes replicas of one mailprobe
    mailprobe_url: str = "http://localhost:9826"  # base of links if mailprobe_web_info is missing
    grafana_url: str = ""  # for dashboard_url; "" = the page of mailprobe itself
    watchdog: bool = True

    def promql(self, text: str) -> str:
        """Insert these options into an expression:

        `$replica` and `$up` are placeholders for the parts that depend on them.
        """
        up = f"up{{{self.selector}}}" if self.selector else 'up{job="mailprobe"}'
        made = Template(text).substitute(replica=", ".join(self.replica_labels), up=up)
        if self.selector:
            made = OWN_METRIC.sub(lambda m: f"{m[1]}{{{self.selector}{',' if m[2] else '}'}", made)
        return made


@dataclass(frozen=True, slots=True)
class Text:
    """The text for a reader in one language: `summary` without values, `description` short enough for a phone."""

    summary: str
    description: str


@dataclass(frozen=True, slots=True)
class Times:
    """Templates of when the fault, not the alert, began and ended. Empty until it is known."""

    since: str
    until: str
    lasted: str
    held: int  # seconds after the end for which the expression of the alert is still true
    over: str  # the pipeline of a `with` that is true after the end
    when: str  # the time, in such a `with`

    def told(self, text: str, after: str) -> str:
        """Return the text while the fault lasts, else `after`, in which `{}` is the time of the end."""
        return f"{{{{ with {self.over} }}}}{after.format(self.when)}{{{{ else }}}}{text}{{{{ end }}}}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule. `expr` and the texts have placeholders; the options are inserted when it is written."""

    name: str
    severity: str
    layer: str
    expr: str
    en: Text
    zh: Text
    page: str  # target of dashboard_url: a key of `links.PAGES`
    wait: str = ""  # for
    keep: str = ""  # keep_firing_for
    labels: Mapping[str, str] = field(default_factory=dict)  # besides severity and layer
    comment: str = ""
    times: Times | None = None
    job: bool = True  # exactly one job is known, and the links lead to its pages

    @property
    def stays(self) -> str:
        """How long the alert stays after its fault: with times, its expression is true for a while after the end."""
        return f"{int(self.keep[:-1]) + self.times.held // 60}m" if self.keep and self.times is not None else self.keep


@dataclass(frozen=True, slots=True)
class Record:
    """One recording rule, named level:metric:operations."""

    name: str
    expr: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated in order."""

    name: str
    rules: tuple[Alert | Record, ...]
    comment: str = ""
    interval: str = ""


MAILBOX: Mapping[str, str] = {"mailbox": "{{ $labels.target }}"}
NO_MAILBOX: Mapping[str, str] = {}
"""A rule about mailboxes has MAILBOX, its twin about other targets has this.

With one rule for both, the template of the label could be empty, and Prometheus would then show the template itself in
ALERTS.
"""

SENDER: Mapping[str, str] = {"mailbox": "{{ $labels.from }}"}
