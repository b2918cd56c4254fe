"""Schedules the runs of all targets: one loop over a heap of start times.

It starts each run at its interval, within the limits, and passes the Result to the sinks (outputs and incidents). A run
never starts while the previous run of the same target is still going on.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Protocol

from exporter.model import Outcome, Phase, ProbeName, Result, Target, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.model.settings import Limits
from exporter.run.flips import Flips
from exporter.run.gate import Gate
from exporter.run.timing import fraction, next_start, recheck_start, second_start, spread_of

__all__ = ["Interrupted", "Limits", "Scheduler", "SchedulerMetrics", "Sink"]

ALIVE_EVERY = 4.0  # longest time in seconds between two watchdog signals
LAG_EVERY = 0.5  # seconds between two measurements of the event loop's lag
STOP_WITHIN = 3.0  # seconds that runs get to clean up
BATCH = 100  # runs started before the event loop continues with other work
CUT_OFF = "the target was changed or removed, or the daemon stops"

logger = logger_of(__name__)


class Runs(Protocol):
    """The part of `Runner` that the scheduler needs."""

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result: ...


class Sink(Protocol):
    """Receives the results. Called on the event loop, so it must be fast."""

    def record(self, result: Result, /) -> None: ...


class SchedulerMetrics(Protocol):
    """Receives the scheduler's own measurements."""

    def skipped(self, probe: ProbeName, reason: str, /) -> None: ...

    def delay(self, seconds: float, /) -> None: ...

    def lag(self, seconds: float, /) -> None: ...

    def in_progress(self, probe: ProbeName, delta: int, /) -> None: ...


class Interrupted(Exception):
    """The requested run did not finish: its target changed, or the daemon is stopping."""


class _Entry:
    """A target and its schedule. Times are `time.monotonic()` seconds."""

    __slots__ = ("due", "failures", "gone", "interval", "recheck", "second", "target", "task", "waits_for")

    def __init__(self, target: Target, interval: float, first: float, second: float) -> None:
        self.target = target
        self.interval = interval
        self.due = first
        self.second: float | None = second
        self.recheck: float | None = None
        self.failures = 0  # conclusive failures in a row
        self.task: asyncio.Task[Result] | None = None
        self.waits_for: str | None = None  # the server for whose slot it waits
        self.gone = False

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()


class Scheduler:
    """Starts runs at fixed intervals. `run` is the loop; `load` may be called before it and at any time."""

    def __init__(
        self,
        runner: Runs,
        sinks: Sequence[Sink],
        *,
        watcher: SchedulerMetrics,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.runner = runner  # may be replaced; running probes finish with the old one
        self._sinks = sinks
        self._limits = Limits()
        self._watcher = watcher
        self._alive = alive
        self._gate = Gate(self._limits)
        self._flips = Flips()
        self._entries: dict[TargetKey, _Entry] = {}
        self._heap: list[tuple[float, int, _Entry, bool]] = []  # (start time, tie-breaker, entry, is a recheck)
        self._numbers = itertools.count()
        self._tasks: dict[asyncio.Task[Result], Target] = {}
        self._guests: dict[TargetKey, asyncio.Task[Result]] = {}  # runs on demand of targets that are not scheduled
        self._wake = asyncio.Event()
        self._stopping = False

    def load(self, config: EffectiveConfig) -> None:
        """Set the targets. Unchanged ones keep their schedule, changed ones start again, missing ones end.

        New limits apply to runs that start from now on.
        """
        if config.limits != self._limits:
            self._limits = config.limits
            self._gate = Gate(config.limits)
        self._flips.load(config)
        wanted = {target.key: target for target in config.targets}
        for key, entry in list(self._entries.items()):
            if wanted.get(key) == entry.target:
                entry.interval = config.interval(entry.target)
                continue
            entry.gone = True
            if entry.task is not None:
                entry.task.cancel()
            del self._entries[key]
        self._heap = [item for item in self._heap if not item[2].gone]
        heapq.heapify(self._heap)
        self._gate.forget_all_but({server for target in config.targets for server in target.servers})
        newcomers = [target for key, target in wanted.items() if key not in self._entries]
        now = time.monotonic()
        for target in newcomers:
            interval, part = config.interval(target), fraction(target.key)
            spread = spread_of(len(newcomers), interval, config.spreads.get(target.key, 0.0))
            first = now + part * spread
            entry = _Entry(target, interval, first, second_start(first, part, spread, interval))
            self._entries[target.key] = entry
            self._push(first, entry)
        self._wake.set()

    async def run(self) -> None:
        """Start what is due, until `stop`."""
        loop = asyncio.get_running_loop()
        watching = asyncio.create_task(self._watch_lag())
        try:
            while not self._stopping:
                self._alive()
                self._wake.clear()
                wait = self._fire_due()
                if wait <= 0:
                    await asyncio.sleep(0)
                    continue
                # Timers have a resolution of a millisecond: a shorter one would only use CPU.
                timer = loop.call_later(max(0.001, min(wait, ALIVE_EVERY)), self._wake.set)
                try:
                    await self._wake.wait()
                finally:
                    timer.cancel()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def stop(self) -> None:
        """End the loop and every run. Returns when they have cleaned up, or after STOP_WITHIN seconds."""
        self._stopping = True
        self._wake.set()
        tasks = dict(self._tasks)
        for task, target in tasks.items():
            task.cancel()
            self._watcher.skipped(target.probe, "shutdown")
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_WITHIN)

    async def run_now(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        """Run a target now, within the limits, or join its run that is in progress.

        A run in progress with other settings (a shorter wait for the mail, for example) is waited for first. The
        schedule does not change. Raises Interrupted.
        """
        while True:
            if self._stopping:
                raise Interrupted("the daemon stops")
            entry = self._entries.get(target.key)
            task = self._guests.get(target.key) if entry is None else entry.task
            if task is None or task.done() or self._tasks.get(task) == target:
                break
            await asyncio.wait([task])
            if entry is not None and entry.gone:
                raise Interrupted(CUT_OFF)
        if task is None or task.done():
            if entry is not None:
                task = self._start(entry, target, None, on_progress)
            else:
                task = self._guests[target.key] = self._spawn(self._once(None, target, None, on_progress), target)
        await asyncio.wait([task])  # not `await task`: if the caller leaves, the run continues
        if task.cancelled():
            raise Interrupted(CUT_OFF)
        return task.result()

    # ---------------------------------------------------------------------------------------------------------------

    def _push(self, when: float, entry: _Entry, *, recheck: bool = False) -> None:
        heapq.heappush(self._heap, (when, next(self._numbers), entry, recheck))

    def _fire_due(self) -> float:
        """Start what is due, at most one batch. Returns the seconds until the next start."""
        for _ in range(BATCH):
            now = time.monotonic()
            if not self._heap:
                return ALIVE_EVERY
            when, _, entry, recheck = self._heap[0]
            if when > now:
                return when - now
            heapq.heappop(self._heap)
            if not recheck:
                self._beat(entry, when, now)
            elif entry.recheck == when:
                entry.recheck = None
                if not entry.busy:
                    self._start(entry, entry.target, when, None)
        return 0.0

    def _beat(self, entry: _Entry, when: float, now: float) -> None:
        base = when if entry.second is None else entry.second
        entry.due = base if base > now else next_start(base, entry.interval, now)
        entry.second = None
        self._push(entry.due, entry)
        if entry.busy:
            self._watcher.skipped(entry.target.probe, "host_limit" if entry.waits_for else "overlap")
        else:
            self._start(entry, entry.target, when, None)

    def _start(
        self, entry: _Entry, target: Target, due: float | None, on_progress: Callable[[Phase], None] | None
    ) -> asyncio.Task[Result]:
        entry.waits_for = None
        entry.task = self._spawn(self._once(entry, target, due, on_progress), target)
        return entry.task

    def _spawn(self, run: Coroutine[None, None, Result], target: Target) -> asyncio.Task[Result]:
        task = asyncio.create_task(run, name=f"{target.probe} {target.name}")
        self._tasks[task] = target
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Result]) -> None:
        target = self._tasks.pop(task)
        if self._guests.get(target.key) is task:
            del self._guests[target.key]
        if not task.cancelled() and task.exception() is not None:
            logger.error("bug in the runner: %s", task.get_name(), exc_info=task.exception())

    async def _once(
        self,
        entry: _Entry | None,
        target: Target,
        due: float | None,
        on_progress: Callable[[Phase], None] | None,
    ) -> Result:
        def waits_for(server: str) -> None:
            if entry is not None:
                entry.waits_for = server

        async with self._gate.slot(target.servers, waits_for):
            if entry is not None:
                entry.waits_for = None
            if due is not None:
                self._watcher.delay(max(0.0, time.monotonic() - due))
            self._watcher.in_progress(target.probe, 1)
            try:
                result = await self.runner.run(target, on_progress=on_progress)
            finally:
                self._watcher.in_progress(target.probe, -1)
        if entry is None or not entry.gone:
            self._record(result)
        if entry is not None and not entry.gone:
            self._look_again(entry, result)
        return result

    def _record(self, result: Result) -> None:
        for sink in self._sinks:
            try:
                sink.record(result)
            except Exception:
                logger.exception("bug: %s did not take a result of %s", type(sink).__name__, result.target.name)

    def _look_again(self, entry: _Entry, result: Result) -> None:
        if result.outcome is Outcome.OK:
            entry.failures = 0
            entry.recheck = None
        elif result.outcome is Outcome.FAILED:
            entry.failures += 1
        now = time.monotonic()
        at = recheck_start(result, entry.failures, now, entry.due)
        if at is not None and entry.recheck is None:
            self._recheck(entry, at)
        for key, delay in self._flips.see(result, now):
            other = self._entries.get(key)
            if other is not None and other is not entry and now + delay < min(other.due, other.recheck or other.due):
                self._recheck(other, now + delay)

    def _recheck(self, entry: _Entry, at: float) -> None:
        entry.recheck = at
        self._push(at, entry, recheck=True)
        self._wake.set()

    async def _watch_lag(self) -> None:
        while True:
            due = time.perf_counter() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            self._watcher.lag(max(0.0, time.perf_counter() - due))
