"""A server that follows a script, and the arguments of login probes, for their tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from exporter.model import Secret
from exporter.model.settings import GuardSettings
from exporter.model.trace import Trace
from exporter.probes.context import Context
from exporter.state.store import State
from tests.canary import leaks
from tests.context import context_over
from tests.net.lines_server import Peer, Script

WORD = "canary-pa55word"


class Given:
    """A source of a password."""

    def __init__(self, word: str = WORD) -> None:
        self._word = word

    async def read(self) -> Secret:
        return Secret(self._word)


@asynccontextmanager
async def small_world(folder: Path) -> AsyncIterator[Context]:
    """Return a Context whose login guard pauses after one refused login."""
    state = await State.open(folder)
    yield context_over(state, guard=GuardSettings(failures=1))
    await state.close()


@asynccontextmanager
async def listening(script: Script, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """Start the server and return its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(Peer(reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def in_time(trace: Trace) -> AsyncIterator[None]:
    """Run within the deadline. The password must not be in any line or fact, however the run ends."""
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        told = [line.text for line in trace.lines] + [str(fact.value) for fact in trace.facts]
        assert leaks(WORD, told) == []
