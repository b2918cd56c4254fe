"""What a dashboard is, before it has a language: pages of rows of panels, as plain data.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Both:
    """A text whose two languages are known elsewhere; every other text is English and looked up in the catalogue."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True, init=False)
class Filled:
    """An English text with `{}` for numbers that are written elsewhere."""

    text: str
    values: tuple[object, ...]

    def __init__(self, text: str, *values: object) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", values)


Text = str | Both | Filled


@dataclass(frozen=True, slots=True)
class Step:
    """From `value` on (None: from the start) a panel has this colour."""

    value: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class Word:
    """What is shown instead of a number from `low` to `high`."""

    low: float
    high: float
    text: Text
    colour: str


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression. `instant`: only its value at the end of the time range."""

    expr: str
    legend: Text = ""  # with {{label}} places; the same in each language unless it is in the catalogue
    instant: bool = False
    exemplars: bool = False
    colour: str = ""


class Goal(StrEnum):
    """Which of our dashboards a name on a panel leads to."""

    MAILBOX = "mailprobe-mailbox"
    ROUNDTRIP = "mailprobe-roundtrip"
    EXPORTER = "mailprobe-exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What every panel has. `shows` and `bad` become its description, with the names of the alerts that watch it."""

    title: Text
    shows: Text
    bad: Text
    alerts: tuple[str, ...]
    queries: tuple[Query, ...]
    width: int
    height: int
    unit: str = "short"
    none: Text = "no data"
    steps: tuple[Step, ...] = ()
    words: tuple[Word, ...] = ()
    goal: Goal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat(Panel):
    """A few big values."""

    names: bool = False  # beside the values
    fills: bool = True  # the background has the colour, not only the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Panel):
    """Values over time."""

    stacked: bool = False
    bars: bool = False
    floor: float | None = 0
    ceiling: float | None = None
    dashed: str = ""  # the series with this name are a limit, not a measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(Panel):
    """States over time, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Panel):
    """The worst few, longest first."""

    ceiling: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A label, or with `query` the value of that query (A, B …)."""

    title: Text
    label: str = ""
    query: str = ""
    unit: str = ""
    width: int = 0
    words: tuple[Word, ...] = ()
    names: Mapping[str, Text] = field(default_factory=dict)  # what is shown for a label's value
    steps: tuple[Step, ...] = ()
    none: Text = ""
    wraps: bool = False  # long texts go on in the next line
    goals: tuple[Goal, ...] = ()
    page: str = ""  # the link to this page of mailprobe's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """Rows of labels and values; queries with the same labels share a row."""

    columns: tuple[Column, ...]
    sort: Text = ""
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A question, and the panels that answer it."""

    title: Text
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard."""

    uid: str
    title: Text
    about: Text
    rows: tuple[Row, ...]
