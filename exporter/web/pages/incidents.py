"""Prepares incidents for the templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.incidents.alert_text import cleaned
from exporter.incidents.incident import Incident
from exporter.model.details import detail
from exporter.model.reasons import about
from exporter.web.pages.formatting import Moment, moment
from exporter.web.pages.rows import path_of
from exporter.web.pages.words import Words

MOST = 8  # on the status page
MAX_TARGETS = 20  # limit of target names for each incident


@dataclass(frozen=True, slots=True)
class Item:
    """One incident, as shown on a page."""

    alert: str
    what: str  # what is wrong, in one sentence
    text: str  # the server's reply
    remedy: str
    since: Moment
    resolved: Moment | None
    affected: int
    severity: str
    reason: str
    targets: tuple[tuple[str, str], ...]  # (name, path of its page) of some of the affected targets


def in_order(incidents: Iterable[Incident]) -> list[Incident]:
    """Return the open incidents, those that began last first, then the resolved ones, those that ended last first."""
    return sorted(incidents, key=lambda each: (not each.open, -(each.resolved or each.since), each.key))


def items(incidents: Iterable[Incident], words: Words, now: float) -> list[Item]:
    """Return the incidents in the given order. `now` is Unix time."""
    found = []
    for each in incidents:
        known, labels = about(each.reason), dict(each.labels)
        found.append(
            Item(
                labels["alertname"],
                each.what(words.language),
                cleaned(detail(each.text, words.language)),
                known.remedy(words.language, each.advice),
                moment(each.since, now, words),
                moment(each.ended or each.resolved, now, words) if each.resolved else None,
                len(each.targets),
                labels.get("severity", ""),
                each.reason,
                tuple((name, path_of(name)) for name in each.targets[:MAX_TARGETS]),
            )
        )
    return found
