"""The error budget of each mailbox and route: recorded error ratios, and the multi-window burn-rate alerts on them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from deploy import thresholds
from deploy.rules.promql import WIDE
from deploy.rules.rule import MAILBOX, NO_MAILBOX, Alert, Group, Record, Text

ERRORS: Final = "target:mailprobe_probe_errors:ratio_avg"
FAILURES: Final = "target:mailprobe_probe_failures:increase"
_TOLD: Final = "MailLogin.+|MailSubmissionThrottled|MailRoundTrip.+"


@dataclass(frozen=True, slots=True)
class Window:
    """A pair of windows, as in sloth's rules for 30 days."""

    severity: str
    factor: float  # multiple of the error rate that uses up the budget in exactly 30 days
    long: str
    short: str
    wait: str
    failures: str  # window of the minimum number of failures
    oldest: str  # there must be data of the first quarter of the long window: its end, as an offset …
    quarter: str  # … and its length


WINDOWS: Final = (
    Window("critical", 14.4, "1h", "5m", "2m", "1h", "45m", "15m"),
    Window("critical", 6, "6h", "30m", "15m", "1h", "270m", "90m"),
    Window("warning", 3, "1d", "2h", "1h", "6h", "18h", "6h"),
    Window("warning", 1, "3d", "6h", "3h", "6h", "54h", "18h"),
)

FAST: Final = Group(
    "mailprobe-slo-fast",
    (
        Record(
            f"{ERRORS}5m",
            '1 - avg without ($replica, probe) (avg_over_time(mailprobe_probe_success{kind=~"mailbox|route"}[5m]))',
            "The share of the time in which a mailbox or route did not work. Time, not runs: a failure that is looked\n"
            "at again within seconds counts for seconds.",
        ),
        Record(f"{ERRORS}1h", f"avg_over_time({ERRORS}5m[1h])"),
        Record(
            f"{FAILURES}1h",
            'sum without ($replica, probe) (increase(mailprobe_probe_failures_total{kind=~"mailbox|route"}[1h]))',
        ),
    ),
)
SLOW: Final = Group(
    "mailprobe-slo-slow",
    (
        Record(f"{ERRORS}30m", f"avg_over_time({ERRORS}5m[30m])"),
        *(Record(f"{ERRORS}{window}", f"avg_over_time({ERRORS}30m[{window}])") for window in ("2h", "6h", "1d", "3d")),
        Record(f"{FAILURES}6h", f"sum_over_time({FAILURES}1h[6h:1h])"),
    ),
    "The long windows read what was recorded, every two minutes: three days of raw samples would be too many.",
    "2m",
)


def _burn(window: Window, kind: str) -> Alert:
    limit = f"{window.factor:g} * {1 - thresholds.OBJECTIVE:.4g}"
    expr = f"""\
(
  {ERRORS}{window.long}{{kind="{kind}"}} > {limit}
  and {ERRORS}{window.short} > {limit}
  and {FAILURES}{window.failures} > {thresholds.BURN_RATE_MIN_FAILURES}
  and last_over_time({ERRORS}5m[{window.quarter}] offset {window.oldest})
)
unless on (job, target) max_over_time(mailprobe_root_cause_info{{scope=~"{WIDE}"}}[{window.long}])
unless on (job, target) max_over_time(ALERTS{{alertname=~"{_TOLD}",alertstate="firing"}}[{window.long}])"""
    return Alert(
        "MailErrorBudgetBurn",
        window.severity,
        "slo",
        expr,
        Text(
            "A mailbox or route fails again and again",
            f"{{{{ $labels.target }}}} did not work for {{{{ $value | humanizePercentage }}}} of the last "
            f"{window.long}, each time too short for another alert; {1 - thresholds.OBJECTIVE:.0%} is allowed. "
            "Its page shows the failed runs and what they have in common.",
        ),
        Text(
            "邮箱或路由反复失败",
            f"{{{{ $labels.target }}}} 在最近 {window.long} 内有 {{{{ $value | humanizePercentage }}}} 的时间不可用"
            f"（每次都较短，允许 {1 - thresholds.OBJECTIVE:.0%}）。其页面会显示失败记录及共同点。",
        ),
        page=kind,
        wait=window.wait,
        labels={**(MAILBOX if kind == "mailbox" else NO_MAILBOX), "long": window.long, "short": window.short},
        comment=(
            "What another alert has told within the long window is not told again as a budget. There must be data of\n"
            "the window's first quarter: the ratio of a few minutes is not one of hours."
            if window is WINDOWS[0] and kind == "mailbox"
            else ""
        ),
    )


GROUP: Final = Group("mailprobe-slo", tuple(_burn(window, kind) for kind in ("mailbox", "route") for window in WINDOWS))
