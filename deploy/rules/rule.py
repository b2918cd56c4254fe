"""What a rule is made of: an alert with its texts in two languages, a recording rule, a group; and the options.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Template

OWN_METRIC = re.compile(r"(?<![:\w])(mailprobe_\w+)(?![:\w])(\{)?")


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may choose."""

    selector: str = ""  # label matchers for every selector; "" = none on mailprobe_*, job="mailprobe" on up
    replica_labels: tuple[str, ...] = ("instance",)  # what tells replicas of one mailprobe apart
    mailprobe_url: str = "http://localhost:9826"  # for links, where mailprobe_web_info is missing
    grafana_url: str = ""  # for dashboard_url; "" = the page of mailprobe itself
    watchdog: bool = True

    def promql(self, text: str) -> str:
        """A table's expression with these options in it. `$replica` and `$up` stand for what depends on them."""
        up = f"up{{{self.selector}}}" if self.selector else 'up{job="mailprobe"}'
        made = Template(text).substitute(replica=", ".join(self.replica_labels), up=up)
        if self.selector:
            made = OWN_METRIC.sub(lambda m: f"{m[1]}{{{self.selector}{',' if m[2] else '}'}", made)
        return made


@dataclass(frozen=True, slots=True)
class Text:
    """What a person reads, in one language: `summary` without values, `description` short enough for a phone."""

    summary: str
    description: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule. `expr` and the texts are tables' words: options are put in when it is written."""

    name: str
    severity: str
    layer: str
    expr: str
    en: Text
    zh: Text
    page: str  # where dashboard_url leads: a key of `links.PAGES`
    wait: str = ""  # for
    keep: str = ""  # keep_firing_for
    labels: Mapping[str, str] = field(default_factory=dict)  # besides severity and layer
    comment: str = ""
    job: bool = True  # there is one job whose pages the links lead to


@dataclass(frozen=True, slots=True)
class Record:
    """One recording rule, named level:metric:operations."""

    name: str
    expr: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after the other."""

    name: str
    rules: tuple[Alert | Record, ...]
    comment: str = ""
    interval: str = ""


MAILBOX: Mapping[str, str] = {"mailbox": "{{ $labels.target }}"}
NO_MAILBOX: Mapping[str, str] = {}
"""Of two rules, about mailboxes and about others, one has MAILBOX and one this: a label whose template comes out empty
would show that template in ALERTS."""

SENDER: Mapping[str, str] = {"mailbox": "{{ $labels.from }}"}
