"""The data types of a dashboard before it is translated: pages of rows of panels.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Both:
    """A text with both languages. Every other text is English and is translated with the catalogue."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True, init=False)
class Filled:
    """An English text with `{}` for numbers that are defined elsewhere."""

    text: str
    values: tuple[object, ...]

    def __init__(self, text: str, *values: object) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", values)


Text = str | Both | Filled


@dataclass(frozen=True, slots=True)
class Step:
    """The colour of a panel from `value` on (None: from the start)."""

    value: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class Word:
    """The text that is shown for numbers from `low` to `high`."""

    low: float
    high: float
    text: Text
    colour: str


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression. `instant`: only the value at the end of the time range."""

    expr: str
    legend: Text = ""  # with placeholders {{label}}; the same in each language unless it is in the catalogue
    instant: bool = False
    exemplars: bool = False
    colour: str = ""


class Goal(StrEnum):
    """The dashboard of ours that a name on a panel links to."""

    MAILBOX = "mailprobe-mailbox"
    ROUNDTRIP = "mailprobe-roundtrip"
    EXPORTER = "mailprobe-exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The fields of every panel. `shows`, `bad` and the alerts that watch it become the description."""

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
    """A few large values."""

    names: bool = False  # shown next to the values
    fills: bool = True  # the colour fills the background, not only the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines(Panel):
    """Values over time."""

    stacked: bool = False
    bars: bool = False
    floor: float | None = 0
    ceiling: float | None = None
    dashed: str = ""  # the series with this name is a limit, not a measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(Panel):
    """States over time, as texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars(Panel):
    """The worst few values, longest bar first."""

    ceiling: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A label, or, if `query` is set, the value of that query (A, B …)."""

    title: Text
    label: str = ""
    query: str = ""
    unit: str = ""
    width: int = 0
    words: tuple[Word, ...] = ()
    names: Mapping[str, Text] = field(default_factory=dict)  # the text for each value of a label
    steps: tuple[Step, ...] = ()
    none: Text = ""
    wraps: bool = False  # long texts are wrapped
    goals: tuple[Goal, ...] = ()
    page: str = ""  # link to this page of mailprobe


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Panel):
    """Rows of labels and values. The results of queries with the same labels share a row."""

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
