"""A server on a loopback port that follows the script of a test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from exporter.model.trace import Trace
from exporter.net.wire import Wire


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.heard: list[str] = []

    async def say(self, *lines: str | bytes) -> None:
        for line in lines:
            self.writer.write(line if isinstance(line, bytes) else line.encode() + b"\r\n")
        await self.writer.drain()

    async def hear(self) -> str:
        line = (await self.reader.readline()).decode().rstrip("\r\n")
        self.heard.append(line)
        return line

    async def dialogue(self, *answers: str | bytes) -> None:
        """Return a script with one answer for each command."""
        for answer in answers:
            await self.hear()
            await self.say(answer)

    async def gone(self) -> None:
        """Wait until the client has closed."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, trace: Trace) -> AsyncIterator[Wire]:
    """Return a Wire to a server that follows the script and then closes.

    A failed assertion in the script fails the test.
    """
    scripts: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        scripts.append(task)
        try:
            await script(Peer(reader, writer))
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, server.sockets[0].getsockname())
        async with Wire(sock, "127.0.0.1", trace) as wire:
            yield wire
    for each in scripts:
        with suppress(ConnectionError):
            await each
