"""Makes docs/alerts.md: every alert, what it reads, when it fires, and the tests that hold it.

`python -m tests.rules.document > docs/alerts.md`
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from deploy.rules.book import alerts
from deploy.rules.rule import Alert
from tests.rules.shipped import cases
from tests.walk.faults import EVERY

# Live tests beside the walk, by the alerts that they wait for: real servers, Prometheus and Alertmanager.
LIVE = {
    "tests/system/test_alert.py": ("MailHostOutage", "MailEndpointDown"),
    "tests/alertmanager/test_live.py": ("MailHostOutage", "MailprobeAllVantagesOffline"),
}
# What many expressions read besides what they are about.
_USUAL = (
    "mailprobe_root_cause_info",
    "mailprobe_probe_inconclusive",
    "mailprobe_vantage_up",
    "mailprobe_endpoint_info",
)

_HEAD = """\
# Alerts · 告警

Made by `python -m tests.rules.document` from the rules and their tests. How they decide, load and change:
[rules.md](rules.md). What to do about each: the [runbooks](runbooks/README.md). `Mail…` is the mail service,
`Mailprobe…` is mailprobe itself.

本页由脚本生成。`Mail…` 表示邮件服务的问题，`Mailprobe…` 表示 mailprobe 自身的问题；
处理办法见[值班手册](runbooks/README.md)。

"for" is how long it must last, "keep" how long it stays after the end; "at once" is for events. Each alert has unit
tests with promtool in `deploy/prometheus/tests`: it fires (compared word for word), stays silent, resolves, survives
missing data, and what it does where replicas disagree. "live" is a fault made on a real server, through Prometheus and
Alertmanager, to the text on the phone and back.

| alert | what it tells | reads | for (keep) | severity | layer | unit tests | live |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""
_FAULTS = """
## The faults of the live walk

Each is made on real servers, told in English and Chinese by the shipped Alertmanager configuration, mended, and its end
told: `tests/walk`.

| fault | layer | what is done | alert |
| --- | --- | --- | --- |
"""


def page() -> str:
    rows = "".join(_row(rule) for rule in _told_once())
    faults = "".join(f"| {each.id} | {each.layer} | {each.made} | {each.alert} |\n" for each in EVERY)
    return _HEAD + rows + _FAULTS + faults


def _told_once() -> Iterator[Alert]:
    """Rules that differ in nothing that the table shows are one row."""
    seen = set()
    for rule in alerts():
        key = (rule.name, rule.severity, rule.wait, rule.en.summary)
        if key not in seen:
            seen.add(key)
            yield rule


def _row(rule: Alert) -> str:
    files = sorted({case.file.name.removesuffix(".test.yml") for case in cases() if rule.name in dict(case.shows)})
    cells = (
        f"[{rule.name}](runbooks/en/{rule.name}.md)",
        f"{rule.en.summary}<br>{rule.zh.summary}",
        ", ".join(f"`{name}`" for name in _read(rule)),
        f"{rule.wait or 'at once'}{f' ({rule.keep})' if rule.keep else ''}",
        rule.severity,
        rule.layer,
        ", ".join(files),
        ", ".join(live(rule.name, rule.severity)) or "–",
    )
    return f"| {' | '.join(cells)} |\n"


def _read(rule: Alert) -> list[str]:
    """The series that it is about."""
    names = dict.fromkeys(re.findall(r"\b(?:[a-z]+:)?mailprobe_\w+(?::\w+)?|\$up\b|\bvector\(1\)", rule.expr))
    own = [name.replace("$up", "up") for name in names if name not in _USUAL]
    return own or [name for name in names if name in _USUAL][:1]


def live(name: str, severity: str) -> list[str]:
    """The live tests of an alert: a fault of the walk by its id, others by their file."""
    walked = [f"`{each.id}`" for each in EVERY if (each.alert, each.severity) == (name, severity)]
    return walked + [f"`{file}`" for file, named in LIVE.items() if name in named]


if __name__ == "__main__":
    sys.stdout.write(page())
