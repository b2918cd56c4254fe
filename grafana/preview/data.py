"""Queries Prometheus for the data of the panels, with the values of the variables.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
POINTS = 120


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its labels, its name in the legend, its points (time, value)."""

    labels: Mapping[str, str]
    name: str
    points: tuple[tuple[float, float], ...]
    query: str

    @property
    def last(self) -> float:
        return self.points[-1][1]


@dataclass(frozen=True, slots=True)
class Source:
    """A Prometheus server and a time range."""

    url: str
    start: float
    end: float
    variables: Mapping[str, str]

    @property
    def step(self) -> float:
        return max(round((self.end - self.start) / POINTS), 1)

    def ask(self, target: Json) -> list[Series]:
        """Return the result of one query of a panel."""
        expr = self.filled(target["expr"])
        if target["instant"]:
            answer = self._get("query", query=expr, time=str(self.end))
        else:
            answer = self._get("query_range", query=expr, start=str(self.start), end=str(self.end), step=str(self.step))
        legend, found = target.get("legendFormat", ""), []
        for each in answer:
            labels = each["metric"]
            points = each.get("values") or [each["value"]]
            name = re.sub(r"\{\{(\w+)\}\}", lambda place: labels.get(place[1], ""), legend).strip()  # noqa: B023
            values = tuple((float(at), float(value)) for at, value in points)
            found.append(Series(labels, name, values, target["refId"]))
        return found

    def filled(self, expr: str) -> str:
        """Return the query with variables and macros replaced."""
        width = self.end - self.start
        macros = {
            "__rate_interval": f"{max(4 * self.step, 10):g}s",
            "__interval": f"{self.step:g}s",
            "__range": f"{width:.0f}s",
        }
        given = {**self.variables, **macros}
        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: given.get(found[1] or found[2], found[0]), expr)

    def _get(self, path: str, **query: str) -> list[Json]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        body = urllib.parse.urlencode(query).encode()
        with opener.open(f"{self.url}/api/v1/{path}", data=body, timeout=30) as answer:
            found: list[Json] = json.load(answer)["data"]["result"]
            return found


def values_of(dashboard: Json, chosen: Mapping[str, str]) -> dict[str, str]:
    """Return each variable as a pattern: the chosen value, or All."""
    return {
        each["name"]: chosen.get(each["name"], each.get("allValue", ""))
        for each in dashboard["templating"]["list"]
        if each["type"] == "query"
    }
