"""Tests of the resolver with a real, validating unbound in front of a real knot."""

from __future__ import annotations

import asyncio

import pytest

from exporter.model import AddressFamily
from exporter.model.errors import DnsFailure
from exporter.net.dns.resolver import Resolver
from tests.servers.dns import Authoritative, Zone, txt
from tests.servers.dns import Resolver as Unbound


@pytest.mark.parametrize(
    ("name", "kind", "outcome", "authentic"),
    [
        ("example.test", "MX", "ok", True),
        ("plain.test", "MX", "ok", False),
        ("nowhere.example.test", "A", "nxdomain", True),
        ("mail.example.test", "AAAA", "no_data", True),
        ("bogus.test", "MX", "bogus", False),
        ("nothing.bogus.test", "A", "bogus", False),
        ("no-such-zone.test", "MX", "servfail", False),
        ("a.refused.test", "MX", "refused", False),
        ("a.silent.test", "MX", "timeout", False),
    ],
)
async def test_each_outcome_has_its_kind(resolver: str, name: str, kind: str, outcome: str, authentic: bool):
    found = await Resolver([resolver], timeout=1.0 if outcome == "timeout" else 5.0).lookup(name, kind)
    assert (found.kind, found.authentic) == (outcome, authentic), found.text


async def test_a_long_record_comes_over_tcp(authoritative: Authoritative, resolver_server: Unbound, resolver: str):
    value = "v=spf1 " + " ".join(f"ip4:192.0.2.{number}" for number in range(200)) + " -all"
    authoritative.add("long.test", Zone([txt("@", value)]))
    resolver_server.flush()
    found = await Resolver([resolver]).lookup("long.test", "TXT")
    assert found.records == (value,)


async def test_aliases_are_followed_through_the_authoritative_server_too(authoritative: Authoritative, resolver: str):
    authoritative.add("alias.test", Zone(["www CNAME web", "web CNAME host", "host A 127.0.0.9"]))
    direct = f"127.0.0.1:{authoritative.port}"
    for server in (direct, resolver):
        assert await Resolver([server]).addresses("www.alias.test", AddressFamily.IPV4) == ["127.0.0.9"]


async def test_a_bogus_zone_gives_no_address(resolver: str):
    with pytest.raises(DnsFailure, match="DNSSEC") as caught:
        await Resolver([resolver]).addresses("mail.bogus.test", AddressFamily.IPV4)
    assert caught.value.kind == "bogus"


async def test_an_authoritative_server_that_died_is_no_missing_record(authoritative: Authoritative, resolver: str):
    await asyncio.to_thread(authoritative.stop)
    found = await Resolver([resolver], timeout=5.0).lookup("example.test", "MX")
    assert not found.definite
