"""mailprobe's own push over the recorded stories: one incident for one fault, with its own times."""

from __future__ import annotations

import pytest

from exporter.incidents.alert_text import annotations_of, clock
from exporter.model.settings import Limits
from exporter.model.spell import GAP
from exporter.run.timing import plan
from tests.recorded.stories import STORIES, Page, Story
from tests.recorded.test_rules import of
from tests.recorded.world import BEGIN, Record, Told

PAGED = 240.0  # seconds from the fault until the incident opens


def about(story: Story, told: Told) -> Page:
    """Return the page that the incident is about. Raises StopIteration if the story has none such."""
    labels = dict(told.incident.labels)
    return next(
        page
        for page in story.pages
        if page.alert == labels["alertname"] and all(labels.get(name) == value for name, value in page.about)
    )


def lasting(record: Record) -> list[tuple[Told, Told]]:
    """Return each incident as it was when it opened first and when it ended last.

    One that came back within GAP seconds is the same: Alertmanager, which waits as long, tells it once.
    """
    found: dict[str, tuple[Told, Told]] = {}
    for opened in record.opened:
        key = opened.incident.key
        end = next(each for each in record.resolved if each.incident.key == key and each.second > opened.second)
        first = found[key][0] if key in found else opened
        if key in found:
            assert opened.second - found[key][1].second < GAP
            assert opened.incident.returned
        found[key] = (first, end)
    return list(found.values())


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_push_makes_one_incident_of_one_fault_and_tells_its_times(story):
    record, slowest = of(story), max(plan(story.targets, Limits()).intervals.values())
    found = lasting(record)
    assert sorted(page.alert for page in story.pages) == sorted(dict(o.incident.labels)["alertname"] for o, _ in found)
    for opened, over in found:
        page = about(story, opened)
        assert page.since <= opened.second <= page.since + PAGED + page.look - 60.0
        since, until = over.incident.since - BEGIN, over.incident.ended - BEGIN
        assert page.since <= since <= page.since + page.look
        assert page.until - page.look <= until <= page.until + max(page.look, slowest)
        told = annotations_of(over.incident)
        assert told["since"] == clock(BEGIN + since)
        assert told["until"] == clock(BEGIN + until)


def test_one_that_comes_and_goes_is_opened_again_once_and_then_held():
    (story,) = (story for story in STORIES if story.name == "flapping")
    assert [each.incident.returned for each in of(story).opened] == [False, True]
    assert len(of(story).resolved) == 2
