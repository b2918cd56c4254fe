"""Tests of who is looked at again when a server goes down or comes back."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from exporter.model import Failure, Kind, Outcome, Phase, ProbeName, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.settings import Limits
from exporter.run.flips import AT_ONCE, MOST, SOON, Flips
from exporter.run.scheduler import Scheduler
from tests.run.test_scheduler import Clinic

SERVER = "imap.a.example:993"
PORT = Target(SERVER, Kind.ENDPOINT, ProbeName.TLS, None, 60.0, 10.0, 10.0, servers=(SERVER,))


def box(name: str, **more: object) -> Target:
    made = Target(
        name, Kind.MAILBOX, ProbeName.IMAP, None, 60.0, 20.0, 20.0, servers=(SERVER,), logins=("imap.a.example",)
    )
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]  # the fields of a Target, as each test needs them


BOXES = [box(f"m{n}") for n in range(5)]
NAMES = {each.name for each in BOXES}


def result(of: Target, reason: Reason | None = None, phase: Phase = Phase.CONNECT) -> Result:
    if reason is None:
        return Result(of, "0" * 12, 0.0, 0.0, Outcome.OK)
    return Result(of, "0" * 12, 0.0, 0.0, Outcome.FAILED, failure=Failure(phase, reason))


DEAD = Reason.CONNECTION_REFUSED


def watched(*targets: Target, limits: Limits | None = None) -> Flips:
    flips = Flips()
    flips.load(EffectiveConfig(targets, limits=limits or Limits()))
    return flips


def hurried(flips: Flips, seen: Result, now: float = 0.0) -> dict[str, float]:
    return {key[0]: delay for key, delay in flips.see(seen, now)}


def test_when_a_server_goes_down_or_comes_back_its_mailboxes_are_looked_at_within_seconds():
    flips = watched(PORT, *BOXES)
    assert not hurried(flips, result(PORT))
    found = hurried(flips, result(PORT, DEAD))
    assert set(found) == NAMES
    assert all(0 <= delay <= SOON for delay in found.values())
    assert len(set(found.values())) == len(NAMES)
    for each in BOXES:
        hurried(flips, result(each, DEAD))
    assert not hurried(flips, result(PORT, DEAD), 30.0)
    assert set(hurried(flips, result(PORT), 60.0)) == NAMES


def test_a_mailbox_that_has_been_looked_at_since_is_left_alone():
    flips = watched(PORT, *BOXES)
    hurried(flips, result(PORT))
    hurried(flips, result(BOXES[0], DEAD))
    assert set(hurried(flips, result(PORT, DEAD))) == NAMES - {"m0"}


def test_a_mailbox_that_contradicts_its_server_has_the_server_looked_at():
    flips = watched(PORT, *BOXES)
    assert not hurried(flips, result(BOXES[0], DEAD))  # nothing is known of the server
    hurried(flips, result(PORT))
    found = hurried(flips, result(BOXES[1], DEAD))
    assert set(found) == {SERVER}
    assert found[SERVER] <= AT_ONCE
    assert not hurried(flips, result(BOXES[1], Reason.WRONG_PASSWORD, Phase.LOGIN))
    hurried(flips, result(PORT, DEAD))
    assert set(hurried(flips, result(BOXES[2]), 61.0)) == {SERVER}
    assert set(hurried(flips, result(BOXES[2], Reason.WRONG_PASSWORD, Phase.LOGIN), 62.0)) == {SERVER}


@pytest.mark.parametrize(
    "said",
    [
        Result(PORT, "0" * 12, 0.0, 0.0, Outcome.INCONCLUSIVE, failure=Failure(None, Reason.VANTAGE_OFFLINE)),
        result(PORT, Reason.CONNECTION_REFUSED, Phase.TOKEN),
    ],
)
def test_a_run_that_tells_nothing_about_the_server_hurries_nobody(said):
    flips = watched(PORT, *BOXES)
    hurried(flips, result(PORT))
    assert not hurried(flips, said)
    assert set(hurried(flips, result(PORT, DEAD))) == NAMES


def test_a_server_that_flaps_costs_each_mailbox_a_bounded_number_of_runs_an_interval():
    flips, counted = watched(PORT, *BOXES), dict.fromkeys(NAMES, 0)
    for second in range(600):
        up = second % 12 < 3
        for seen in [result(PORT) if up else result(PORT, DEAD)]:
            for name in hurried(flips, seen, float(second)):
                counted[name] += 1
    assert all(10 <= count <= MOST * 600 / 60 + MOST for count in counted.values())


def test_the_logins_of_a_server_that_is_back_fit_beside_those_of_the_schedule():
    """40 mailboxes log in 40 times a minute; 20 more a minute are allowed."""
    boxes = [box(f"m{n}", interval=120.0) for n in range(80)]
    flips = watched(PORT, *boxes)
    hurried(flips, result(PORT))
    down = hurried(flips, result(PORT, DEAD))
    assert SOON < max(down.values()) <= 80.0
    for each in boxes:
        hurried(flips, result(each, DEAD))
    assert not hurried(flips, result(PORT), 200.0)  # 240 seconds are longer than to wait for their turn
    few = boxes[:30]
    flips.load(EffectiveConfig([PORT, *few]))
    hurried(flips, result(PORT, DEAD), 400.0)
    back = hurried(flips, result(PORT), 800.0)
    assert len(back) == 30
    assert max(back.values()) > SOON
    for start in range(120):
        logins = sum(start <= delay < start + 60 for delay in back.values())
        assert logins + 30 * 60 / 120 <= 60


def test_what_could_not_be_looked_at_without_a_network_is_looked_at_when_it_is_back():
    flips = watched(PORT, *BOXES)
    for each in (PORT, *BOXES):
        offline = Failure(None, Reason.VANTAGE_OFFLINE)
        assert not hurried(flips, dataclasses.replace(result(each), outcome=Outcome.INCONCLUSIVE, failure=offline))
    found = hurried(flips, result(BOXES[0]), 100.0)
    assert set(found) == {SERVER, *NAMES} - {"m0"}
    assert max(found.values()) <= SOON
    assert not hurried(flips, result(BOXES[1]), 101.0)


def test_another_ports_mailboxes_and_round_trips_are_not_concerned():
    other = box("other", servers=("imap.a.example:143",))
    route = Target("trip", Kind.ROUTE, ProbeName.ROUNDTRIP, None, 60.0, 20.0, 20.0, servers=(SERVER,))
    flips = watched(PORT, other, route, BOXES[0])
    hurried(flips, result(PORT))
    assert set(hurried(flips, result(PORT, DEAD))) == {"m0"}
    assert not hurried(flips, result(route, DEAD))


def test_a_reload_keeps_what_is_known_of_a_server():
    flips = watched(PORT, *BOXES)
    hurried(flips, result(PORT))
    flips.load(EffectiveConfig([PORT, BOXES[0]]))
    assert set(hurried(flips, result(PORT, DEAD))) == {"m0"}
    flips.load(EffectiveConfig([BOXES[0]]))
    assert not hurried(flips, result(PORT))


async def test_the_scheduler_runs_a_hurried_mailbox_before_its_turn(monkeypatch):
    """The mailboxes' interval is an hour: only the server's fall brings them their second and third run."""
    monkeypatch.setattr("exporter.run.timing.SOON", 0.005)
    monkeypatch.setattr("exporter.run.flips.SOON", 0.005)

    class Server(Clinic):
        def __init__(self) -> None:
            super().__init__()
            self.down = False

        async def run(self, target: Target, **more: object) -> Result:
            self.started[target.name] += 1
            self._tell()
            return result(target, DEAD if self.down else None)

    clinic = Server()
    boxes = [dataclasses.replace(each, interval=3600.0, recheck=7200.0, logins=()) for each in BOXES]
    port = dataclasses.replace(PORT, interval=0.02, recheck=7200.0)
    scheduler = Scheduler(clinic, [clinic], watcher=clinic)
    monkeypatch.setattr("exporter.run.scheduler.second_start", lambda first, part, spread, interval: first + interval)
    scheduler.load(EffectiveConfig([port, *boxes]))
    running = asyncio.create_task(scheduler.run())
    await clinic.until(lambda: all(clinic.started[name] >= 1 for name in NAMES) and clinic.started[SERVER] >= 2)
    before = dict(clinic.started)
    clinic.down = True
    await clinic.until(lambda: all(clinic.started[name] > before[name] for name in NAMES))
    await scheduler.stop()
    await running
