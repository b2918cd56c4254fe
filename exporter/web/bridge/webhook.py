"""Parses the JSON of Alertmanager's webhook (version 4). No I/O; every value is limited in size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from exporter.model.phrases import FALLBACK, languages

MAX_ALERTS = 2000
SUMMARY, DESCRIPTION, NAME = 80, 300, 64  # limits in characters

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")
_URL = re.compile(r"https?://[^\s<>\"()\[\]\x00-\x20\x7f-\x9f\u200b-\u206f\ufeff\ud800-\udfff]{1,500}")
# Text from servers must stay plain text: no tags, no mentions, no links with a misleading text, no layout.
_MARKUP = str.maketrans("<>[]*`~|\\", "‹›［］＊'～｜＼")


class WebhookError(ValueError):
    """The body is not a notification of Alertmanager. The text says why."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Its texts are in one language and have no markup."""

    firing: bool
    kind: str  # alertname
    severity: str
    who: str  # the affected object: a mailbox, a server, a domain …
    summary: str
    description: str
    since: float  # Unix time at which the fault began; 0 = unknown
    until: float  # Unix time at which it ended; 0 = unknown, or it lasts
    raised: float  # Unix time at which the alert was raised; 0 = unknown
    closed: float  # Unix time at which the alert was resolved
    runbook: str  # a URL, or ""
    dashboard: str


@dataclass(frozen=True, slots=True)
class Notification:
    """The content of one request. A later notification with the same key replaces it."""

    key: str
    alerts: tuple[Alert, ...]
    left_out: int  # number of alerts that Alertmanager (max_alerts) or this parser left out


def parse(body: object, language: str) -> Notification:
    """Return the notification in the JSON of a request. Raises WebhookError."""
    if not isinstance(body, dict):
        raise WebhookError("not a JSON object")
    if body.get("version") != "4":
        raise WebhookError("not version 4 of Alertmanager's webhook")
    alerts = body.get("alerts")
    if not isinstance(alerts, list) or not alerts or not all(isinstance(each, dict) for each in alerts):
        raise WebhookError("no list of alerts")
    truncated = body.get("truncatedAlerts", 0)
    known = truncated if isinstance(truncated, int) and truncated > 0 else 0
    found = tuple(_alert(each, language) for each in alerts[:MAX_ALERTS])
    return Notification(str(body.get("groupKey", ""))[:2000], found, known + len(alerts) - len(found))


def _alert(body: Mapping[str, Any], language: str) -> Alert:
    labels, annotations = _texts(body.get("labels")), _texts(body.get("annotations"))
    suffixes = _suffixes(language)
    kind = clean(labels.get("alertname", ""), NAME) or "?"

    def told(name: str, most: int) -> str:
        found = (annotations.get(f"{name}{suffix}") for suffix in suffixes)
        return clean(next(filter(None, found), ""), most)

    return Alert(
        firing=body.get("status") != "resolved",
        kind=kind,
        severity=labels.get("severity", ""),
        who=clean(_who(labels), NAME) or kind,
        summary=told("summary", SUMMARY) or kind,
        description=told("description", DESCRIPTION),
        since=_told_time(annotations.get("since", "")),
        until=_told_time(annotations.get("until", "")),
        raised=_time(body.get("startsAt")),
        closed=_time(body.get("endsAt")),
        runbook=_url(annotations.get("runbook_url", "")),
        dashboard=_url(annotations.get("dashboard_url", "")),
    )


@cache
def _suffixes(language: str) -> tuple[str, ...]:
    """Return suffixes of annotation names, the reader's language first: summary_zh_TW, summary_zh, summary."""
    own = () if language == FALLBACK else (f"_{language.replace('-', '_')}",)
    nearest = ("_zh",) if languages()[language].like == "zh" else ()
    return tuple(dict.fromkeys((*own, *nearest, "")))


def _who(labels: Mapping[str, str]) -> str:
    """Return the most specific object that the labels name, as in the templates for Alertmanager."""
    server = labels.get("server", "")
    place = f"{server}:{labels['port']}" if server and labels.get("port") else server
    names = (labels.get("target"), labels.get("mailbox"), place, labels.get("domain"), labels.get("provider"))
    return next((each for each in (*names, labels.get("instance"), labels.get("job")) if each), "")


def clean(text: str, most: int) -> str:
    """Return one line without markup of any robot, cut to `most` characters with an ellipsis."""
    line = _BLANK.sub(" ", text[: 4 * most + 100]).strip().translate(_MARKUP)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _texts(value: object) -> dict[str, str]:
    return {str(name): text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def _url(text: str) -> str:
    return text if _URL.fullmatch(text) else ""


def _told_time(text: str) -> float:
    """Return the Unix time in an annotation, `2026-03-01 08:30:00 UTC+08:00`; 0 if it is none."""
    day, zone, offset = text.partition(" UTC")
    return _time(f"{day}{offset}") if zone else 0.0


def _time(value: object) -> float:
    try:
        found = datetime.fromisoformat(str(value))
        return max(0.0, found.timestamp()) if found.tzinfo is not None else 0.0
    except (ValueError, OverflowError):
        return 0.0
