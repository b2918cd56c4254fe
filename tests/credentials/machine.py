"""A machine for the login guard without waiting: a password file, three clocks and a disk that a kill can cut off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from exporter.credentials.clock import Clock
from exporter.model import Secret


@dataclass
class Source:
    """A password file that the test can change."""

    content: str = "correct horse"

    async def read(self) -> Secret:
        return Secret(self.content)


@dataclass
class Time:
    """Three clocks: time since boot, wall clock, and the id of the boot."""

    elapsed: float = 1000.0
    wall: float = 1.7e9
    boot: str = "first"

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.elapsed, self.boot)

    def wait(self, seconds: float) -> None:
        self.elapsed += seconds
        self.wall += seconds


@dataclass
class Disk:
    """The part of the state file for the guard.

    When a daemon is killed, its `session` and the pending writes are lost.
    """

    rows: dict[tuple[str, str], str] = field(default_factory=dict)
    synced: int = 0
    written: int = 0
    full: bool = False

    def session(self) -> DiskSession:
        return DiskSession(self)


class DiskSession:
    signing_key = b"k" * 32

    @property
    def write_error(self) -> str:
        return "database or disk is full" if self.disk.full else ""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.breakers = dict(disk.rows)
        self.alive = True

    def save_breaker(
        self, account: str, fingerprint: str, record: str | None, *, durable: bool = False
    ) -> asyncio.Future[bool]:
        stored = self.alive and not self.disk.full
        if stored:
            self.disk.written += 1
            self.disk.synced += durable
            if record is None:
                self.disk.rows.pop((account, fingerprint), None)
            else:
                self.disk.rows[account, fingerprint] = record
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        done.set_result(stored)
        return done
