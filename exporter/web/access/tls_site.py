"""Accepts TLS connections. Each connection gets the TLS context that is valid at that moment.

`create_server(ssl=…)` is not used: it keeps its first context forever, does not limit clients that are still in the
handshake, and cannot tell a client that sends plain HTTP what is wrong.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import cast

from aiohttp import web

from exporter.model.logger import logger_of
from exporter.web.config.reloader import Keeper

logger = logger_of(__name__)

BACKLOG = 128
HANDSHAKE_WITHIN = 10.0  # seconds from connecting to the end of the handshake
MAX_SHAKING = 256  # limit of connections during the handshake; one more closes the oldest
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
PAUSE = 1.0  # seconds until the next accept if there are no file descriptors
TLS_HANDSHAKE = b"\x16"  # the first byte of a ClientHello's record (RFC 8446 section 5.1)
NOT_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nServer: mailprobe\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 41\r\nConnection: close\r\n\r\n400: this port speaks TLS: use https://\r\n"
)


def bind(host: str | None, port: int) -> list[socket.socket]:
    """Return listening sockets. Host None means all IPv4 and IPv6 addresses of this machine. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                made.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
            except OSError as exc:
                if host is not None or exc.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
    except BaseException:
        for each in made:
            each.close()
        raise
    for each in made:
        each.setblocking(False)
    return made


class GuardedSite(web.BaseSite):
    """The sockets of a runner, with a limit on TLS handshakes and certificates that can change."""

    def __init__(self, runner: web.BaseRunner, sockets: Sequence[socket.socket], keeper: Keeper) -> None:
        super().__init__(runner)
        self._sockets = sockets
        self._keeper = keeper
        self._acceptor: _Acceptor | None = None

    @property
    def name(self) -> str:
        return ",".join(str(each.getsockname()) for each in self._sockets)

    async def start(self) -> None:
        await super().start()
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        self._acceptor = _Acceptor(self._sockets, self._keeper, server)
        self._server = cast("asyncio.AbstractServer", self._acceptor)

    async def stop(self) -> None:
        if self._acceptor is not None:
            await self._acceptor.stop()
        await super().stop()


class _Acceptor:
    """The methods of an asyncio server that aiohttp needs."""

    def __init__(
        self, sockets: Sequence[socket.socket], keeper: Keeper, factory: Callable[[], asyncio.BaseProtocol]
    ) -> None:
        self.sockets = sockets
        self._keeper = keeper
        self._factory = factory
        self._shaking: dict[asyncio.Task[None], None] = {}  # oldest first
        self._accepting = [asyncio.create_task(self._accept(each)) for each in sockets]

    async def stop(self) -> None:
        """Stop accepting, and close connections whose handshake is not finished."""
        tasks = [*self._accepting, *self._shaking]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.close()

    def close(self) -> None:
        for each in self.sockets:
            each.close()
        self.sockets = ()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as exc:
                if exc.errno in EXHAUSTED:
                    logger.error("cannot accept connections", err=str(exc))  # noqa: TRY400
                    await asyncio.sleep(PAUSE)
                continue
            if len(self._shaking) >= MAX_SHAKING:
                next(iter(self._shaking)).cancel()
            task = asyncio.create_task(self._let_in(connection))
            self._shaking[task] = None
            task.add_done_callback(lambda done: self._shaking.pop(done, None))

    async def _let_in(self, connection: socket.socket) -> None:
        handed_over = False
        try:
            async with asyncio.timeout(HANDSHAKE_WITHIN):
                context = (await self._keeper.now()).tls
                if context is not None and not await _speaks_tls(connection):
                    return
                handed_over = True  # from here on asyncio closes the socket, also after an error
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._factory,
                    connection,
                    ssl=context,
                    ssl_handshake_timeout=HANDSHAKE_WITHIN if context is not None else None,
                )
        except (OSError, ssl.SSLError, TimeoutError) as exc:
            logger.debug("a connection failed before its first request", err=str(exc) or type(exc).__name__)
        finally:
            if not handed_over:
                connection.close()


async def _speaks_tls(connection: socket.socket) -> bool:
    """Return whether the client starts with a ClientHello, without consuming it. Answers plain HTTP with an error."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(connection, lambda: None if readable.done() else readable.set_result(None))
    try:
        await readable
    finally:
        loop.remove_reader(connection)
    first = connection.recv(1, socket.MSG_PEEK)
    if first == TLS_HANDSHAKE:
        return True
    if first:
        await loop.sock_sendall(connection, NOT_TLS)
        connection.recv(4096)  # with unread data the close would be a reset, and the client could lose the response
    return False
