"""Grades a verdict: right, listed (the cause is among several), unknown or wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from exporter.diagnosis.classify import Classification
from exporter.model.reasons import Reason


class Grade(StrEnum):
    RIGHT = "right"
    LISTED = "listed"  # several causes, and the right one is among them
    UNKNOWN = "unknown"  # nothing is claimed
    WRONG = "wrong"


# `provider_alert` asks the user to read the words, and claims no cause.
_NO_CAUSE = (Reason.AMBIGUOUS_LOGIN_REFUSED, Reason.UNKNOWN, Reason.PROVIDER_ALERT)


@dataclass(frozen=True)
class Judged:
    """One reply with its verdict."""

    name: str
    text: str
    expected: tuple[Reason, ...]
    verdict: Classification | None
    grade: Grade

    def line(self) -> str:
        said = self.verdict and (self.verdict.reason.value, [str(cause) for cause in self.verdict.ambiguous])
        rule = self.verdict and self.verdict.rule
        return f"{self.name}: {'/'.join(self.expected)}, told {said} by {rule}: {self.text!r}"


def grade(expected: Collection[Reason], verdict: Classification | None) -> Grade:
    """Grade a verdict. A list that lacks the cause is wrong; a refusal without any cause claims nothing."""
    if verdict is None:
        return Grade.UNKNOWN
    if verdict.ambiguous and verdict.reason in (Reason.AMBIGUOUS_LOGIN_REFUSED, Reason.UNKNOWN):
        if verdict.reason in expected:
            return Grade.RIGHT
        return Grade.LISTED if set(verdict.ambiguous) & set(expected) else Grade.WRONG
    if verdict.reason in expected:
        return Grade.RIGHT
    return Grade.UNKNOWN if verdict.reason in _NO_CAUSE else Grade.WRONG


@dataclass(frozen=True)
class Figures:
    """How many replies got which grade."""

    counts: Counter[Grade]

    @classmethod
    def of(cls, judged: Iterable[Judged]) -> Figures:
        return cls(Counter(each.grade for each in judged))

    @property
    def total(self) -> int:
        return self.counts.total()

    def percent(self, *grades: Grade) -> float:
        return 100 * sum(self.counts[each] for each in grades) / self.total

    def row(self, name: str) -> str:
        cells = [f"{self.counts[each]} ({self.percent(each):.1f} %)" for each in Grade]
        return f"| {name} | {self.total} | {' | '.join(cells)} |"
