"""One connected socket, plain or TLS, that passes bytes to a protocol and records when they arrived.

asyncio's own transports are not used, for three reasons. The clock of a phase must stop when the bytes reach the socket
callback, so this module owns that callback. STARTTLS replaces the socket in place, and no byte read before it may be
used afterwards. TLS directly on the socket (no memory BIO, no copies) needs a third less CPU per login than asyncio's
SSLProtocol.

A `Wire` offers the part of `asyncio.Transport` that the protocols of aioimaplib and aiosmtplib call.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol, Self

from exporter.model.errors import Garbage
from exporter.model.trace import Trace
from exporter.net.text import decode

logger = logging.getLogger(__name__)

READ_SIZE = 16384  # at least one whole TLS record (RFC 8446 section 5.1), so that OpenSSL keeps no data back
MAX_TOTAL = 16 * 1024 * 1024  # bytes a server may send in one session
GONE = "the server closed the connection during the TLS handshake"
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_RECORD_TYPES = range(20, 25)  # first byte of a TLS record (RFC 8446 section 5.1)
_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Sink(Protocol):
    """Receives the bytes. `connection_lost` is called once: with None after an orderly close, with Garbage after
    `data_received` has raised.
    """

    def data_received(self, data: bytes, /) -> None: ...

    def connection_lost(self, exc: Exception | None, /) -> None: ...


class Wire:
    """A connected, non-blocking TCP socket. Use it with `async with`: leaving the block always closes the socket."""

    __slots__ = (
        "_closed",
        "_fd",
        "_handshaking",
        "_loop",
        "_out",
        "_receive",
        "_send",
        "_sink",
        "_sock",
        "_total",
        "_trace",
        "_waiter",
        "_watched",
        "arrived",
        "first_words",
        "peer",
    )

    def __init__(self, sock: socket.socket, peer: str, trace: Trace) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | ssl.SSLSocket = sock
        self._send: Callable[[bytes | bytearray], int] = sock.send
        self._receive: Callable[[int], bytes] = sock.recv
        self._fd = sock.fileno()
        self._out = bytearray()
        self._sink: Sink | None = None
        self._closed = False
        self._watched = False  # the event loop calls `_readable`
        self._handshaking = False
        self._waiter: asyncio.Future[None] | None = None  # waits during the handshake
        self._total = 0
        self._trace = trace
        self.peer = peer
        self.first_words = b""  # what came instead of a TLS record, if a handshake failed by it
        self.arrived = 0.0  # time.perf_counter() of the last bytes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.abort()

    def attach(self, sink: Sink) -> None:
        """Pass the bytes to `sink` from now on, including those that the kernel holds already."""
        self._sink = sink
        self._watch()

    def _watch(self) -> None:
        # Registered once and left registered: each change costs several system calls.
        if not self._watched and not self._closed:
            self._watched = True
            self._loop.add_reader(self._fd, self._readable)

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._fd)

    # -- methods that the libraries call on their transport --------------------------------------------------------

    def write(self, data: bytes) -> None:
        if self._closed or not data:
            return
        if self._out:
            self._out += data
            return
        sent = 0
        try:
            sent = self._send(data)
        except _AGAIN:
            pass
        except OSError:
            # The reader sees the same error next, together with the server's last lines, which explain it better.
            return
        if sent < len(data):
            self._out += data[sent:]
            self._loop.add_writer(self._fd, self._writable)

    def is_closing(self) -> bool:
        return self._closed

    def abort(self) -> None:
        """Close now, without waiting for a TLS close_notify: many servers never send one."""
        if self._closed:
            return
        self._closed = True
        self._sink = None
        self._unwatch()
        if self._out:
            self._loop.remove_writer(self._fd)
        self._sock.close()

    close = abort

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "sslcontext":
                return self._sock.context if isinstance(self._sock, ssl.SSLSocket) else default
            case "ssl_object":
                return self._sock if isinstance(self._sock, ssl.SSLSocket) else default
            case "socket":
                return self._sock
            case "peername":
                return self.peer
        return default

    # -- TLS ----------------------------------------------------------------------------------------------------

    async def handshake(self, context: ssl.SSLContext, server_name: str) -> None:
        """Start TLS on this connection (RFC 8446). Plain text that was buffered before it is thrown away.

        Raises ssl.SSLError (SSLCertVerificationError with `verify_code`) and ConnectionError. If the server answers
        with something that is not TLS, its words are in the transcript.
        """
        if self._out:
            self._loop.remove_writer(self._fd)
            self._out.clear()
        self._handshaking = True
        try:
            self._sock.getpeername()  # `wrap_socket` loses the socket if the peer has gone
            tls = context.wrap_socket(self._sock, server_hostname=server_name, do_handshake_on_connect=False)
        except BaseException as exc:
            self.abort()
            if isinstance(exc, OSError) and exc.errno == errno.ENOTCONN:
                raise ConnectionResetError(errno.ECONNRESET, GONE) from exc
            raise
        self._sock = tls
        # the methods that `send` and `recv` call, without their extra checks
        self._send, self._receive = tls.write, tls.read
        words = self._peek()  # a server that speaks TLS is silent until now
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._until_readable()
                words = words or self._peek()
                self.acknowledge()
            except ssl.SSLWantWriteError:
                await self._until_writable()
            except OSError as exc:
                if words and words[0] not in _RECORD_TYPES:
                    self.first_words = words
                    self._trace.said("<", decode(words).rstrip())
                if isinstance(exc, ssl.SSLEOFError) or exc.errno in (errno.ENOTCONN, errno.EPIPE):
                    raise ConnectionResetError(errno.ECONNRESET, GONE) from exc
                raise
        self._handshaking = False

    def _peek(self) -> bytes:
        """Return the first bytes that wait in the kernel, without removing them."""
        try:
            return socket.socket.recv(self._sock, 256, socket.MSG_PEEK)
        except OSError:
            return b""

    @property
    def tls(self) -> ssl.SSLSocket | None:
        return self._sock if isinstance(self._sock, ssl.SSLSocket) else None

    async def _until_readable(self) -> None:
        self._waiter = self._loop.create_future()
        self._watch()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def _until_writable(self) -> None:
        self._unwatch()  # else data that can be read meanwhile would keep the loop busy
        self._waiter = self._loop.create_future()
        self._loop.add_writer(self._fd, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if not self._closed:
                self._loop.remove_writer(self._fd)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self.arrived = self._trace.arrived_at = time.perf_counter()
            self._waiter.set_result(None)

    # -- socket callbacks ---------------------------------------------------------------------------------------

    def acknowledge(self) -> None:
        """Make the kernel send a TCP ACK now. The sink calls this while a response is not complete yet.

        A server with Nagle's algorithm that sends a response in several small segments waits after the first one for
        our ACK. The kernel delays this ACK by 40 ms, which would look like latency of the server. When the response is
        complete, our next command carries the ACK. TCP_QUICKACK is not permanent and must be set each time.
        """
        if _QUICKACK is not None and not self._closed:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _readable(self) -> None:
        if self._handshaking:
            self._wake()
            return
        if self._sink is None:
            self._unwatch()
            return
        at = time.perf_counter()
        try:
            data = self._receive(READ_SIZE)
        except _AGAIN:
            self.acknowledge()  # data of TLS itself: a session ticket, or a part of a record
            return
        except OSError as exc:
            self._lost(exc)
            return
        if not data:
            self._lost(None)
            return
        self.arrived = self._trace.arrived_at = at
        self._total += len(data)
        if self._total > MAX_TOTAL:
            self._lost(Garbage(f"the server sent more than {MAX_TOTAL} bytes"))
            return
        try:
            self._sink.data_received(data)
        except Garbage as exc:
            self._lost(exc)
        except Exception as exc:  # in a callback nobody would hear of it, and the run would end as a timeout
            logger.exception("a server's answer cannot be read")
            self._lost(Garbage(f"what the server sent cannot be read ({type(exc).__name__})"))

    def _writable(self) -> None:
        try:
            sent = self._send(self._out)
        except _AGAIN:
            return
        except OSError:
            sent = len(self._out)  # as in `write`: the reader reports the error
        del self._out[:sent]
        if not self._out:
            self._loop.remove_writer(self._fd)

    def _lost(self, exc: Exception | None) -> None:
        sink = self._sink
        self.abort()
        if sink is None:
            return
        try:
            sink.connection_lost(exc)
        except Exception:
            logger.exception("the end of a connection cannot be told")
