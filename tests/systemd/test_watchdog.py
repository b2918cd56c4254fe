"""Tests that the watchdog is notified only while the scheduler's loop runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.daemon.systemd import Watchdog
from exporter.model import Kind, ProbeName, Target
from exporter.model.effective import EffectiveConfig
from exporter.run import scheduler as schedule
from exporter.run.scheduler import Scheduler
from tests.run.test_scheduler import Clinic

SIGN = b"WATCHDOG=1"
MANY_SIGNS = 0.2  # seconds in which a loop that lives gives many


class Broken(Clinic):
    """A watcher that fails when a beat is skipped: a bug inside the scheduler's own loop."""

    def skipped(self, probe: ProbeName, reason: str) -> None:
        if reason == "overlap":
            raise RuntimeError(reason)


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    address = str(tmp_path / "notify") if request.param == "path" else f"@mailprobe-watchdog-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address.replace("@", "\0", 1))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        monkeypatch.setenv("WATCHDOG_USEC", "8000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        monkeypatch.setattr(schedule, "ALIVE_EVERY", 0.002)
        yield sock


@contextlib.asynccontextmanager
async def living(clinic: Clinic) -> AsyncIterator[tuple[Scheduler, asyncio.Task[None]]]:
    """A scheduler whose loop runs and feeds the watchdog."""
    scheduler = Scheduler(clinic, [clinic], watcher=clinic, alive=Watchdog().alive)
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler, task
    finally:
        await scheduler.stop()
        await asyncio.gather(task, return_exceptions=True)


async def signs(sock: socket.socket, wanted: int) -> None:
    """Wait for that many."""
    async with asyncio.timeout(60):
        for _ in range(wanted):
            assert await asyncio.get_running_loop().sock_recv(sock, 100) == SIGN


def drained(sock: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while sock.recv(100):
            count += 1
    return count


async def test_a_loop_that_lives_feeds_it(systemd):
    async with living(Clinic()):
        await signs(systemd, 20)


async def test_an_event_loop_that_stands_still_does_not(systemd):
    async with living(Clinic()):
        await signs(systemd, 3)
        drained(systemd)
        time.sleep(MANY_SIGNS)
        assert drained(systemd) == 0
        await signs(systemd, 3)


async def test_a_scheduler_that_has_ended_does_not_though_the_event_loop_lives(systemd):
    clinic = Broken()
    clinic.hold = True  # the run does not end, so that its next beat is skipped
    async with living(clinic) as (scheduler, task):
        await signs(systemd, 3)
        target = Target("a", Kind.MAILBOX, ProbeName.IMAP, None, 0.02, 20.0, 20.0)
        scheduler.load(EffectiveConfig([target]))
        async with asyncio.timeout(60):
            await asyncio.wait([task])
        assert isinstance(task.exception(), RuntimeError)
        drained(systemd)
        await asyncio.sleep(MANY_SIGNS)
        assert drained(systemd) == 0
        clinic.release.set()
