"""Tests that since when a target fails, its last success and the first words survive a restart."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.incidents.lifecycle import Incidents
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.incidents.standings import BEAT, Standings
from exporter.model import Outcome, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.settings import IncidentSettings
from exporter.model.standing import Standing, thaw
from exporter.outputs.history import History
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.state.store import FILE, State
from tests.results import START, domain, failed, mailbox, ok

BOX, OTHER = mailbox(), mailbox("info")


class Daemon:
    """The parts that a start fills, over a state folder. The clock is the test's."""

    def __init__(self, state: State, targets: Sequence[Target], now: float) -> None:
        self.now = now
        self.state = state
        self.config = EffectiveConfig(targets, incidents=IncidentSettings(open_after=1))
        self.standings = Standings(state, lambda: self.now)
        self.history, self.metrics = History(), Metrics(SelfMetrics(), now=lambda: self.now)
        self.causes, self.incidents = CauseTracker(lambda: self.now), Incidents(lambda *_: (("alertname", "A"),))
        self.sinks = (self.standings, self.history, self.metrics, self.causes, self.incidents)

    async def start(self) -> None:
        for sink in self.sinks:
            sink.load(self.config)
        known = await self.standings.restored(self.config)
        for part in (self.history, self.metrics, self.causes, self.incidents):
            part.restore(known)
        await self.standings.beat()

    async def see(self, *results: Result) -> None:
        for result in results:
            self.now = max(self.now, result.started)
            for sink in self.sinks:
                sink.record(result)
        await self.standings.beat()

    async def scrape(self) -> str:
        return b"".join([chunk async for chunk in self.metrics.exposition(openmetrics=False)]).decode()


@pytest.fixture
async def starts(tmp_path: Path) -> AsyncIterator[object]:
    """Return a function that starts a daemon over the same folder. The one before is gone without a word."""
    states: list[State] = []

    async def start(*targets: Target, at: float) -> Daemon:
        if states:
            await states.pop().close()
        states.append(await State.open(tmp_path))
        daemon = Daemon(states[0], targets or (BOX,), START + at)
        await daemon.start()
        return daemon

    yield start
    for state in states:
        await state.close()


def refused(at: float, text: str = "NO first", target: Target = BOX) -> Result:
    return failed(target, started=START + at, text=text)


async def test_a_failure_goes_on_after_a_restart_with_its_beginning_its_last_success_and_its_first_words(starts):
    daemon = await starts(at=0)
    await daemon.see(ok(BOX, started=START + 10), refused(60), refused(80, "NO second"))
    daemon = await starts(at=120)
    text = await daemon.scrape()
    assert f"mailprobe_probe_failure_start_timestamp_seconds{{{_own()}}} {START + 60:.0f}\n" in text
    assert f"mailprobe_login_failure_start_timestamp_seconds{{{_own()}}} {START + 60:.0f}\n" in text
    assert f"mailprobe_probe_last_success_timestamp_seconds{{{_own()}}} {START + 10:.0f}\n" in text
    assert "\nmailprobe_probe_success" not in text  # no result before the first run
    await daemon.see(refused(130, "NO third"))
    assert daemon.history.since(BOX.key) == daemon.history.failing_since(BOX.key) == START + 60
    assert daemon.history.first_words(BOX.key) == "NO first"
    assert daemon.history.last_success(BOX.key) == START + 10
    (cause,) = daemon.causes.look().causes
    assert cause.since == START + 60
    (incident,) = daemon.incidents.tick(daemon.causes.look().causes, START + 2000).opened
    assert incident.since == START + 60


async def test_a_success_after_the_restart_ends_the_failure(starts):
    await (await starts(at=0)).see(ok(BOX), refused(60))
    daemon = await starts(at=120)
    await daemon.see(ok(BOX, started=START + 130), refused(700))
    assert daemon.history.failing_since(BOX.key) == START + 700
    (cause,) = daemon.causes.look().causes
    assert cause.since == START + 700
    assert f"mailprobe_probe_failure_start_timestamp_seconds{{{_own()}}} {START + 700:.0f}\n" in await daemon.scrape()


async def test_what_worked_again_before_the_restart_works_since_then(starts):
    await (await starts(at=0)).see(refused(60), ok(BOX, started=START + 100))
    daemon = await starts(at=120)
    await daemon.see(ok(BOX, started=START + 130))
    assert daemon.history.since(BOX.key) == START + 100
    assert f"mailprobe_probe_failure_end_timestamp_seconds{{{_own()}}} {START + 100:.0f}\n" in await daemon.scrape()


@pytest.mark.parametrize(("gap", "goes_on"), [(1400, True), (1600, False), (-100, False)])
async def test_after_a_time_in_which_nobody_looked_a_failure_is_a_new_one(starts, gap, goes_on):
    """The interval is 300 seconds, so a result is valid for 1,500. A clock that went back tells nothing."""
    await (await starts(at=0)).see(ok(BOX), refused(60))
    daemon = await starts(at=60 + gap)
    await daemon.see(replace(refused(0), started=daemon.now))
    assert (daemon.history.failing_since(BOX.key) == START + 60) is goes_on
    assert daemon.history.last_success(BOX.key) == START  # true in any case


async def test_the_daemon_notes_once_a_minute_that_it_runs(starts):
    daemon = await starts(at=0)
    for second in range(0, 200, 10):
        daemon.now = START + second
        await daemon.standings.beat()
    assert await daemon.state.notes.get("standings", "alive") == f"{START + 3 * BEAT:.0f}"


async def test_only_the_begin_and_the_end_of_a_failure_are_written(starts, tmp_path, monkeypatch):
    daemon = await starts(BOX, OTHER, at=0)
    written: list[str] = []
    monkeypatch.setattr(daemon.state, "save_standing", lambda name, _probe, _record: written.append(name))
    for second in range(0, 3000, 300):
        await daemon.see(ok(OTHER, started=START + second), refused(second))
    assert written == ["sales"]
    await daemon.see(replace(refused(3000), outcome=Outcome.INCONCLUSIVE))
    assert written == ["sales"]
    await daemon.see(ok(BOX, started=START + 3300))
    assert written == ["sales", "sales"]


async def test_what_is_known_of_a_target_that_is_gone_is_deleted(starts, tmp_path):
    daemon = await starts(BOX, OTHER, at=0)
    await daemon.see(refused(10), refused(10, target=OTHER))
    daemon = await starts(BOX, at=20)
    await daemon.state.close()
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as db:
        assert db.execute("SELECT target FROM standings").fetchall() == [("sales",)]


async def test_a_record_of_another_version_is_no_record(starts):
    daemon = await starts(at=0)
    await daemon.state.save_standing("sales", "imap", '{"failure": 1}')
    await daemon.state.save_standing("sales", "telnet", Standing().freeze())
    assert (await (await starts(at=10)).standings.restored(EffectiveConfig([BOX]))) == {}


async def test_a_full_disk_costs_only_the_memory_of_a_restart(starts, monkeypatch):
    daemon = await starts(at=0)

    def refuses(*_: object, **__: object) -> asyncio.Future[bool]:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        done.set_result(False)
        return done

    monkeypatch.setattr(daemon.state, "write", refuses)
    await daemon.see(refused(10), ok(BOX, started=START + 20), refused(400))
    assert daemon.history.failing_since(BOX.key) == START + 400


def test_what_is_frozen_thaws():
    standing = Standing()
    for result in (ok(BOX), refused(60), ok(BOX, started=START + 70), refused(80, "x" * 5000)):
        standing.look(result)
    assert thaw(standing.freeze()) == standing
    assert len(standing.text) == 2048
    zone = Standing()
    zone.look(failed(domain(), Reason.RECORD_MISSING, None, "no MX"))
    assert thaw(zone.freeze()) == zone
    for broken in ("", "[]", "{}", '{"failure": {"start": "x", "end": 0}}'):
        assert thaw(broken) is None


def _own() -> str:
    return 'target="sales",kind="mailbox",provider="dovecot",domain="example.com",probe="imap"'
