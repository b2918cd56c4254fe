"""Tests of the demo's DNS server: every kind of answer, over UDP and TCP."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from exporter.demo.dns_server import DnsServer
from tests.demo.client import HOST, blocking


@pytest.fixture
async def nameserver() -> AsyncIterator[DnsServer]:
    big = [f"{number:0240d}" for number in range(8)]
    records = {"acme.example": {"MX": ["10 mx.acme.example."]}, "big.acme.example": {"TXT": big}}
    async with DnsServer(["acme.example"], records, broken=["bad.example"]) as server:
        yield server


async def ask(server: DnsServer, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind)
    how = dns.query.tcp if tcp else dns.query.udp
    return await blocking(lambda: how(query, HOST, port=server.port, timeout=30))


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("ACME.example", "MX", (dns.rcode.NOERROR, 1, 0)),
        ("acme.example", "TXT", (dns.rcode.NOERROR, 0, 1)),
        ("no.acme.example", "MX", (dns.rcode.NXDOMAIN, 0, 1)),
        ("a.bad.example", "MX", (dns.rcode.SERVFAIL, 0, 0)),
        ("other.example", "MX", (dns.rcode.REFUSED, 0, 0)),
    ],
)
async def test_names_are_answered_each_in_its_way(nameserver, name, kind, expected):
    """The code, the answers, and a SOA if there are none."""
    answer = await ask(nameserver, name, kind)
    assert (answer.rcode(), len(answer.answer), len(answer.authority)) == expected


async def test_what_is_too_long_for_udp_comes_by_tcp(nameserver):
    cut = await ask(nameserver, "big.acme.example", "TXT")
    whole = await ask(nameserver, "big.acme.example", "TXT", tcp=True)
    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert len(whole.answer[0]) == 8


async def test_noise_is_not_answered(nameserver):
    def talk():
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(30)
            sock.connect((HOST, nameserver.port))
            sock.send(b"noise")
            sock.send(dns.message.make_response(dns.message.make_query("acme.example", "MX")).to_wire())
            asked = dns.message.make_query("acme.example", "MX")
            sock.send(asked.to_wire())
            return dns.message.from_wire(sock.recv(4096)).id == asked.id

    assert await blocking(talk)
