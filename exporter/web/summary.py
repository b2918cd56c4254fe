"""What the pages show, made ready for the templates: states, times and sizes in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from exporter.history import History, Run
from exporter.metrics import Metrics
from exporter.model import FactName, Line, Outcome, ProbeName, Result, Target
from exporter.reasons import about
from exporter.series import LEAST_AGE
from exporter.web.words import Words

STATES = ("failed", "stale", "inconclusive", "waiting", "ok")
"""In the order in which they are shown."""

_TIMES = frozenset(
    {
        FactName.CERT_NOT_BEFORE,
        FactName.CERT_NOT_AFTER,
        FactName.CHAIN_NOT_AFTER,
        FactName.FOLDER_NEWEST,
        FactName.DNS_LAST_CHANGE,
        FactName.ROUNDTRIP_OLDEST_IN_FLIGHT,
    }
)
_SIZES = frozenset(
    {FactName.QUOTA_USED_BYTES, FactName.QUOTA_LIMIT_BYTES, FactName.MAILDROP_BYTES, FactName.SMTP_SIZE_LIMIT}
)
_SPANS = frozenset({FactName.DNS_LOOKUP_SECONDS, FactName.ROUNDTRIP_RECEIVED, FactName.ROUNDTRIP_HOP_DELAY})


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for people, and for machines."""

    iso: str
    text: str
    ago: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a check fails."""

    reason: str  # the word of the label
    phase: str
    text: str
    quoted: bool  # the text is the server's literal words
    answer_to: str  # the protocol whose login got them, where it is not this one
    remedy: str
    waiting_helps: bool
    suspended_until: str
    ambiguous: tuple[tuple[str, str], ...] = ()  # (reason, what to do), where the words have several causes


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the status table."""

    name: str
    path: str
    kind: str
    probe: ProbeName
    state: str
    since: Moment | None
    took: str
    finding: Finding | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The status page."""

    rows: tuple[Row, ...]
    counts: dict[str, int]
    at: Moment
    zone: str  # of the times shown


@dataclass(frozen=True, slots=True)
class Bar:
    """A step of a run, drawn from `start` to `start + width` on a scale of 0 to 100."""

    name: str
    took: str
    start: float
    width: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """One probe of a target."""

    row: Row
    result: Result | None
    last_run: Moment | None
    interval: str
    bars: tuple[Bar, ...]
    facts: tuple[tuple[str, str], ...]
    runs: tuple[tuple[Run, Moment, str], ...]
    transcript: tuple[Line, ...]


def overview(targets: Sequence[Target], history: History, metrics: Metrics, words: Words, now: float) -> Overview:
    """All rows, what fails first and among that what began last."""
    sortable = []
    counts = dict.fromkeys(STATES, 0)
    for target in targets:
        row = row_of(target, history, metrics, words, now)
        counts[row.state] += 1
        began = -(history.since(target.key) or 0) if row.state == "failed" else 0
        sortable.append(((STATES.index(row.state), began, row.name, row.probe), row))
    sortable.sort(key=lambda pair: pair[0])
    return Overview(tuple(row for _, row in sortable), counts, moment(now, now, words), zone(now))


def row_of(target: Target, history: History, metrics: Metrics, words: Words, now: float) -> Row:
    last, verdict = history.last(target.key), history.last_conclusive(target.key)
    state = state_of(last, verdict, metrics.interval(target.key), now)
    shown = verdict if state == "failed" else last if state == "inconclusive" else None
    since = history.since(target.key)
    return Row(
        target.name,
        quote(target.name, safe=""),
        target.kind,
        target.probe,
        state,
        moment(since, now, words) if since is not None else None,
        duration(last.duration) if last is not None else "",
        finding_of(shown, words, now) if shown is not None else None,
    )


def state_of(last: Result | None, verdict: Result | None, interval: float, now: float) -> str:
    """An inconclusive run after a conclusive one leaves its verdict standing, as in the metrics."""
    if last is None:
        return "waiting"
    if now - last.started - last.duration > max(5 * interval, LEAST_AGE):
        return "stale"
    if verdict is None:
        return "inconclusive"
    return "ok" if verdict.outcome is Outcome.OK else "failed"


def finding_of(result: Result, words: Words, now: float) -> Finding | None:
    failure = result.failure
    if failure is None:
        return None
    known = about(failure.reason)
    chinese = words.language == "zh"
    causes = ((cause, about(cause)) for cause in failure.ambiguous)
    until = moment(result.login_next_attempt, now, words).text if result.login_next_attempt else ""
    return Finding(
        failure.reason,
        failure.phase or "",
        failure.text,
        failure.quoted,
        failure.answer_to if failure.answer_to and str(failure.answer_to) != result.target.probe else "",
        known.remedy_zh if chinese else known.remedy_en,
        known.waiting_helps,
        until if result.login_suspended else "",
        tuple((str(cause), each.remedy_zh if chinese else each.remedy_en) for cause, each in causes),
    )


def details(
    targets: Sequence[Target], history: History, metrics: Metrics, words: Words, now: float
) -> tuple[Detail, ...]:
    return tuple(_detail(target, history, metrics, words, now) for target in targets)


def _detail(target: Target, history: History, metrics: Metrics, words: Words, now: float) -> Detail:
    last = history.last(target.key)
    runs = tuple((run, moment(run.started, now, words), duration(run.duration)) for run in history.runs(target.key))
    return Detail(
        row_of(target, history, metrics, words, now),
        last,
        moment(last.started, now, words) if last else None,
        words.span(metrics.interval(target.key)),
        bars(last) if last else (),
        facts(last, now, words) if last else (),
        runs,
        tuple(last.transcript) if last else (),
    )


def certificates(target: Target, everything: Sequence[Target]) -> tuple[tuple[str, str], ...]:
    """(name, path) of the `tls` targets of a target's servers: there the certificates' names and dates are."""
    if target.probe is ProbeName.TLS:
        return ()
    return tuple(
        (other.name, quote(other.name, safe=""))
        for other in everything
        if other.probe is ProbeName.TLS and set(other.servers) & set(target.servers)
    )


def bars(result: Result) -> tuple[Bar, ...]:
    """The steps one after the other, as a waterfall."""
    total = sum(seconds for _, seconds in result.phases) or 1.0
    found, at = [], 0.0
    for phase, seconds in result.phases:
        failed = result.failure is not None and result.failure.phase is phase
        start, width = 100 * at / total, max(100 * seconds / total, 0.6)
        found.append(Bar(phase, duration(seconds), round(min(start, 99.4), 2), round(width, 2), failed))
        at += seconds
    return tuple(found)


def facts(result: Result, now: float, words: Words) -> tuple[tuple[str, str], ...]:
    """Names and values as people read them."""
    return tuple(
        (
            " · ".join((fact.name.replace("_", " "), *fact.labels)),
            fact.value if isinstance(fact.value, str) else _number(fact.name, fact.value, now, words),
        )
        for fact in result.facts
    )


def _number(name: FactName, value: float, now: float, words: Words) -> str:
    if name in _TIMES:
        return moment(value, now, words).text if value else "–"
    if name in _SIZES:
        return size(value)
    if name in _SPANS:
        return duration(value)
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"


def moment(at: float, now: float, words: Words) -> Moment:
    """In the server's time zone; the day is left out while it is today's."""
    local, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    text = local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M")
    return Moment(local.isoformat(timespec="seconds"), text, words("ago", span=words.span(max(now - at, 0))))


def zone(at: float) -> str:
    """The server's time zone as its distance from UTC: names like CST are several zones'."""
    return timezone(datetime.fromtimestamp(at).astimezone().utcoffset() or timedelta()).tzname(None)


def duration(seconds: float) -> str:
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def size(octets: float) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if octets >= scale:
            return re.sub(r"\.0\b", "", f"{octets / scale:.1f} {unit}")
    return f"{octets:.0f} B"
