"""Limits how many runs happen at the same time: in total, and per server.

The scheduler takes a slot before each run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from exporter.model.settings import Limits


class Gate:
    """Slots for runs, given in the order of the requests."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = asyncio.Semaphore(limits.in_flight)
        self._servers: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def slot(self, servers: Collection[str], waits_for: Callable[[str], None]) -> AsyncIterator[None]:
        """Wait for a slot at each server and one in total.

        `waits_for` is called for each wait, with the server or "".
        """
        # Always in the same order, with the total slot last: no two runs can wait for each other, and runs that wait
        # for a busy server do not take the slots of the others.
        wanted = [(name, self._server(name)) for name in sorted(set(servers))]
        held: list[asyncio.Semaphore] = []
        try:
            for name, semaphore in [*wanted, ("", self._total)]:
                if semaphore.locked():
                    waits_for(name)
                await semaphore.acquire()
                held.append(semaphore)
            yield
        finally:
            for semaphore in held:
                semaphore.release()

    def forget_all_but(self, servers: Collection[str]) -> None:
        """Drop servers that are no longer in the configuration.

        A run that still holds such a slot releases it as usual.
        """
        for name in self._servers.keys() - set(servers):
            del self._servers[name]

    def _server(self, name: str) -> asyncio.Semaphore:
        found = self._servers.get(name)
        if found is None:
            found = self._servers[name] = asyncio.Semaphore(self._limits.per_host)
        return found
