"""The shipped rules over recorded stories, with promtool: one alert for one fault, in time, and its end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.rules.files import ALERT_FILE, RECORDING_FILE
from tests.recorded.stories import STORIES, Page, Story
from tests.recorded.world import SCRAPE, Record, recorded
from tests.rules.shipped import PROMETHEUS, alerts, records
from tests.servers.process import binary

PAGE = 240.0  # seconds from the fault to the page, of which the last 20 are Alertmanager's group_wait
WAIT = {"MailprobeAllVantagesOffline": 60.0, "MailLoginRejected": 120.0}  # `for` of the alerts that are no outage: 90
STAYS = {"MailLoginRejected": 300.0, "MailprobeAllVantagesOffline": 480.0}  # seconds after the end; an outage's 420
_LINE = re.compile(r"^(\w+\{[^}]*\}|\w+) (\S+)$")
_READ = re.compile(r"mailprobe_\w+")


@cache
def of(story: Story) -> Record:
    return recorded(story.targets, story.faults, story.seconds, story.alert_labels)


def series(record: Record) -> Iterator[dict[str, str]]:
    """Yield the scraped series that a rule reads, as promtool takes them."""
    read = {name for rule in (*alerts(), *records()) for name in _READ.findall(rule["expr"])}
    seconds = sorted(record.scrapes)
    assert seconds == [SCRAPE * (n + 1) for n in range(len(seconds))]
    values: dict[str, list[str]] = {}
    for index, second in enumerate(seconds):
        for line in record.scrapes[second].splitlines():
            found = _LINE.match(line)
            if found and found[1].partition("{")[0] in read:
                values.setdefault(found[1], ["_"] * index).append(found[2])
        for known in values.values():
            if len(known) == index:
                known.append("stale" if index and known[-1] not in ("_", "stale") else "_")
    for name, told in values.items():
        labels = name if "{" in name else f"{name}{{}}"
        yield {"series": labels.replace("{", '{job="mailprobe",instance="a",', 1).replace(",}", "}"), "values": told}  # type: ignore[dict-item]


def firing(alert: str, about: tuple[tuple[str, str], ...] = ()) -> str:
    matchers = "".join(f',{label}="{value}"' for label, value in about)
    return f'count(ALERTS{{alertstate="firing",alertname{alert}{matchers}}})'


def at(second: float, expression: str, count: int) -> dict[str, Any]:
    samples = [{"labels": "{}", "value": count}] if count else []
    return {"expr": expression, "eval_time": f"{int(second)}s", "exp_samples": samples}


def expected(story: Story) -> Iterator[dict[str, Any]]:
    """Yield what must be true at which second, from the table of the story alone."""
    steps = [SCRAPE * n for n in range(1, int(story.seconds / SCRAPE))]
    names = "|".join(dict.fromkeys(page.alert for page in story.pages)) or "None"
    for second in steps:
        yield at(second, firing(f'!~"Watchdog|{names}"'), 0)
    for page in story.pages:
        mine = firing(f'="{page.alert}"', page.about)
        for second in steps:
            yield from _of_page(page, second, mine)
    for name in {page.alert for page in story.pages}:
        count, any_of_it = sum(page.alert == name for page in story.pages), firing(f'="{name}"')
        for second in steps:
            yield at(second, f"{any_of_it} > {count}", 0)


def _of_page(page: Page, second: float, mine: str) -> Iterator[dict[str, Any]]:
    if second < page.since + WAIT.get(page.alert, 90.0):
        yield at(second, mine, 0)
    elif page.since + PAGE - 20.0 + page.look - 60.0 <= second <= page.until:
        yield at(second, mine, 1)
    elif second >= page.until + page.look + STAYS.get(page.alert, 420.0) + 2 * SCRAPE:
        yield at(second, mine, 0)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_rules_make_one_alert_of_one_fault(story, tmp_path: Path):
    test = {
        "interval": f"{SCRAPE:g}s",
        "input_series": [{**each, "values": " ".join(["_", *each["values"]])} for each in series(of(story))],
        "promql_expr_test": list(expected(story)),
    }
    rules = [str(PROMETHEUS / name) for name in (RECORDING_FILE, ALERT_FILE)]
    order = [group["name"] for name in rules for group in yaml.safe_load(Path(name).read_text())["groups"]]
    document = {"rule_files": rules, "evaluation_interval": "30s", "group_eval_order": order, "tests": [test]}
    file = tmp_path / "story.test.yml"
    file.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper, width=10**9))
    done = subprocess.run(
        [binary("promtool", "prometheus"), "test", "rules", str(file)],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[:6000]
