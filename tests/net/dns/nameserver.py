"""A scripted DNS server on a loopback port, over UDP and TCP: it sends right answers, wrong answers or none."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import cast

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Query = dns.message.QueryMessage
# Returns the datagrams to send for a query, any number of them. The flag is true for TCP.
Script = Callable[[Query, bool], list[bytes]]


def answer(query: Query, *records: str, rcode: int = dns.rcode.NOERROR, **flags: bool) -> dns.message.Message:
    """Return a reply with records as in a zone file: `name ttl IN type data`."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.Rcode(rcode))
    reply.flags |= dns.flags.RA
    for flag, on in flags.items():
        bit = dns.flags.Flag[flag]
        reply.flags = reply.flags | bit if on else reply.flags & ~bit
    for line in records:
        name, ttl, _, kind, data = line.split(" ", 4)
        reply.answer.append(dns.rrset.from_text(name, int(ttl), "IN", kind, data))
    return reply


def extended(reply: dns.message.Message, code: int, text: str = "") -> dns.message.Message:
    reply.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.make(code), text)])
    return reply


def question(query: Query) -> tuple[str, str]:
    asked = query.question[0]
    return asked.name.to_text().removesuffix("."), dns.rdatatype.to_text(asked.rdtype)


class NameServer:
    """`heard` are the queries received, each with whether it came over TCP."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heard: list[tuple[Query, bool]] = []
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def asked(self, kind: str) -> int:
        return sum(1 for query, _ in self.heard if question(query)[1] == kind)

    def replies(self, data: bytes, *, tcp: bool) -> list[bytes]:
        query = dns.message.from_wire(data)
        assert isinstance(query, dns.message.QueryMessage)
        self.heard.append((query, tcp))
        return self.script(query, tcp)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for reply in self._server.replies(data, tcp=False):
            self._transport.sendto(reply, addr)


@contextlib.asynccontextmanager
async def serve(script: Script) -> AsyncIterator[NameServer]:
    server = NameServer(script)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            for reply in server.replies(await reader.readexactly(length), tcp=True):
                writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=("127.0.0.1", server.port))
    try:
        yield server
    finally:
        transport.close()
        listening.close()
        await listening.wait_closed()


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
