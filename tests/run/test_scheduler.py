"""Tests of the scheduler: intervals, limits, overlap, rechecks, reload, stop. They do not measure time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable

import pytest

from exporter.model import Failure, Kind, Outcome, Phase, ProbeName, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.settings import Limits
from exporter.run import scheduler as schedule
from exporter.run.gate import Gate
from exporter.run.scheduler import Interrupted, Scheduler

BEAT = 0.02


def target(name: str = "a", interval: float = BEAT, **more: object) -> Target:
    made = Target(name, Kind.MAILBOX, ProbeName.IMAP, None, interval, 20.0, 20.0, recheck=0.005)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]  # the fields of a Target, as each test needs them


class Clinic:
    """A runner, a sink and a watcher. Runs last until the test releases them, and everything is counted."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []  # of the next runs; OK when used up
        self.refused = False
        self.hold = False
        self.release = asyncio.Event()
        self.started: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.most = 0
        self.cancelled: list[str] = []
        self.results: list[Result] = []
        self.skips: list[tuple[ProbeName, str]] = []
        self.delays: list[float] = []
        self.lags: list[float] = []
        self.gauge = 0
        self.signs_of_life = 0
        self._changed = asyncio.Event()

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        self.started[target.name] += 1
        self.running[target.name] += 1
        self.most = max(self.most, self.running.total())
        self._tell()
        if on_progress is not None:
            on_progress(Phase.CONNECT)
        try:
            await (self.release.wait() if self.hold else asyncio.sleep(0))
        except asyncio.CancelledError:
            self.cancelled.append(target.name)
            raise
        finally:
            self.running[target.name] -= 1
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.OK
        failure = None if outcome is Outcome.OK else Failure(Phase.LOGIN, Reason.TIMEOUT)
        return Result(target, "0" * 12, 0.0, 0.0, outcome, failure=failure, login_refused=self.refused)

    def record(self, result: Result) -> None:
        self.results.append(result)
        self._tell()

    def skipped(self, probe: ProbeName, reason: str) -> None:
        self.skips.append((probe, reason))
        self._tell()

    def delay(self, seconds: float) -> None:
        self.delays.append(seconds)

    def lag(self, seconds: float) -> None:
        self.lags.append(seconds)
        self._tell()

    def in_progress(self, probe: ProbeName, delta: int) -> None:
        self.gauge += delta

    def alive(self) -> None:
        self.signs_of_life += 1
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what is awaited; the test's own limit is the bound."""
        while not condition():
            await self._changed.wait()


@pytest.fixture
async def clinic(monkeypatch):
    monkeypatch.setattr("exporter.run.timing.SOON", 0.005)
    monkeypatch.setattr(schedule, "LAG_EVERY", 0.01)
    return Clinic()


@pytest.fixture
async def make(clinic):
    """A running scheduler over the clinic, stopped at the end."""
    made: list[tuple[Scheduler, asyncio.Task[None]]] = []

    def start(*targets: Target, limits: Limits | None = None) -> Scheduler:
        scheduler = Scheduler(clinic, [clinic], watcher=clinic, alive=clinic.alive)
        scheduler.load(EffectiveConfig(targets, limits=limits or Limits()))
        made.append((scheduler, asyncio.create_task(scheduler.run())))
        return scheduler

    yield start
    for scheduler, task in made:
        await scheduler.stop()
        await task


async def test_every_target_runs_again_and_again(clinic, make):
    make(target("a"), target("b"))
    await clinic.until(lambda: clinic.started["a"] >= 5 and clinic.started["b"] >= 5)
    assert len(clinic.delays) >= 10
    assert min(clinic.delays) >= 0
    assert clinic.skips == []


async def test_a_thousand_targets_are_served_by_one_loop_and_no_sleeping_tasks(clinic, make, monkeypatch):
    monkeypatch.setattr("exporter.run.timing.FIRST_ROUND", 0.2)
    make(*(target(f"m{number}", 3600.0) for number in range(1000)))
    await clinic.until(lambda: len(clinic.results) == 1000)
    assert len(clinic.started) == 1000
    assert len(asyncio.all_tasks()) < 10


async def test_a_run_that_lasts_past_its_beat_is_skipped_and_counted(clinic, make):
    clinic.hold = True
    make(target())
    await clinic.until(lambda: len(clinic.skips) >= 2)
    assert set(clinic.skips) == {(ProbeName.IMAP, "overlap")}
    assert clinic.started["a"] == 1
    assert clinic.gauge == 1
    clinic.release.set()
    await clinic.until(lambda: clinic.started["a"] >= 3)


async def test_a_server_gets_at_most_its_share_of_runs_and_whoever_waits_is_told_apart(clinic, make):
    clinic.hold = True
    crowd = [target(f"m{number}", 0.05, servers=("imap.example.com:993",)) for number in range(5)]
    make(*crowd, target("other", 0.05, servers=("imap.example.net:993",)), limits=Limits(per_host=2))
    await clinic.until(lambda: clinic.running["other"] == 1 and (ProbeName.IMAP, "host_limit") in clinic.skips)
    assert clinic.most == 3
    clinic.release.set()
    await clinic.until(lambda: len(clinic.started) == 6)


async def test_no_more_runs_than_allowed_are_in_flight(clinic, make):
    clinic.hold = True
    make(*(target(f"m{number}") for number in range(10)), limits=Limits(in_flight=3))
    await clinic.until(lambda: len(clinic.skips) >= 10)
    assert clinic.most == clinic.gauge == 3


async def test_a_fresh_failure_is_looked_at_twice_more_before_the_next_beat(clinic, make):
    clinic.outcomes = [Outcome.FAILED] * 9
    make(target(interval=3600.0))
    await clinic.until(lambda: len(clinic.results) == 3)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(clinic.until(lambda: len(clinic.results) > 3), 0.05)


async def test_a_success_ends_the_rechecks(clinic, make):
    clinic.outcomes = [Outcome.FAILED]
    make(target(interval=3600.0))
    await clinic.until(lambda: len(clinic.results) == 2)
    assert [result.outcome for result in clinic.results] == [Outcome.FAILED, Outcome.OK]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(clinic.until(lambda: len(clinic.results) > 2), 0.05)


async def test_a_refused_login_is_not_tried_again_before_its_beat(clinic, make):
    clinic.outcomes, clinic.refused = [Outcome.FAILED], True
    make(target(interval=3600.0))
    await clinic.until(lambda: len(clinic.results) == 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(clinic.until(lambda: len(clinic.results) > 1), 0.05)


async def test_a_reload_restarts_only_what_changed(clinic, make):
    clinic.hold = True
    same, changed, gone = target("same", 3600.0), target("changed", 3600.0), target("gone", 3600.0)
    scheduler = make(same, changed, gone)
    await clinic.until(lambda: len(clinic.started) == 3)
    changed = dataclasses.replace(changed, timeout=1.0)
    scheduler.load(EffectiveConfig([dataclasses.replace(same), changed, target("new", 3600.0)]))
    await clinic.until(lambda: clinic.started["new"] == 1 and clinic.started["changed"] == 2)
    assert sorted(clinic.cancelled) == ["changed", "gone"]
    clinic.release.set()
    await clinic.until(lambda: len(clinic.results) == 3)
    assert {result.target.name for result in clinic.results} == {"same", "changed", "new"}
    assert (clinic.started["same"], clinic.started["gone"]) == (1, 1)


async def test_a_result_of_a_target_that_is_gone_reaches_nobody(clinic, make):
    """Otherwise its series would return after they were removed."""
    clinic.hold = True
    scheduler = make(target("gone", 3600.0))
    await clinic.until(lambda: clinic.started["gone"] == 1)
    clinic.release.set()
    scheduler.load(EffectiveConfig([target("stays", 3600.0)]))
    await clinic.until(lambda: len(clinic.results) == 1)
    assert clinic.results[0].target.name == "stays"


async def test_the_beat_is_the_effective_interval_and_not_the_configured_one(clinic, make):
    often, seldom = target("often", 3600.0), target("seldom", BEAT)
    make().load(EffectiveConfig([often, seldom], intervals={often.key: BEAT, seldom.key: 3600.0}))
    await clinic.until(lambda: clinic.started["often"] >= 5)
    assert clinic.started["seldom"] <= 1


async def test_run_now_joins_the_run_in_progress(clinic, make):
    clinic.hold = True
    scheduler = make(target("a", 3600.0))
    await clinic.until(lambda: clinic.started["a"] == 1)
    asked = [asyncio.create_task(scheduler.run_now(target("a", 3600.0))) for _ in range(2)]
    await asyncio.sleep(0)
    clinic.release.set()
    first, second = await asyncio.gather(*asked)
    assert first is second is clinic.results[0]
    assert clinic.started["a"] == 1


async def test_run_now_does_not_join_a_run_that_does_something_else_but_follows_it(clinic, make):
    """A check that waits until its mail is settled must not get the result of a scheduled run that waits less."""
    clinic.hold = True
    scheduler = make(target("a", 3600.0))
    await clinic.until(lambda: clinic.started["a"] == 1)
    other = target("a", 3600.0, settings="waits longer")
    asked = [asyncio.create_task(scheduler.run_now(other)) for _ in range(2)]
    await asyncio.sleep(0)
    assert clinic.started["a"] == 1
    clinic.release.set()
    first, second = await asyncio.gather(*asked)
    assert first is second is clinic.results[1]
    assert first.target == other
    assert (clinic.started["a"], clinic.most) == (2, 1)


async def test_who_waits_for_another_run_is_told_when_the_target_has_gone_or_the_daemon_stops(clinic, make):
    clinic.hold = True
    scheduler = make(target("a", 3600.0), target("b", 3600.0))
    await clinic.until(lambda: len(clinic.started) == 2)
    gone, stopped = (
        asyncio.create_task(scheduler.run_now(target(name, 3600.0, settings="waits longer"))) for name in "ab"
    )
    await asyncio.sleep(0)
    scheduler.load(EffectiveConfig([target("b", 3600.0)]))
    with pytest.raises(Interrupted):
        await gone
    await scheduler.stop()
    with pytest.raises(Interrupted):
        await stopped
    assert clinic.started.total() == 2


async def test_run_now_starts_a_run_that_is_recorded_and_reports_its_progress(clinic, make):
    scheduler = make(target("a", 3600.0))
    await clinic.until(lambda: len(clinic.results) == 1)
    seen: list[Phase] = []
    result = await scheduler.run_now(target("a", 3600.0), on_progress=seen.append)
    assert clinic.results == [clinic.results[0], result]
    assert seen == [Phase.CONNECT]
    assert len(clinic.delays) == 1


async def test_run_now_works_for_a_target_without_a_beat(clinic, make):
    clinic.hold = True
    scheduler = make()
    asked = [asyncio.create_task(scheduler.run_now(target("guest"))) for _ in range(2)]
    await clinic.until(lambda: clinic.started["guest"] == 1)
    clinic.release.set()
    first, second = await asyncio.gather(*asked)
    assert first is second
    assert (await scheduler.run_now(target("guest"))) is not first


async def test_whoever_asked_may_leave_and_the_run_goes_on(clinic, make):
    clinic.hold = True
    scheduler = make(target("a", 3600.0))
    asked = asyncio.create_task(scheduler.run_now(target("a", 3600.0)))
    await clinic.until(lambda: clinic.started["a"] == 1)
    asked.cancel()
    await asyncio.wait([asked])
    assert clinic.cancelled == []
    clinic.release.set()
    await clinic.until(lambda: len(clinic.results) == 1)


async def test_a_run_that_is_cut_off_is_told_to_whoever_asked(clinic, make):
    clinic.hold = True
    scheduler = make(target("a", 3600.0))
    asked = asyncio.create_task(scheduler.run_now(target("a", 3600.0)))
    await clinic.until(lambda: clinic.started["a"] == 1)
    scheduler.load(EffectiveConfig())
    with pytest.raises(Interrupted):
        await asked


async def test_stop_cancels_what_runs_counts_it_and_accepts_no_more(clinic, make):
    clinic.hold = True
    scheduler = make(target("a", 3600.0), target("b", 3600.0))
    await clinic.until(lambda: len(clinic.started) == 2)
    await scheduler.stop()
    assert sorted(clinic.cancelled) == ["a", "b"]
    assert clinic.skips == [(ProbeName.IMAP, "shutdown")] * 2
    assert clinic.gauge == 0
    assert clinic.results == []
    with pytest.raises(Interrupted):
        await scheduler.run_now(target("a", 3600.0))


async def test_signs_of_life_and_lag_are_reported_without_any_target(clinic, make, monkeypatch):
    monkeypatch.setattr(schedule, "ALIVE_EVERY", 0.01)
    make()
    await clinic.until(lambda: clinic.signs_of_life >= 3 and len(clinic.lags) >= 2)
    assert min(clinic.lags) >= 0


async def test_a_sink_that_fails_does_not_keep_the_result_from_the_others(clinic, caplog):
    class Broken:
        def record(self, result: Result) -> None:
            raise ZeroDivisionError

    scheduler = Scheduler(clinic, [Broken(), clinic], watcher=clinic)
    await scheduler.run_now(target())
    assert len(clinic.results) == 1
    assert "Broken" in caplog.text


async def test_new_limits_hold_for_the_runs_that_start_from_then_on(clinic, make):
    clinic.hold = True
    targets = [target(f"m{number}") for number in range(4)]
    scheduler = make(*targets, limits=Limits(in_flight=1))
    await clinic.until(lambda: len(clinic.skips) >= 4)
    assert clinic.most == 1
    scheduler.load(EffectiveConfig(targets, limits=Limits(in_flight=10)))
    clinic.release.set()
    await clinic.until(lambda: len(clinic.started) == 4)
    clinic.release.clear()
    await clinic.until(lambda: clinic.running.total() == 4)


async def test_a_slot_that_was_waited_for_in_vain_is_given_back():
    gate = Gate(Limits(in_flight=1, per_host=1))
    waits: list[str] = []
    async with gate.slot(["h:1"], waits.append):

        async def wait(*servers: str) -> None:
            async with gate.slot(servers, waits.append):
                pytest.fail("there was no slot")

        waiting = [asyncio.create_task(wait("h:1")), asyncio.create_task(wait("h:2"))]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    assert waits == ["h:1", ""]
    async with gate.slot(["h:2", "h:1", "h:1"], waits.append):
        assert waits == ["h:1", ""]
