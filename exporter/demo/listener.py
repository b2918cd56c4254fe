"""A TCP listener on loopback and its connections, used by the demo's servers and by the tests' scripted server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

ADDRESS = "127.0.0.1"
MAX_LINE = 8192  # bytes; a longer one raises asyncio.LimitOverrunError in the reader
MAX_CONNECTIONS = 200
_GONE = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, TimeoutError)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """An async context manager: listens on a free port, and closes every connection at the end."""

    def __init__(self, serve: Serve, context: ssl.SSLContext | None = None) -> None:
        self.port = 0  # known once it listens
        self._serve = serve
        self._context = context
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected,
            ADDRESS,
            0,
            limit=MAX_LINE,
            ssl=self._context,
            ssl_shutdown_timeout=1 if self._context else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is None:
            return
        self._server.close()
        tasks = list(self._open)
        for task, writer in self._open.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Our own task, because asyncio's task in Python 3.11 logs an error when it is cancelled.
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._attend(reader, writer))
        self._open[task] = writer
        task.add_done_callback(self._left)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(reader, writer)
        except _GONE:
            pass  # a client may close the connection, or reject our certificate, at any time
        finally:
            writer.close()
            with contextlib.suppress(*_GONE):
                await writer.wait_closed()

    def _left(self, task: asyncio.Task[None]) -> None:
        del self._open[task]
        if not task.cancelled() and task.exception() is not None:
            context = {"message": "a connection's task ended", "exception": task.exception()}
            asyncio.get_running_loop().call_exception_handler(context)
