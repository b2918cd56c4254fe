"""Notifications in the form in which Alertmanager posts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = Any
START, END = "2026-11-22T03:00:00.123456789Z", "2026-11-22T11:12:00+08:00"


def alert(
    mailbox: str = "sales",
    *,
    name: str = "MailLoginFailing",
    severity: str = "critical",
    over: bool = False,
    **more: str,
) -> Json:
    """Return one alert of a notification. `more`: further annotations."""
    return {
        "status": "resolved" if over else "firing",
        "labels": {"alertname": name, "severity": severity, "job": "mailprobe", "mailbox": mailbox, "target": mailbox},
        "annotations": {
            "summary": "A mailbox cannot be logged in to",
            "summary_zh": "邮箱无法登录",
            "description": f"{mailbox}: wrong_password",
            "description_zh": f"{mailbox}：密码错误",
            "runbook_url": f"https://mailprobe.example.com/runbooks/{name}",
            "dashboard_url": f"https://mailprobe.example.com/targets/{mailbox}",
            **more,
        },
        "startsAt": START,
        "endsAt": END if over else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "0123456789abcdef",
    }


def notification(alerts: Sequence[Json], key: str = '{}:{provider="acme"}', truncated: int = 0) -> Json:
    return {
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": truncated,
        "status": "firing",
        "receiver": "ops",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }
