"""Writes groups as readable YAML: with comments, with the lines of the expressions, and with texts folded.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import indent
from typing import Any, Final

from deploy.rules.links import dashboard_url, runbook_url
from deploy.rules.rule import Alert, Group, Options, Record

WIDTH: Final = 116
_PLAIN: Final = re.compile(r"[A-Za-z\u4e00-\u9fff](?:[^\n:#{}\[\]]|:(?! ))*")
_WORD: Final = re.compile(r"(?:\{\{[^{}]{0,60}\}\}|[^ ])+")  # a short template action is not broken
_NUMBER: Final = re.compile(r"(?i)true|false|yes|no|on|off|null|[-+.\d][\d_.e+-]*")


def rules_of(group: Group, options: Options) -> tuple[Alert | Record, ...]:
    """Return the rules of a group that are written with these options."""
    return tuple(rule for rule in group.rules if options.watchdog or rule.name != "Watchdog")


def labels_of(alert: Alert) -> dict[str, str]:
    return {"severity": alert.severity, "layer": alert.layer, **alert.labels}


def annotations_of(alert: Alert, options: Options) -> dict[str, str]:
    times, en, zh = alert.times, alert.en.description, alert.zh.description
    return {
        "summary": alert.en.summary,
        "description": times.told(en, "Works again since {}.") if times is not None else en,
        "summary_zh": alert.zh.summary,
        "description_zh": times.told(zh, "{} 起已恢复。") if times is not None else zh,
        **({"since": times.since, "until": times.until, "lasted": times.lasted} if times is not None else {}),
        "runbook_url": runbook_url(alert, options),
        "dashboard_url": dashboard_url(alert, options),
    }


def as_data(group: Group, options: Options) -> dict[str, Any]:
    """Return a group as a parser of the YAML file would see it."""
    rules: list[dict[str, Any]] = []
    for rule in rules_of(group, options):
        if isinstance(rule, Record):
            rules.append({"record": rule.name, "expr": options.promql(rule.expr)})
            continue
        waits = {"for": rule.wait, "keep_firing_for": rule.keep}
        rules.append(
            {
                "alert": rule.name,
                "expr": options.promql(rule.expr),
                **{key: value for key, value in waits.items() if value},
                "labels": labels_of(rule),
                "annotations": annotations_of(rule, options),
            }
        )
    return {"name": group.name, **({"interval": group.interval} if group.interval else {}), "rules": rules}


def document(groups: Iterable[Group], options: Options, head: str) -> str:
    """Return the text of a rule file."""
    lines = [*(f"# {line}".rstrip() for line in head.splitlines()), "groups:"]
    for group in groups:
        lines += (f"  {line}" for line in _group(group, options))
    return "\n".join(lines) + "\n"


def _group(group: Group, options: Options) -> Iterator[str]:
    yield f"- name: {group.name}"
    yield from (f"  # {line}" for line in group.comment.splitlines())
    if group.interval:
        yield f"  interval: {group.interval}"
    yield "  rules:"
    for rule in rules_of(group, options):
        yield from (f"    {line}" if line else "" for line in _rule(rule, options))


def _rule(rule: Alert | Record, options: Options) -> Iterator[str]:
    yield f"- {'alert' if isinstance(rule, Alert) else 'record'}: {rule.name}"
    yield from (f"  # {line}" for line in rule.comment.splitlines())
    yield from _entry("expr", options.promql(rule.expr), code=True)
    if isinstance(rule, Record):
        return
    if rule.wait:
        yield f"  for: {rule.wait}"
    if rule.keep:
        yield f"  keep_firing_for: {rule.keep}"
    for name, values in (("labels", labels_of(rule)), ("annotations", annotations_of(rule, options))):
        yield f"  {name}:"
        yield from _mapping(values)


def _mapping(values: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        yield from (f"  {line}" for line in _entry(key, value))


def _entry(key: str, value: str, *, code: bool = False) -> Iterator[str]:
    if "\n" in value:
        yield f"  {key}: |-"
        yield from indent(value, "    ").splitlines()
    elif len(value) + len(key) > WIDTH - 14 and not code:
        yield f"  {key}: >-"
        yield from (f"    {line}" for line in _folded(value))
    else:
        yield f"  {key}: {_scalar(value)}"


def _folded(text: str) -> Iterator[str]:
    """Fold only at single spaces, because YAML joins folded lines with one space."""
    line = ""
    for word in _WORD.findall(text):
        if line and len(line) + 1 + len(word) > WIDTH - 14:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _NUMBER.fullmatch(text) and text == text.strip():
        return text
    return "'" + text.replace("'", "''") + "'"
