"""The table of times in docs/alerts.md: what the rules promise at default intervals, beside what was measured.

`make walk-times` measures in real time with real programs, and writes `tests/walk/times.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.alertmanager.shipped import config
from tests.rules.lint import seconds
from tests.rules.shipped import EXAMPLE, alerts

FILE = Path(__file__).parents[1] / "walk" / "times.json"
NOTICE = 10.0  # seconds until a server that refuses, or is silent, has failed a run: the timeout of a tls probe

# Alert → seconds between two runs that can see its fault, at the default intervals.
INTERVALS: Mapping[str, float] = {
    "MailHostOutage": 60.0,
    "MailEndpointDown": 60.0,
    "MailDNSFailing": 600.0,
    "MailLoginRejected": 300.0,
    "MailprobeAllVantagesOffline": 15.0,
}
HEAD = """
## From the fault to the page

At the default intervals, with the scrape and evaluation intervals of `prometheus.example.yml` and the shipped
Alertmanager configuration. "at most" is the sum of the interval, the timeout of a probe, a scrape, an evaluation, `for`
and `group_wait`. The other columns were measured with real programs in real time (`make walk-times`): until the page
came, until its end was told, and how much later than the fault and its repair the times are that the texts name.

| fault | alert | page, at most | page | end told | since | until | pages, ends |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Steps:
    """The seconds that each step from a fault to its page takes at most."""

    interval: float
    scrape: float
    evaluation: float
    wait: float  # `for`
    group: float  # `group_wait`

    @property
    def most(self) -> float:
        return self.interval + NOTICE + self.scrape + self.evaluation + self.wait + self.group


def steps(alert: str) -> Steps:
    shipped = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["global"]
    (rule,) = {each.get("for", "0s") for each in alerts() if each["alert"] == alert}
    route = config()["route"]
    quick = next(each for each in route["routes"] if "vantage|exporter" in str(each["matchers"]))
    group = quick["group_wait"] if alert.startswith("Mailprobe") else route["group_wait"]
    scrape, evaluation = (seconds(shipped[f"{each}_interval"]) for each in ("scrape", "evaluation"))
    return Steps(INTERVALS[alert], scrape, evaluation, seconds(rule), seconds(group))


def measured() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def rows() -> Iterator[str]:
    for each in measured():
        cells = (
            each["class"],
            f"`{each['alert']}`",
            _span(steps(each["alert"]).most),
            _span(each["fault_to_page"]),
            _span(each["repair_to_resolve"]),
            _span(each["since_after_fault"], "+"),
            _span(each["until_after_repair"], "+"),
            f"{each['pages']}, {each['resolves']}",
        )
        yield f"| {' | '.join(cells)} |\n"


def _span(number: float | None, sign: str = "") -> str:
    if number is None:
        return "–"
    minutes, left = divmod(int(number), 60)
    return f"{sign}{minutes} min {left} s" if minutes else f"{sign}{left} s"
