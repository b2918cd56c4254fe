"""How much may run at once: in all, and against one server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from exporter.model.sharding import Sharding, part


@dataclass(frozen=True, slots=True)
class Limits:
    """The config's `limits`."""

    in_flight: int = 200
    per_host: int = 4  # runs at once against one server, host:port
    logins_per_host_per_minute: float = 60

    def fault(self, sharding: Sharding) -> str:
        """Why these cannot be divided by so many shards; "" where they can."""
        if self.per_host >= sharding.total:
            return ""
        return f"{self.per_host} cannot be divided by {sharding.total} shards: write {sharding.total} or more"

    def divided(self, sharding: Sharding) -> Limits:
        """What of them a shard may use up, so that all of them together stay within what a server is asked to bear.

        By all shards, not by those that use a server: where the DNS tells whose servers a mailbox is on, no shard
        knows that of the others' mailboxes. A server that is busy enough to need a limit is used by all of them.
        """
        return replace(
            self,
            per_host=part(self.per_host, sharding.shard, sharding.total),
            logins_per_host_per_minute=self.logins_per_host_per_minute / sharding.total,
        )


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
