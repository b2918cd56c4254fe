"""Sends one query to one DNS server: by UDP, and by TCP if the answer was truncated (RFC 7766).

In: server, encoded name, record type and deadline. Out: a Heard (the parsed reply and when it arrived), or
NoReplyError.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
import time
from dataclasses import dataclass

from exporter.net.dns import message
from exporter.net.dns.hosts import Server
from exporter.net.dns.message import BadMessageError, Reply

RESEND = 0.3  # part of the server's time after which a lost packet is sent again, on the same socket
MAX_STRAYS = 64  # datagrams that answer other queries


class NoReplyError(Exception):
    """The server gave no usable reply. `kind` is the kind of an Answer: timeout, refused or servfail."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


@dataclass(frozen=True, slots=True)
class Heard:
    """A reply, and when it arrived (`time.perf_counter()`)."""

    reply: Reply
    at: float


async def ask(server: Server, name: bytes, record_type: int, until: float, *, checking_disabled: bool = False) -> Heard:
    """Query a server, and repeat the query without EDNS if the server does not support it.

    `until` is the deadline in loop time. Raises NoReplyError.
    """
    heard = await _once(server, name, record_type, until, checking_disabled=checking_disabled, edns=True)
    if heard.reply.rcode in (message.FORMERR, message.NOTIMP):
        heard = await _once(server, name, record_type, until, checking_disabled=checking_disabled, edns=False)
    return heard


async def _once(
    server: Server, name: bytes, record_type: int, until: float, *, checking_disabled: bool, edns: bool
) -> Heard:
    ident = secrets.randbits(16)
    query = message.query(ident, name, record_type, checking_disabled=checking_disabled, edns=edns)
    began = asyncio.get_running_loop().time()
    how = "UDP"
    try:
        async with asyncio.timeout_at(until):
            heard = await _udp(server, query, until)
            if heard.reply.truncated:
                how = "TCP, after a truncated answer"
                heard = await _tcp(server, query)
            return heard
    except TimeoutError as exc:
        waited = asyncio.get_running_loop().time() - began
        raise NoReplyError("timeout", f"no answer from {server} in {waited:.1f} s over {how}") from exc
    except ConnectionRefusedError as exc:
        raise NoReplyError("refused", f"{server}: nothing listens there ({how})") from exc
    except OSError as exc:
        raise NoReplyError("timeout", f"{server}: {exc.strerror or exc} ({how})") from exc
    except BadMessageError as exc:
        raise NoReplyError("servfail", f"{server} sent an invalid DNS message: {exc} ({how})") from exc


async def _udp(server: Server, query: bytes, until: float) -> Heard:
    """Query by UDP.

    The socket is connected, so it receives from this server only; port and id are random (RFC 5452).
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[Heard | Exception] = loop.create_future()
    strays = 0
    with socket.socket(server.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:

        def readable() -> None:
            nonlocal strays
            got: Heard | Exception | None = None
            try:
                reply = message.parse(sock.recv(65535), query)
                if reply is not None:
                    got = Heard(reply, time.perf_counter())
                elif (strays := strays + 1) > MAX_STRAYS:
                    got = BadMessageError(f"{strays} answers to other questions")
            except BlockingIOError:
                return
            except (OSError, BadMessageError) as exc:
                got = exc
            except Exception as exc:  # in a callback nobody else would hear of it before the deadline
                got = BadMessageError(f"it cannot be read: {type(exc).__name__}")
            if got is not None and not waiter.done():
                waiter.set_result(got)

        def resend() -> None:
            try:
                sock.send(query)
            except OSError:
                return  # the reader sees the error, or the deadline passes

        sock.connect((server.address, server.port))
        sock.send(query)
        loop.add_reader(sock.fileno(), readable)
        again = loop.call_later(max(0.0, until - loop.time()) * RESEND, resend)
        try:
            got = await waiter
        finally:
            again.cancel()
            loop.remove_reader(sock.fileno())
    if isinstance(got, Exception):
        raise got
    return got


async def _tcp(server: Server, query: bytes) -> Heard:
    loop = asyncio.get_running_loop()
    with socket.socket(server.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, (server.address, server.port))
        await loop.sock_sendall(sock, struct.pack("!H", len(query)) + query)
        length = int.from_bytes(await _exactly(sock, 2), "big")
        data = await _exactly(sock, length)
    reply = message.parse(data, query)
    if reply is None or reply.truncated:
        raise BadMessageError("an answer to another question" if reply is None else "truncated again")
    return Heard(reply, time.perf_counter())


async def _exactly(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(sock, size - len(data))
        if not more:
            raise BadMessageError("it ends too early")
        data += more
    return data
