"""Notifications in the form in which Alertmanager passes them to templates.

Run as a module, it writes the golden texts.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.alertmanager.shipped import TEMPLATES
from tests.servers.process import binary

Json = dict[str, Any]

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("title", "text", "brief")
LANGUAGES = {"en": "", "zh": ".zh"}
START = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
BASE = "https://mail-monitor.example.com"


def alert(
    name: str = "MailLoginRejected",
    target: str = "sales",
    *,
    minutes: float = 0,
    lasted: float | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """Return an alert that began so many minutes after START. With `lasted` it is resolved."""
    starts = START + timedelta(minutes=minutes)
    ends = starts + timedelta(minutes=lasted) if lasted is not None else datetime.fromtimestamp(0, UTC)
    began = starts - timedelta(minutes=2, seconds=7)
    over = {} if lasted is None else {"until": _clock(ends - timedelta(minutes=5)), "lasted": f"{lasted:.0f}m 0s"}
    said = {
        "summary": "A mailbox's login is refused",
        "summary_zh": "邮箱登录被拒绝",
        "description": f"imap of {target} fails: wrong_password in phase login. `mailprobe check {target}` tells more.",
        "description_zh": f"{target} 的 imap 检查失败：wrong_password（login 阶段）。运行 `mailprobe check {target}`。",
        "runbook_url": f"{BASE}/runbooks/{name}",
        "dashboard_url": f"{BASE}/targets/{target}",
        "since": _clock(began),
        **over,
    }
    own = {"severity": "critical", "layer": "auth", "job": "mailprobe", "target": target, "mailbox": target}
    return {
        "status": "firing" if lasted is None else "resolved",
        "labels": {"alertname": name, **own, **(labels or {})},
        "annotations": said if annotations is None else dict(annotations),
        "startsAt": starts.isoformat(),
        "endsAt": ends.isoformat(),
        "generatorURL": "http://prometheus.example.com/graph",
    }


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC+00:00"


def outage(**changes: Any) -> Json:
    said = {
        "summary": "A mail server is out of order",
        "summary_zh": "邮件服务器故障",
        "description": "40 targets fail because mail.example.com does: connection_refused.",
        "description_zh": "mail.example.com 故障，40 个对象失败：connection_refused。",
        "runbook_url": f"{BASE}/runbooks/MailHostOutage",
        "dashboard_url": f"{BASE}/",
    }
    own = {"layer": "transport", "target": "", "mailbox": "", "server": "mail.example.com"}
    return alert("MailHostOutage", labels=own, annotations=said, **changes)


HOSTILE = (
    "NO <!channel> <https://evil.example|click> [here](https://evil.example) @all\r\nCRITICAL: all is well\u2028"
    '\u202eevil\u200b {{ .ExternalURL }} `x` \\E $1 & "quoted" '
) * 8
QUOTA_SAID = {"summary": "A mailbox is almost full", "summary_zh": "邮箱容量即将用尽", "description": "92 % used."}

SETS: Mapping[str, Sequence[Json]] = {
    "one": [alert()],
    "forty": [alert(target=f"box{number:02}@example.com", minutes=number / 10) for number in range(40)],
    "probes_of_one": [alert(labels={"probe": probe}) for probe in ("imap", "pop3", "smtp")],
    "outage": [outage()],
    "resolved": [alert(lasted=47), alert(target="info", lasted=12)],
    "mixed": [
        alert("MailQuotaAlmostFull", labels={"severity": "warning"}, annotations=QUOTA_SAID),
        alert(minutes=3),
        alert(target="info", minutes=2),
        alert(target="support", lasted=20),
    ],
    "many_kinds": [alert(f"Mail{kind}", kind.lower()) for kind in ("One", "Two", "Three", "Four", "Five")],
    "without_annotations": [alert(annotations={})],
    "english_only": [alert(annotations={"summary": "Something", "description": "It fails."})],
    "foreign": [
        {**alert(annotations={"message": "x"}), "labels": {"alertname": "Other"}},
        {**alert(annotations={}), "labels": {}},
    ],
    "no_web_address": [alert(annotations={"summary": "S", "runbook_url": "javascript:alert(1)",
                                          "dashboard_url": "/targets/sales"})],
    "hostile": [alert(target=f'{number}"<!here>\\E[a](b).*' + "长" * 60, annotations={
        "summary": HOSTILE, "description": HOSTILE, "summary_zh": HOSTILE, "description_zh": "字" * 2000,
        "runbook_url": f"{BASE}/" + "a" * 100, "dashboard_url": f"{BASE}/" + "b" * 2000,
    }) for number in range(12)],
    "huge": [alert(f"Mail{kind}", f"{'邮' * 80}{kind}{number}", lasted=1000 if kind > 5 else None, annotations={
        "summary_zh": "摘" * 500, "description_zh": "字" * 2000, "summary": "s" * 500, "description": "d" * 2000,
        "runbook_url": f"{BASE}/{'r' * 107}", "dashboard_url": f"{BASE}/{'d' * 107}",
    }) for kind in range(10) for number in range(55)],
}  # fmt: skip


def notification(alerts: Sequence[Json]) -> Json:
    """Return the complete data of a template."""
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "receiver": "chat",
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"job": "mailprobe"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.com",
    }


def render(template: str, alerts: Sequence[Json], zone: str = "UTC") -> str:
    """Return the text that amtool renders from a template."""
    return expand(f'{{{{ template "{template}" . }}}}', alerts, zone)


def expand(text: str, alerts: Sequence[Json], zone: str = "UTC") -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as data:
        json.dump(notification(alerts), data)
        data.flush()
        done = subprocess.run(
            [
                *(binary("amtool", "prometheus-alertmanager"), "template", "render"),
                f"--template.glob={TEMPLATES}",
                f"--template.text={text}",
                f"--template.data={data.name}",
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TZ": zone},
        )
    if done.returncode or done.stderr:
        raise ValueError(done.stderr)
    return done.stdout


def golden(name: str, language: str) -> str:
    """Return the content of the golden file: all three texts of a set."""
    return expand(
        "".join(f'-- {each} --\n{{{{ template "mailprobe.{each}{LANGUAGES[language]}" . }}}}\n' for each in NAMES),
        SETS[name],
    )


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for one in SETS:
        for spoken in LANGUAGES:
            (GOLDEN / f"{one}.{spoken}.txt").write_text(golden(one, spoken), encoding="utf-8")
