"""Incidents made ready for the templates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.incident import Incident
from exporter.reasons import about
from exporter.web.summary import Moment, moment
from exporter.web.words import Words
from exporter.wording import SUMMARIES, cleaned

MOST = 8


@dataclass(frozen=True, slots=True)
class Item:
    """One incident."""

    alert: str
    what: str  # in one sentence
    text: str  # the server's words
    remedy: str
    since: Moment
    resolved: Moment | None
    affected: int


def items(incidents: Iterable[Incident], words: Words, now: float) -> list[Item]:
    """In the order given."""
    index = 1 if words.language == "zh" else 0
    found = []
    for each in incidents:
        known = about(each.reason)
        found.append(
            Item(
                dict(each.labels)["alertname"],
                each.told[index],
                cleaned(each.text),
                known.remedy_zh if index else known.remedy_en,
                moment(each.since, now, words),
                moment(each.resolved, now, words) if each.resolved else None,
                len(each.targets),
            )
        )
    return found


def meaning(alert: str, words: Words) -> str | None:
    """What an alert of ours means, in a few words; None where we have no such alert."""
    pair = SUMMARIES.get(alert)
    return None if pair is None else pair[1 if words.language == "zh" else 0]
