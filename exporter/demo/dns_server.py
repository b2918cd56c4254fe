"""A small authoritative DNS server (RFC 1035) on UDP and TCP. It answers from a dict, or SERVFAIL for broken zones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Self, cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from exporter.demo.listener import ADDRESS, Listener

TTL = 60  # seconds
MAX_UDP = 1232  # bytes
ATTEMPTS = 20  # attempts to find a port that is free for both TCP and UDP
QUESTION = 65535  # largest query over TCP, in bytes

Records = Mapping[str, Mapping[str, Iterable[str]]]
"""Name → type → the records' texts as in a zone file. Names are absolute even without a dot at the end."""


class DnsServer:
    """Answers for these zones; NXDOMAIN and "no data" come with a SOA record. REFUSED for any other name."""

    def __init__(self, zones: Iterable[str], records: Records, *, broken: Iterable[str] = ()) -> None:
        self.port = 0  # known once it listens
        self._broken = [dns.name.from_text(zone) for zone in broken]  # zones that answer every query with SERVFAIL
        self._zones = [dns.name.from_text(zone) for zone in zones]
        self._records = {
            (dns.name.from_text(name), dns.rdatatype.from_text(kind)): dns.rrset.from_text(
                dns.name.from_text(name), TTL, "IN", kind, *texts
            )
            for name, types in records.items()
            for kind, texts in types.items()
        }
        self._listener = Listener(self._serve)
        self._udp: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for attempt in range(1, ATTEMPTS + 1):
            await self._listener.__aenter__()
            self.port = self._listener.port
            try:
                self._udp, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(ADDRESS, self.port)
                )
                break
            except OSError:
                await self._listener.__aexit__()
                if attempt == ATTEMPTS:
                    raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._udp is not None:
            self._udp.close()
        await self._listener.__aexit__(*exc)

    def answer(self, question: bytes, limit: int) -> bytes | None:
        """Return the reply in wire format, or None for an invalid query.

        A reply that is too long is cut, with TC set.
        """
        try:
            query = dns.message.from_wire(question, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError):
            return None
        if query.flags & dns.flags.QR or len(query.question) != 1:
            return None
        response = self._respond(query)
        try:
            return response.to_wire(max_size=limit)
        except dns.exception.TooBig:
            response.answer.clear()
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _respond(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        (asked,) = query.question
        name = asked.name
        if any(name.is_subdomain(zone) for zone in self._broken):
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        zone = next((zone for zone in self._zones if name.is_subdomain(zone)), None)
        if zone is None:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        response.flags |= dns.flags.AA
        found = self._records.get((name, asked.rdtype))
        if found is not None:
            response.answer.append(found)
            return response
        if not any(known.is_subdomain(name) for known, _ in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = f"ns.{zone} hostmaster.{zone} 1 3600 600 86400 {TTL}"
        response.authority.append(dns.rrset.from_text(zone, TTL, "IN", "SOA", soa))
        return response

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve TCP: each message follows its length (RFC 1035 section 4.2.2)."""
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            reply = self.answer(await reader.readexactly(length), QUESTION)
            if reply is None:
                return
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._server.answer(data, MAX_UDP)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)
