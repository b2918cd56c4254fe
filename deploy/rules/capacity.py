"""Alerts about the storage of mailboxes: almost full now, or full within days.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy import thresholds
from deploy.rules.promql import any_of
from deploy.rules.rule import MAILBOX, Alert, Group, Text

# names of the quota resources in RFC 9208, and in the metrics
_RESOURCES: Final = {"storage": "bytes", "message": "messages"}


def _limit(unit: str) -> str:
    return f"(last_over_time(mailprobe_quota_limit_{unit}[15m]) > 0)"


def _ratio(unit: str) -> str:
    return f"avg without ($replica) (\n  last_over_time(mailprobe_quota_used_{unit}[15m])\n  / {_limit(unit)}\n)"


def _each(make: dict[str, str]) -> str:
    return any_of(
        f'label_replace(\n{_in(expr)},\n  "resource", "{resource}", "", ""\n)' for resource, expr in make.items()
    )


def _in(expr: str) -> str:
    return "  " + expr.replace("\n", "\n  ")


def _full(severity: str, ratio: float, wait: str) -> Alert:
    return Alert(
        "MailQuotaAlmostFull",
        severity,
        "capacity",
        f"(\n{_in(_each({resource: _ratio(unit) for resource, unit in _RESOURCES.items()}))}\n) > {ratio}",
        Text(
            "A mailbox is full, or almost",
            "{{ $labels.target }} is {{ $value | humanizePercentage }} full ({{ $labels.resource }}). At 100 % mail to "
            "it comes back. Empty Trash and Junk, archive what is large, or enlarge it.",
        ),
        Text(
            "邮箱容量已满或即将用尽",
            "{{ $labels.target }} 已使用 {{ $value | humanizePercentage }}（{{ $labels.resource }}）。"
            "满后来信会被退回。请清空垃圾箱和已删除邮件、归档大邮件或扩容。",
        ),
        page="capacity",
        wait=wait,
        keep="5m",
        labels=MAILBOX,
    )


def _filling(unit: str) -> str:
    used = f"mailprobe_quota_used_{unit}"
    days = f"{thresholds.QUOTA_FORECAST_DAYS} * {thresholds.DAY}"
    return (
        f"({_ratio(unit)} > {thresholds.QUOTA_FILLING_RATIO} <= {thresholds.QUOTA_WARNING_RATIO})\n"
        f"and avg without ($replica) (predict_linear({used}[1d], {days}) > {_limit(unit)})\n"
        f"and avg without ($replica) (last_over_time({used}[1h] offset 6h))"
    )


FULL: Final = (
    _full("warning", thresholds.QUOTA_WARNING_RATIO, "30m"),
    _full("critical", thresholds.QUOTA_CRITICAL_RATIO, "10m"),
)

FILLING: Final = Alert(
    "MailQuotaFillingUp",
    "warning",
    "capacity",
    f"(\n{_in(_each({resource: _filling(unit) for resource, unit in _RESOURCES.items()}))}\n) > 0",
    Text(
        "A mailbox is filling up",
        "{{ $labels.target }} is {{ $value | humanizePercentage }} full ({{ $labels.resource }}) and, as it grows now, "
        f"will be full within {thresholds.QUOTA_FORECAST_DAYS} days. Make room, or find out what fills it.",
    ),
    Text(
        "邮箱正在快速写满",
        "{{ $labels.target }} 已使用 {{ $value | humanizePercentage }}（{{ $labels.resource }}），按目前增速 "
        f"{thresholds.QUOTA_FORECAST_DAYS} 天内会写满。请清理空间或查明原因。",
    ),
    page="capacity",
    wait="1h",
    keep="1h",
    labels=MAILBOX,
    comment=(
        "Only with six hours of history: a forecast from one large mail is none. It is kept until "
        "MailQuotaAlmostFull takes over."
    ),
)

GROUP: Final = Group("mailprobe-capacity", (*FULL, FILLING))
