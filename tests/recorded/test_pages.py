"""The recorded stories through a real Prometheus and a real Alertmanager: which pages come, and what they say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.alertmanager.channels import Channels
from tests.alertmanager.quick import quick_config, quick_rules
from tests.recorded.replay import SPEED, Replay
from tests.recorded.stories import STORIES, Page, Story
from tests.recorded.test_rules import of
from tests.recorded.world import SCRAPE
from tests.servers.monitoring import Alertmanager, Prometheus

SECOND = SPEED  # of the stories: the texts tell times to the second
TOLD = [story for story in STORIES if len(story.targets) < 100]
JOBS = {f"story{index}" if index else "mailprobe": story for index, story in enumerate(TOLD)}
SCRAPES = f"{SCRAPE / SPEED * 1000:.0f}ms"
HEAD = f"""\
global: {{scrape_interval: {SCRAPES}, scrape_timeout: {SCRAPES}, evaluation_interval: {SCRAPES}}}
rule_files: [rules/*.yml]
"""

Alerts = Mapping[str, list[tuple[str, dict[str, Any]]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Alerts, Replay]]:
    """Return what the pager was told: by job, each alert of each notification with "firing" or "resolved"."""
    records = {job: of(story) for job, story in JOBS.items()}
    folder: Path = tmp_path_factory.mktemp("recorded")
    with (
        Channels() as channels,
        Replay(records) as replay,
        Alertmanager(quick_config(channels.url, folder)) as alertmanager,
        Prometheus(_config(alertmanager.port, replay.port), {"alerts.yml": quick_rules()}),
    ):
        replay.began = time.time()
        time.sleep(max(story.seconds for story in TOLD) / SPEED)
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {job: [] for job in JOBS}
        for message in channels.at("pager"):
            for status in ("firing", "resolved"):
                for alert in message.alerts(status):
                    found[alert["labels"].get("job", "")].append((status, alert))
        yield found, replay


def _config(alertmanager: int, port: int) -> str:
    jobs = "".join(
        f"  - job_name: {job}\n    metrics_path: /{job}/metrics\n"
        f'    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]\n'
        for job in JOBS
    )
    target = f'["127.0.0.1:{alertmanager}"]'
    return f"{HEAD}alerting: {{alertmanagers: [{{static_configs: [{{targets: {target}}}]}}]}}\nscrape_configs:\n{jobs}"


@pytest.mark.parametrize("job", JOBS, ids=lambda job: JOBS[job].name)
def test_one_fault_is_one_page_and_one_resolve_with_its_own_times(told, job):
    alerts, replay = told
    story: Story = JOBS[job]
    came = alerts[job]
    names = [(status, alert["labels"]["alertname"]) for status, alert in came]
    assert sorted(names) == sorted((status, page.alert) for page in story.pages for status in ("firing", "resolved"))
    for page in story.pages:
        (first,) = [alert for status, alert in came if status == "firing" and _is(page, alert)]
        (last,) = [alert for status, alert in came if status == "resolved" and _is(page, alert)]
        for alert in (first, last):
            _is_close(replay, alert["annotations"]["since"], page.since, page.look)
            assert "team" not in alert["labels"]
        assert not first["annotations"].get("until")
        _is_close(replay, last["annotations"]["until"], page.until, page.look)
        if page.mailboxes:
            count = _counted(first["annotations"]["description"])
            assert f"{count} 个邮箱受影响：" in first["annotations"]["description_zh"]
            # What every mailbox finds out by its own login is known of all after an interval.
            assert count == page.mailboxes or (page.look > 60.0 and 3 <= count < page.mailboxes)
        assert last["annotations"]["description"] == f"Works again since {last['annotations']['until']}."


def _counted(text: str) -> int:
    """Return how many mailboxes a text counts, which is as many as it names."""
    found = re.search(r" for (\d+) mailbox(?:es)?: ([^(]*?)(?: and (\d+) more)? \(", text)
    assert found, text
    assert int(found[1]) == len(found[2].split(", ")) + int(found[3] or 0), text
    return int(found[1])


def _is(page: Page, alert: dict[str, Any]) -> bool:
    labels = alert["labels"]
    return bool(labels["alertname"] == page.alert and all(labels.get(name) == value for name, value in page.about))


def _is_close(replay: Replay, text: str, second: float, look: float) -> None:
    """Check a time in a text: at most one look after the fault; the texts have no fractions of a second."""
    at = replay.second(datetime.fromisoformat(text.replace(" UTC", "")).timestamp())
    assert second - look - SECOND <= at <= second + look + SECOND, f"{text} is second {at:.0f}, not {second:.0f}"
