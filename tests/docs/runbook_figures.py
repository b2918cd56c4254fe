"""The figures of a rule that its runbook repeats: how long it waits, how long it keeps firing.

The words around a figure identify it, so that `python -m tests.docs.generate_runbooks` can update it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_EN = r"(?P<figure>\d+\s+(?:second|minute|hour|day)s?)\b"
_ZH = r"(?P<figure>\d+ (?:秒|分钟|小时|天))"
_UNITS = {
    "en": {"s": "second", "m": "minute", "h": "hour", "d": "day"},
    "zh": {"s": "秒", "m": "分钟", "h": "小时", "d": "天"},
}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# language → key of the rule → the words around its figure
_PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "for": (
            rf"\bIt\s+fires\s+after\s+{_EN}",
            rf"\bIt\s+(?:waits|needs)\s+{_EN}",
            rf"\bIt\s+wants\s+to\s+see\s+it\s+for\s+{_EN}",
            rf"\b(?:For|and\s+that\s+for|has\s+lasted|has\s+told\s+nothing\s+for)\s+{_EN}",
            rf"\bafter\s+theirs,\s+for\s+{_EN}",
            rf"\bfor\s+{_EN}(?=\s+they\s+have\s+not)",
            rf"\band\s+{_EN}(?=\s+of\s+a\s+steady\s+trend)",
        ),
        "keep_firing_for": (
            rf"\bkept\s+for\s+{_EN}",
            rf"\bstays\s+(?:for\s+)?{_EN}",
            rf"\b[Ii]t\s+resolves\s+(?:after\s+)?{_EN}",
            rf"\bnone\s+of\s+the\s+three\s+has\s+been\s+seen\s+for\s+{_EN}",
        ),
    },
    "zh": {
        "for": (
            rf"{_ZH}(?:（[^）]*）)?(?:就报|才报)",
            rf"{_ZH}(?:以来|不相同|都得不出结论)",
            rf"(?:暂停了|现在连续) {_ZH}",
        ),
        "keep_firing_for": (rf"保留 {_ZH}", rf"{_ZH}后(?:恢复|消失)"),
    },
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a runbook repeats."""

    key: str  # in the rule
    start: int  # in the text of the runbook
    end: int
    told: str


def repeated(text: str, language: str) -> Iterator[Figure]:
    """Return the figures of the rule in the text of a runbook."""
    for key, phrases in _PHRASES[language].items():
        for phrase in phrases:
            for match in re.finditer(phrase, text):
                yield Figure(key, *match.span("figure"), match["figure"])


def wanted(rules: Sequence[dict[str, Any]], key: str, language: str) -> str:
    """Return the figures that a runbook must have. Rules with different values have no common figure."""
    values = {rule[key] for rule in rules if key in rule}
    if len(values) != 1:
        raise ValueError(f"{rules[0]['alert']}: {key} is {sorted(values)}, and the text tells one figure")
    return spoken(values.pop(), language)


def spoken(duration: str, language: str) -> str:
    """Return `7m` as the texts write it, and a time of several units in the smallest one: 90 seconds."""
    parts = re.findall(r"(\d+)([smhd])", duration)
    smallest = parts[-1][1]
    number = str(sum(int(count) * _SECONDS[unit] for count, unit in parts) // _SECONDS[smallest])
    unit = _UNITS[language][smallest]
    return f"{number} {unit}{'s' if language == 'en' and number != '1' else ''}"


def corrected(text: str, rules: Sequence[dict[str, Any]], language: str) -> str:
    """Return the text of a runbook with the figures of its rules."""
    for figure in sorted(repeated(text, language), key=lambda each: -each.start):
        told = wanted(rules, figure.key, language)
        if " ".join(figure.told.split()) != told:
            text = text[: figure.start] + told + text[figure.end :]
    return text


def others(text: str, language: str) -> set[int]:
    """Return the other times in the text of a runbook, in seconds: those that are no figures of its rule."""
    for figure in sorted(repeated(text, language), key=lambda each: -each.start):
        text = text[: figure.start] + text[figure.end :]
    units = {word: _SECONDS[letter] for letter, word in _UNITS[language].items()}
    found = re.finditer(rf"(\d+)\s+({'|'.join(units)})", text)
    return {int(match[1]) * units[match[2]] for match in found}
