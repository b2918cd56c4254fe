"""How much may run at once: in all, and against one server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from exporter.model.settings import Limits


class Gate:
    """Slots for runs, first come first served."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = asyncio.Semaphore(limits.in_flight)
        self._servers: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def slot(self, servers: Collection[str], waits_for: Callable[[str], None]) -> AsyncIterator[None]:
        """Wait for a slot at each server and one in all. `waits_for` hears of each wait: a server, or ""."""
        # Always in the same order, and the one that everybody needs last: nobody waits in a circle, and a busy server
        # does not take up the slots of the others.
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
        """Drop servers that are in the config no more. A run that still holds a slot gives it back to nobody."""
        for name in self._servers.keys() - set(servers):
            del self._servers[name]

    def _server(self, name: str) -> asyncio.Semaphore:
        found = self._servers.get(name)
        if found is None:
            found = self._servers[name] = asyncio.Semaphore(self._limits.per_host)
        return found
