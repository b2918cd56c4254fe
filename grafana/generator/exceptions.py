"""The intended exceptions from rules of dashboard-linter: writes the `.lint` file next to the dashboards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from grafana.generator.catalogue import Catalogue
from grafana.generator.spec import Page, Panel

HEAD = """\
# Exceptions from dashboard-linter's rules, with the reasons. Made by `python -m grafana.generator`.
# SPDX-License-Identifier: Apache-2.0
"""
_SLOW_BEAT = "Mailboxes are probed every few minutes: a percentile over $__rate_interval would have no events."
_ALERTS = "ALERTS has the alert's labels; most alerts aggregate the instances away."

# Rule → the reason for the exception, and the panels by (dashboard, English title).
EXCEPTIONS: Mapping[str, tuple[str, frozenset[tuple[str, str]]]] = {
    "target-rate-interval-rule": (
        _SLOW_BEAT,
        frozenset(
            {
                ("mailprobe-overview", "Slowest runs by provider (p95 of an hour)"),
                ("mailprobe-overview", "Scheduler delay (p95)"),
                ("mailprobe-roundtrip", "Delivery time of an hour (p50, p95)"),
                ("mailprobe-exporter", "Scheduler delay (p50, p95)"),
            }
        ),
    ),
    "target-instance-rule": (_ALERTS, frozenset({("mailprobe-overview", "Alerts firing")})),
}


def lint_file(pages: tuple[Page, ...], say: Catalogue) -> str:
    """Return the text of the file. Titles are in the language of the dashboards, because the linter compares them."""
    rules = {}
    for rule, (reason, panels) in EXCEPTIONS.items():
        entries = [
            {"dashboard": say(page.title), "panel": say(panel.title)}
            for page in pages
            for panel in _panels(page)
            if (page.uid, panel.title) in panels
        ]
        rules[rule] = {"reason": reason, "entries": entries}
    return HEAD + yaml.safe_dump({"exclusions": rules}, allow_unicode=True, sort_keys=True, width=120)


def _panels(page: Page) -> list[Panel]:
    return [panel for row in page.rows for panel in row.panels]
