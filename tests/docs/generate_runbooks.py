"""Keeps what the runbooks say of the rules true, and their index: `python -m tests.docs.generate_runbooks`.

The words are written by hand. The line under each title, when and how loudly the alert fires, and the figures of the
rule that the text repeats (`runbook_figures`) are read from the rules.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from exporter.web.pages import runbooks
from tests.docs import runbook_figures

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
RULES = ROOT / "deploy" / "prometheus" / "mailprobe.alerts.yml"

_FACTS = 4  # the line of a file, from 0, that holds the facts
_HEAD = """\
# Runbooks · 值班手册

What each alert means, how bad it is, where to look and what to do, for whoever is on duty at three in the morning.
A running mailprobe serves them at `/runbooks/`; the link in each alert leads there. The reasons that they name are
explained in [reasons.md](../reasons.md). Texts: Apache-2.0, see [LICENSE](LICENSE).

每条告警是什么意思、影响多大、到哪里看、怎么处理，写给凌晨三点值班的人。文中提到的原因见 [reasons.md](../reasons.md)。

运行中的 mailprobe 在 `/runbooks/` 提供这些页面，告警里的链接就指向那里。

This page is made by `python -m tests.docs.generate_runbooks`. 本页由脚本生成，请勿手改。

| alert | when it fires | what it is | 含义 |
| --- | --- | --- | --- |
"""


@cache
def alerts() -> dict[str, list[dict[str, Any]]]:
    """The shipped alerting rules, by alert."""
    found: dict[str, list[dict[str, Any]]] = {}
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule)
    return found


def facts(rules: list[dict[str, Any]], language: str) -> str:
    """When an alert fires, and how loudly."""
    by_severity: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        by_severity.setdefault(rule["labels"]["severity"], []).append(rule)
    told = [_severity(severity, each, language) for severity, each in by_severity.items()]
    layer = rules[0]["labels"]["layer"]
    return "；".join(told) + f" · 层级 `{layer}`" if language == "zh" else "; ".join(told) + f" · layer `{layer}`"


def _severity(severity: str, rules: list[dict[str, Any]], language: str) -> str:
    waits = [rule["for"] for rule in rules if "for" in rule]
    keeps = dict.fromkeys(rule["keep_firing_for"] for rule in rules if "keep_firing_for" in rule)
    if language == "zh":
        when = f"持续 {'、'.join(dict.fromkeys(waits))} 后触发" if waits else "立即触发"
        return f"`{severity}` {when}" + (f"，恢复后保留 {'、'.join(keeps)}" if keeps else "")
    when = f"after {', '.join(dict.fromkeys(waits))}" if waits else "at once"
    return f"`{severity}` {when}" + (f", kept {', '.join(keeps)}" if keeps else "")


def with_facts(text: str, told: str) -> str:
    """A runbook's text with this line of facts."""
    lines = text.split("\n")
    lines[_FACTS] = told
    return "\n".join(lines)


def up_to_date(text: str, rules: list[dict[str, Any]], language: str) -> str:
    """A runbook's text with all that it says of its rules."""
    return runbook_figures.corrected(with_facts(text, facts(rules, language)), rules, language)


def index() -> str:
    """docs/runbooks/README.md."""
    english, chinese = runbooks.library("en"), runbooks.library("zh")
    rows = [
        f"| {name} | {book.facts} | [{book.lead}](en/{name}.md) "
        f"| [{chinese[name].lead}](zh/{name}.md) · [繁體](zh-TW/{name}.md) |\n"
        for name, book in english.items()
    ]
    return _HEAD + "".join(rows)


def main() -> None:
    """Bring all files up to date."""
    for name, rules in alerts().items():
        for language in ("en", "zh"):
            file = FOLDER / language / f"{name}.md"
            file.write_text(up_to_date(file.read_text(encoding="utf-8"), rules, language), encoding="utf-8")
    runbooks.library.cache_clear()
    INDEX.write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
