"""Prepares the page of one target for its template: steps, recent runs, facts, transcript, and its dependencies."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model import FactName, Line, Outcome, ProbeName, Result, Target
from exporter.model.zones import in_zone
from exporter.outputs.history import RUNS, Run
from exporter.web.pages.facts import Group, groups
from exporter.web.pages.fleet import STATES
from exporter.web.pages.formatting import Moment, duration, moment
from exporter.web.pages.rows import Check, Known, check_of, path_of
from exporter.web.pages.words import Words

WIDTH, HEIGHT = 600, 44  # size of the latency chart in SVG units
ASKED_FOR = 3600.0  # seconds for which the page shows a requested run
MAX_RELATED = 12
_PERCENTILE_FROM = 10  # minimum of successful runs for a percentile


@dataclass(frozen=True, slots=True)
class Bar:
    """A phase of a run, drawn from `start` to `start + width` on a scale of 0 to 100."""

    name: str
    took: str
    start: float
    width: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """A run in the timeline."""

    x: float
    width: float
    outcome: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Recent runs, oldest first: outcomes as cells, latencies as a line."""

    cells: tuple[Cell, ...]
    line: str  # points of a polyline; "" if too few runs succeeded
    working: int
    total: int
    middle: str  # median latency of successful runs
    slow: str  # 95th percentile; "" if there are too few runs
    top: str  # latency at the upper edge of the chart
    first: Moment
    last: Moment


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that the reader has requested."""

    at: Moment
    done: Moment | None  # when it ended; None: it is in progress


@dataclass(frozen=True, slots=True)
class Detail:
    """What the page shows about one probe of a target."""

    check: Check
    result: Result | None
    since: Moment | None
    last_run: Moment | None
    interval: str
    bars: tuple[Bar, ...]
    groups: tuple[Group, ...]
    chart: Chart | None
    runs: tuple[tuple[Run, Moment, str], ...]  # newest first
    transcript: tuple[Line, ...]
    asked: Asked | None


@dataclass(frozen=True, slots=True)
class Related:
    """Another target that this one depends on."""

    name: str
    path: str
    state: str
    reason: str
    note: str


def details(targets: Sequence[Target], known: Known, asked: tuple[str, float] = ("", 0.0)) -> tuple[Detail, ...]:
    """Return the details of each probe. `asked` is the probe of a requested run, and its Unix time."""
    return tuple(_detail(target, known, asked[1] if asked[0] == target.probe else 0.0) for target in targets)


def _detail(target: Target, known: Known, asked: float) -> Detail:
    history, words, now = known.history, known.words, known.now
    last, since = history.last(target.key), history.since(target.key)
    runs = tuple((run, moment(run.started, now, words), duration(run.duration)) for run in history.runs(target.key))
    return Detail(
        check_of(target, known),
        last,
        moment(since, now, words) if since else None,
        moment(last.started, now, words) if last else None,
        words.span(known.interval_of(target)),
        bars(last) if last else (),
        groups(last, words, now) if last else (),
        chart(runs, words),
        runs,
        tuple(last.transcript) if last else (),
        _asked(last, asked, words, now) if 0 <= now - asked < ASKED_FOR else None,
    )


def _asked(last: Result | None, asked: float, words: Words, now: float) -> Asked:
    ended = last.started + last.duration if last is not None else 0.0
    return Asked(moment(asked, now, words), moment(ended, now, words) if ended >= asked else None)


def bars(result: Result) -> tuple[Bar, ...]:
    """Return the phases one after the other, as a waterfall chart."""
    total = sum(seconds for _, seconds in result.phases) or 1.0
    found, at = [], 0.0
    for phase, seconds in result.phases:
        failed = result.failure is not None and result.failure.phase is phase
        start, width = 100 * at / total, max(100 * seconds / total, 0.6)
        found.append(Bar(phase, duration(seconds), round(min(start, 99.4), 2), round(width, 2), failed))
        at += seconds
    return tuple(found)


def chart(runs: Sequence[tuple[Run, Moment, str]], words: Words) -> Chart | None:
    """Return the chart; None if there are fewer than two runs, because the page describes a single run in words."""
    if len(runs) < 2:
        return None
    step, shift = WIDTH / RUNS, RUNS - len(runs)  # a fixed scale, with the newest run at the right edge
    latencies = [run.duration for run, _, _ in runs if run.outcome is Outcome.OK]
    top = max(latencies, default=0.0)
    cells, points = [], []
    for number, (run, at, took) in enumerate(reversed(runs), shift):
        reason = f" · {words.reason(run.reason)}" if run.reason else ""
        title = f"{at.whole} · {words(run.outcome)}{reason} · {took}"
        cells.append(Cell(round(number * step, 1), round(max(step - 2, 1.0), 1), run.outcome, title))
        if run.outcome is Outcome.OK and top:
            height = HEIGHT - 2 - (HEIGHT - 6) * run.duration / top
            points.append(f"{(number + 0.5) * step:.1f},{height:.1f}")
    slow = statistics.quantiles(latencies, n=20)[-1] if len(latencies) >= _PERCENTILE_FROM else None
    return Chart(
        tuple(cells),
        " ".join(points) if len(points) > 1 else "",
        len(latencies),
        len(runs),
        duration(statistics.median(latencies)) if latencies else "",
        duration(min(slow, top)) if slow is not None else "",
        duration(top) if top else "",
        runs[-1][1],
        runs[0][1],
    )


def related(own: Sequence[Target], everything: Sequence[Target], known: Known) -> tuple[Related, ...]:
    """Return the monitored servers, domains and mailboxes that a target depends on, each with its state."""
    servers = {server for target in own for server in target.servers}
    domains = {target.domain for target in own if target.domain}
    ends = {end for target in own for end in target.route or ()}
    needed: dict[str, list[Target]] = {}
    for other in everything:
        if other.name != own[0].name and (
            (other.probe is ProbeName.TLS and not servers.isdisjoint(other.servers))
            or (other.probe is ProbeName.DNS and other.domain in domains)
            or (other.name in ends and other.probe is not ProbeName.ROUNDTRIP)
        ):
            needed.setdefault(other.name, []).append(other)
    return tuple(_related(each, known) for each in list(needed.values())[:MAX_RELATED])


def _related(targets: Sequence[Target], known: Known) -> Related:
    """Return the worst state of its probes, and when its certificate expires."""
    checks = [check_of(target, known) for target in targets]
    worst = min(checks, key=lambda check: STATES.index(check.state))
    last = known.history.last(targets[0].key)
    expires = last.fact(FactName.CERT_NOT_AFTER) if last is not None else None
    note = (
        ""
        if expires is None or isinstance(expires, str)
        else known.words("certificate_until", date=_day(expires, known.words))
    )
    reason = worst.finding.reason if worst.finding else ""
    return Related(targets[0].name, path_of(targets[0].name), worst.state, reason, note)


def _day(at: float, words: Words) -> str:
    return in_zone(at, words.zone).strftime("%Y-%m-%d")
