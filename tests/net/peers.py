"""Small servers in the process for the tests of the wire: the test itself plays the other end of the connection."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from exporter.model.trace import Trace
from exporter.net.wire import Wire

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Collector:
    """A sink that stores everything it receives, and wakes those that wait for it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ends: list[Exception | None] = []
        self._changed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ends.append(exc)
        self._changed.set()

    async def until(self, size: int) -> bytes:
        """Wait for at least so many bytes, or for the end."""
        while len(self.data) < size and not self.ends:
            self._changed.clear()
            await self._changed.wait()
        return bytes(self.data)

    async def end(self) -> Exception | None:
        while not self.ends:
            self._changed.clear()
            await self._changed.wait()
        return self.ends[0]


@contextlib.asynccontextmanager
async def peer(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a loopback port, with implicit TLS if `context` is given.

    An exception in `talk` is raised at the end.
    """
    faults: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client closed, with or without a TLS alert, as clients do
        except asyncio.CancelledError:
            raise
        except BaseException as exc:
            faults.append(exc)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
    if faults:
        raise faults[0]


async def connect(port: int, trace: Trace | None = None) -> Wire:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return Wire(sock, "127.0.0.1", trace or Trace())


def open_files() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}
