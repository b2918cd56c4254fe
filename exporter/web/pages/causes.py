"""The root causes at the top of the status page: one line each, with scope, start, remedy and links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.incidents.incident import Incident
from exporter.incidents.lifecycle import identity
from exporter.incidents.rootcause.cause import Cause, fold, sentence
from exporter.model import Scope
from exporter.model.details import detail
from exporter.model.reasons import about
from exporter.model.text import shortened
from exporter.web.pages.formatting import Moment, moment
from exporter.web.pages.rows import path_of
from exporter.web.pages.words import Words

MOST = 12  # limit of lines
MAX_SENTENCE = 300  # limit of characters
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One cause, as shown on a page."""

    key: str
    scope: str  # a value of Scope
    layer: str
    reason: str
    told: str  # the cause in one sentence
    text: str  # the server's reply or our error text at the first failure; "" if targets have different texts
    since: Moment | None
    count: int  # number of targets
    remedy: str
    waiting_helps: bool
    target: str  # path of the target's page; "" if there are several targets
    alert: str  # alert name of its open incident, for the link to the runbook
    unclear: bool  # True: it only makes runs inconclusive


def lines(causes: Iterable[Cause], incidents: Iterable[Incident], words: Words, now: float) -> tuple[Line, ...]:
    """Return the lines in the order of `causes`. Single targets that fail for the same reason share one line."""
    alerts: dict[str, str] = {}
    alone: dict[str, str] = {}  # alert name by name of the single target
    for each in incidents:
        if each.open:
            alert = dict(each.labels).get("alertname", "")
            alerts[each.key] = alert
            if each.scope is Scope.TARGET and each.targets:
                alone[each.targets[0]] = alert
    return tuple(_line(cause, alerts, alone, words, now) for cause in fold(causes))


def named(causes: Iterable[Cause], key: str) -> Cause | None:
    """Return the cause with this key, after merging as in `lines`; None if there is none."""
    return next((cause for cause in fold(causes) if cause.key == key), None)


def wider(causes: Iterable[Cause], name: str) -> Cause | None:
    """Return the cause of a target's failure if its scope is wider than the target, else None."""
    wide = (cause for cause in causes if cause.scope is not Scope.TARGET and len(cause.targets) > 1)
    return next((cause for cause in wide if name in cause.targets), None)


def _line(cause: Cause, alerts: dict[str, str], alone: dict[str, str], words: Words, now: float) -> Line:
    known = about(cause.reason)
    first: Sequence[str] = cause.targets[:1]
    folded = cause.scope is Scope.TARGET and len(cause.targets) > 1
    alert = alone.get(first[0], "") if folded and first else alerts.get(identity(cause), "")
    return Line(
        cause.key,
        cause.scope,
        known.layer,
        cause.reason,
        shortened(sentence(cause, words.language), MAX_SENTENCE),
        "" if folded else shortened(detail(cause.text, words.language), MAX_TEXT),
        moment(cause.since, now, words) if cause.since else None,
        len(cause.targets),
        known.remedy(words.language, cause.advice),
        known.waiting_helps,
        path_of(first[0]) if len(cause.targets) == 1 else "",
        alert,
        cause.inconclusive or cause.scope is Scope.VANTAGE,
    )
