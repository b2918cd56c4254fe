"""Tests that the real knot and unbound behave as the other tests need it."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.servers.dns import Authoritative, Resolver, Zone
from tests.servers.world import zones


def ask(resolver: str, name: str, kind: str) -> dns.message.Message:
    host, _, port = resolver.rpartition(":")
    return dns.query.udp(dns.message.make_query(name, kind, want_dnssec=True), host, port=int(port), timeout=5)


@pytest.mark.parametrize(
    ("name", "kind", "code", "authentic"),
    [
        ("example.test", "MX", dns.rcode.NOERROR, True),
        ("nowhere.example.test", "A", dns.rcode.NXDOMAIN, True),
        ("example.test", "AAAA", dns.rcode.NOERROR, True),
        ("plain.test", "MX", dns.rcode.NOERROR, False),
        ("bogus.test", "MX", dns.rcode.SERVFAIL, False),
        ("no-such-zone.test", "MX", dns.rcode.SERVFAIL, False),
        ("a.refused.test", "MX", dns.rcode.REFUSED, False),
    ],
)
def test_the_resolver_validates(resolver: str, name: str, kind: str, code: dns.rcode.Rcode, authentic: bool):
    answer = ask(resolver, name, kind)
    assert answer.rcode() == code
    assert bool(answer.flags & dns.flags.AD) == authentic


def test_a_bogus_answer_carries_its_extended_error(resolver: str):
    codes = [
        option.code for option in ask(resolver, "bogus.test", "MX").options if isinstance(option, dns.edns.EDEOption)
    ]
    assert codes
    assert set(codes) <= {6, 7, 9, 10, 12}


def test_a_change_is_seen_after_a_flush(authoritative: Authoritative, resolver: str, resolver_server: Resolver):
    assert "10 mail" in str(ask(resolver, "example.test", "MX"))
    authoritative.change("example.test", ["@ MX 20 other"])
    authoritative.add("late.test", Zone(["@ A 127.0.0.9"]))
    resolver_server.flush()
    assert "20 other" in str(ask(resolver, "example.test", "MX"))
    assert ask(resolver, "example.test", "MX").flags & dns.flags.AD
    assert "127.0.0.9" in str(ask(resolver, "late.test", "A"))


def test_each_test_finds_the_zones_as_they_were(authoritative: Authoritative, resolver: str):
    """Runs after the test above, which changed them."""
    assert set(authoritative.zones) == set(zones(""))
    assert "10 mail" in str(ask(resolver, "example.test", "MX"))
