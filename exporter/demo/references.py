"""The vantage references of the demo: two ports that answer until a file says that the network is down.

With `offline` in the demo's folder nobody listens on them, so that mailprobe says what it says when its own network is
down; without the file they answer again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path
from typing import Self

from exporter.demo.listener import ADDRESS

OFFLINE = "offline"  # name of the file
EVERY = 0.5  # seconds between two looks for it
COUNT = 2


class References:
    """An async context manager. The ports stay ours while nobody listens on them."""

    def __init__(self, folder: Path, every: float = EVERY) -> None:
        self.ports: tuple[int, ...] = ()  # known once they listen
        self._file = folder / OFFLINE
        self._every = every
        self._sockets: list[socket.socket] = []
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sockets = [_bound(0) for _ in range(COUNT)]
        self.ports = tuple(int(each.getsockname()[1]) for each in self._sockets)
        self._listen()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        self._close()

    async def _watch(self) -> None:
        up = True
        while True:
            await asyncio.sleep(self._every)
            if self._file.exists() is up:
                up = not up
                self._close()
                self._sockets = [_bound(port) for port in self.ports]
                if up:
                    self._listen()

    def _listen(self) -> None:
        """A connection is closed at once: mailprobe asks no more of a reference than that it accepts one."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            each.listen()
            loop.add_reader(each, _accept, each)

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            loop.remove_reader(each)
            each.close()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((ADDRESS, port))
    return sock


def _accept(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection, _ = sock.accept()
        connection.close()
