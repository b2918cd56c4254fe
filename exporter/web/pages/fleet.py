"""A snapshot of all targets for the status page: the state of each one, filtered, sorted and paged.

Evaluating thousands of targets takes tens of milliseconds. Therefore only targets with a new result are evaluated
again, and one snapshot is shared by all readers until it is too old.
"""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from exporter.model import Outcome, Result, Target, TargetKey
from exporter.model.effective import IntervalOf
from exporter.model.staleness import lifetime
from exporter.outputs.history import History
from exporter.web.pages.filters import UNKNOWN, Filters

STATES = ("failed", "stale", "inconclusive", "waiting", "ok")
"""States in the order on the page. The state of a target is the first one that any of its probes has."""

FAILED, STALE, INCONCLUSIVE, WAITING, OK = range(len(STATES))
MAX_CHOICES = 200  # limit of values of a filter
BREATHE = 250  # number of targets after which other threads may run
CHEAP = 0.005  # seconds; a snapshot that took less is not cached
SHARE = 20  # a snapshot is cached for this many times the time it took

_DIGITS = re.compile(r"\d+")


class Entry(NamedTuple):
    """A target with its probes, and the texts by which filters find it."""

    name: str
    probes: tuple[
        tuple[TargetKey, Target], ...
    ]  # with keys, which are computed once because a snapshot needs all of thousands
    labels: tuple[str, ...]  # for example team=export
    text: str  # the text in which words of the filter are searched
    order: tuple[str, str]  # sort key by name

    @property
    def first(self) -> Target:
        return self.probes[0][1]


class TargetState(NamedTuple):
    """The current state of a target."""

    entry: Entry
    rank: int  # index of its state in STATES
    since: float  # Unix time at which the state began; 0 = unknown
    took: float  # duration of the last run of its slowest probe, in seconds


class _Kept(NamedTuple):
    """The cached state of a target."""

    state: TargetState
    seen: Sequence[Result | None]  # the last result of each probe, from which the state was computed
    until: float  # Unix time until which no result becomes stale


class Snapshot(NamedTuple):
    """The states of all targets at one time, failures first."""

    targets: Sequence[TargetState]
    counts: Mapping[str, int]  # number of targets by state
    at: float  # Unix time


class Fleet:
    """The targets of one configuration."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = targets
        probes: dict[str, list[Target]] = {}
        for target in targets:
            probes.setdefault(target.name, []).append(target)
        entries = [_entry(name, each) for name, each in probes.items()]
        self.entries = sorted(entries, key=lambda each: each.order)
        self._kept: list[_Kept | None] = [None] * len(entries)
        self._overtaken: set[str] = set()  # names of the targets with such a result at the last look
        self._keys = [key for each in self.entries for key, _ in each.probes]
        ends = list(itertools.accumulate(len(each.probes) for each in self.entries))
        self._own = [slice(start, end) for start, end in itertools.pairwise([0, *ends])]  # slices of _keys
        first = [each.first for each in entries]
        self.kinds = _choices(str(each.kind) for each in first)
        self.providers = _choices(each.provider for each in first)
        self.labels = _choices(label for each in entries for label in each.labels)
        self.some_unrecognised = not all(each.provider for each in first)

    def look(self, history: History, interval_of: IntervalOf, now: float) -> Snapshot:
        """Return a snapshot: failures first, the latest first; other targets by name. `now` is Unix time."""
        states: list[list[TargetState]] = [[] for _ in STATES]
        lasts = history.lasts(self._keys)
        overtaken = {name for name, _ in history.overtaken}
        changed, self._overtaken = overtaken ^ self._overtaken, overtaken
        for number, (entry, own) in enumerate(zip(self.entries, self._own, strict=True)):
            seen = lasts[own]
            kept = self._kept[number]
            if kept is None or kept.seen != seen or now > kept.until or entry.name in changed:
                found = target_state(entry, history, interval_of, now)
                kept = self._kept[number] = _Kept(found, seen, _true_until(entry, seen, interval_of, now))
            states[kept.state.rank].append(kept.state)
            if number % BREATHE == 0:
                time.sleep(0)
        states[FAILED].sort(key=lambda each: -each.since)
        counts = {name: len(found) for name, found in zip(STATES, states, strict=True)}
        return Snapshot([each for state in states for each in state], counts, now)


class SnapshotCache:
    """Caches the snapshot for the pages of one server. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._fleet = Fleet(())
        self._look: Snapshot | None = None
        self._until = 0.0  # time of `clock` until which the snapshot is used

    def look(self, targets: Sequence[Target], history: History, interval_of: IntervalOf) -> tuple[Fleet, Snapshot]:
        with self._lock:
            if self._fleet.targets is not targets:
                self._fleet, self._look = Fleet(targets), None
            if self._look is None or self._clock() >= self._until:
                began = self._clock()
                self._look = self._fleet.look(history, interval_of, time.time())
                ended = self._clock()
                took = ended - began
                self._until = ended + SHARE * took if took >= CHEAP else 0.0
            return self._fleet, self._look

    def forget(self) -> None:
        """Drop the cached snapshot."""
        with self._lock:
            self._look = None


def target_state(entry: Entry, history: History, interval_of: IntervalOf, now: float) -> TargetState:
    """Return the worst of the probes' states, when it began, and the duration of the slowest run."""
    rank, since, took = OK, 0.0, 0.0
    for key, target in entry.probes:
        past = history.standing(key)
        if past is None:
            state, began = WAITING, 0.0
        else:
            last, verdict, began = past
            state = state_of(target, last, verdict, interval_of, now)
            if state == OK and key in history.overtaken:
                state, began = STALE, history.overtaken[key]
            if last.duration > took:  # noqa: PLR1730 - max() would take a tenth of the time for thousands of targets
                took = last.duration
        if state < rank:
            rank, since = state, began
        elif state == rank and began:
            # A target fails since its first probe fails, and works since its last probe works.
            since = max(since, began) if state == OK else min(since or began, began)
    return TargetState(entry, rank, since, took)


def _true_until(entry: Entry, seen: Sequence[Result | None], interval_of: IntervalOf, now: float) -> float:
    """Return the Unix time until which no other result becomes stale."""
    until = float("inf")
    for (_, target), last in zip(entry.probes, seen, strict=True):
        if last is not None:
            end = last.started + last.duration + lifetime(interval_of(target))
            if now <= end < until:
                until = end
    return until


def state_of(target: Target, last: Result, verdict: Result | None, interval_of: IntervalOf, now: float) -> int:
    """Return the index in STATES. As in the metrics, an inconclusive run does not change the last verdict."""
    if now - last.started - last.duration > lifetime(interval_of(target)):
        return STALE
    if verdict is None:
        return INCONCLUSIVE
    return OK if verdict.outcome is Outcome.OK else FAILED


def select(
    look: Snapshot, filters: Filters, names: Collection[str] | None = None
) -> tuple[list[TargetState], dict[str, int]]:
    """Return the matching targets, sorted, and the number of matching targets by state.

    The numbers do not depend on the filter by state. If `names` is given, only these targets match.
    """
    if names is None and not filters.narrow:
        found, counts = list(look.targets), dict(look.counts)
    else:
        wanted = (each for each in look.targets if names is None or each.entry.name in names)
        found = [each for each in wanted if matches(each.entry, filters)]
        counted = Counter(each.rank for each in found)
        counts = {state: counted[rank] for rank, state in enumerate(STATES)}
    if filters.state:
        rank = STATES.index(filters.state)
        found = [each for each in found if each.rank == rank]
    key = _KEYS.get(filters.sort.removeprefix("-"))
    if key is not None:
        found.sort(key=lambda each: (key(each), each.entry.order))
    if filters.sort.startswith("-"):
        found.reverse()
    return found, counts


def matches(entry: Entry, filters: Filters) -> bool:
    """Return whether a target matches all filters except state and cause."""
    first = entry.first
    return (
        (not filters.kind or first.kind == filters.kind)
        and (not filters.provider or (first.provider or UNKNOWN) == filters.provider)
        and (not filters.label or filters.label in entry.labels)
        and all(word in entry.text for word in filters.words)
    )


_KEYS: Mapping[str, Callable[[TargetState], Any]] = {
    "name": lambda each: each.entry.order,
    "provider": lambda each: (not each.entry.first.provider, each.entry.first.provider.casefold()),
    "since": lambda each: -each.since,
    "took": lambda each: -each.took,
}
"""Sort keys in addition to the state, by which the snapshot is already sorted."""


def _entry(name: str, probes: Sequence[Target]) -> Entry:
    first = probes[0]
    labels = tuple(f"{label}={value}" for label, value in first.labels)
    servers = {server for probe in probes for server in probe.servers}
    text = "\n".join((name, first.provider, first.domain, *labels, *sorted(servers)))
    return Entry(name, tuple((probe.key, probe) for probe in probes), labels, text.casefold(), (_natural(name), name))


def _natural(name: str) -> str:
    """Return a sort key that puts box2 before box10."""
    return _DIGITS.sub(lambda digits: digits[0].zfill(8), name.casefold())


def _choices(values: Iterable[str]) -> tuple[str, ...]:
    """Return the MAX_CHOICES most frequent values in alphabetical order."""
    counted = Counter(each for each in values if each)
    return tuple(sorted(each for each, _ in counted.most_common(MAX_CHOICES)))
