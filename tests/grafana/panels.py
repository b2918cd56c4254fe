"""Reads panels, queries and variables of the committed dashboards, and replaces the variables, as Grafana would."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "grafana" / "dashboards"
LANGUAGES = ("en", "zh")
NAMES = ("overview", "mailbox", "roundtrip", "dns-tls", "capacity", "exporter")
Json = dict[str, Any]


@cache
def text_of(name: str, language: str = "en") -> str:
    return (FOLDER / language / f"mailprobe-{name}.json").read_text(encoding="utf-8")


def dashboard(name: str, language: str = "en") -> Json:
    loaded: Json = json.loads(text_of(name, language))
    return loaded


def panels(name: str, language: str = "en") -> list[Json]:
    """Return the panels, without the titles of rows."""
    return [panel for panel in dashboard(name, language)["panels"] if panel["type"] != "row"]


def variables(name: str) -> list[Json]:
    found: list[Json] = dashboard(name)["templating"]["list"]
    return found


@dataclass(frozen=True, slots=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    kind: str
    ref: str
    expr: str
    instant: bool
    legend: str

    def __str__(self) -> str:
        return f"{self.dashboard}/{self.panel}/{self.ref}"

    @property
    def places(self) -> set[str]:
        """Return the labels that the legend shows."""
        return set(re.findall(r"\{\{(\w+)\}\}", self.legend))


def targets(language: str = "en") -> Iterator[Target]:
    """Return every query of every dashboard."""
    for name in NAMES:
        for panel in panels(name, language):
            for target in panel["targets"]:
                yield Target(
                    name,
                    panel["title"],
                    panel["type"],
                    target["refId"],
                    target["expr"],
                    target["instant"],
                    target["legendFormat"],
                )


def every(name: str) -> dict[str, str]:
    """Return the value of each variable if All is chosen."""
    return {each["name"]: each["allValue"] for each in variables(name) if each["type"] == "query" and each["multi"]}


MACROS = {"__rate_interval": "12s", "__range": "90s", "__interval": "2s"}


def filled(expr: str, values: Mapping[str, str], macros: Mapping[str, str] = MACROS) -> str:
    """Return the query as Grafana sends it. Several values of one variable become `(a|b)`; All is its pattern."""
    given = {**values, **macros}
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: given.get(found[1] or found[2], found[0]), expr)
