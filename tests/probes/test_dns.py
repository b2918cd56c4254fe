"""Tests of the dns probe: its facts, and which problem it reports if there are several."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from exporter.model import FactName, Phase
from exporter.model.errors import DnsFailure, ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Answer, Resolver
from exporter.probes.context import Context
from exporter.probes.dns import MAX_HOSTS, Settings, probe
from tests.servers.world import DOMAIN, MailWorld


@cache
def key() -> str:
    public = rsa.generate_private_key(65537, 1024).public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "v=DKIM1; p=" + base64.b64encode(der).decode()


def ok(*records: str) -> Answer:
    return Answer("ok", records, 300, 0.01, arrived=1.0)


NONE = Answer("no_data", text="no such record, says 192.0.2.53", seconds=0.01)
NOWHERE = Answer("nxdomain", text="NXDOMAIN from 192.0.2.53", seconds=0.01)
TIMEOUT = Answer("timeout", text="no answer from 192.0.2.53 in 5.0 s", seconds=5.0)
BOGUS = Answer("bogus", text="DNSSEC validation failed", seconds=0.1)

GOOD: Mapping[tuple[str, str], Answer] = {
    ("example.com", "MX"): ok("20 mx2.example.com", "10 mx1.example.com"),
    ("mx1.example.com", "A"): ok("192.0.2.1", "192.0.2.2"),
    ("mx1.example.com", "AAAA"): ok("2001:db8::1"),
    ("mx2.example.com", "A"): ok("192.0.2.3"),
    ("mx2.example.com", "AAAA"): NONE,
    ("example.com", "TXT"): ok("google-site-verification=x", "v=spf1 mx -all"),
    ("_dmarc.example.com", "TXT"): ok("v=DMARC1; p=reject"),
    ("s1._domainkey.example.com", "TXT"): ok(key()),
}


@dataclass
class Names:
    """A resolver that knows one zone."""

    zone: dict[tuple[str, str], Answer]
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def lookup(self, name: str, record_type: str) -> Answer:
        self.asked.append((name, record_type))
        return self.zone.get((name, record_type), NOWHERE)


class Memory:
    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}
        self.times: dict[tuple[str, str], float] = {}

    async def changed(self, subject: str, key: str, value: str, now: float) -> float:
        if self.values.get((subject, key), value) != value:
            self.times[subject, key] = now
        self.values[subject, key] = value
        return self.times.get((subject, key), 0.0)


class Case:
    """One run over a changed zone."""

    def __init__(self, memory: Memory | None = None, domain: str = "example.com", **zone: Answer) -> None:
        names = {"mx": ("example.com", "MX"), "txt": ("example.com", "TXT"), "a1": ("mx1.example.com", "A")}
        names |= {"aaaa1": ("mx1.example.com", "AAAA"), "dmarc": ("_dmarc.example.com", "TXT")}
        names |= {"dkim": ("s1._domainkey.example.com", "TXT"), "a2": ("mx2.example.com", "A")}
        self.names = Names(dict(GOOD) | {names[name]: answer for name, answer in zone.items()})
        self.memory = memory or Memory()
        self.domain = domain
        self.trace = Trace()
        self.error: Exception | None = None

    async def run(self, *selectors: str) -> Case:
        context = SimpleNamespace(resolver=self.names, notes=self.memory, now=lambda: 1000.0)
        try:
            await probe(Settings(self.domain, selectors or ("s1",)), cast("Context", context), self.trace)
        except (DnsFailure, ProbeError) as exc:
            self.error = exc
        return self

    def fact(self, name: FactName, *labels: str) -> float | str | None:
        found = [each.value for each in self.trace.facts if each.name is name and each.labels == labels]
        assert len(found) <= 1
        return found[0] if found else None

    def policies(self) -> dict[str, float | str]:
        return {each.labels[0]: each.value for each in self.trace.facts if each.name is FactName.DNS_POLICY_VALID}

    def reason(self) -> Reason | str | None:
        return self.error.reason if isinstance(self.error, ProbeError) else getattr(self.error, "kind", None)


async def test_a_domain_where_all_is_well():
    case = await Case().run()
    assert case.error is None
    assert case.policies() == {"mx": 1, "spf": 1, "dmarc": 1, "dkim": 1}
    for record_type, count in {"mx": 2, "a": 3, "aaaa": 1, "spf": 1, "dkim": 1, "dmarc": 1}.items():
        assert case.fact(FactName.DNS_LOOKUP, record_type) == 1
        assert case.fact(FactName.DNS_LOOKUP_SECONDS, record_type) == 0.01
        assert case.fact(FactName.DNS_RECORDS, record_type) == count
        assert case.fact(FactName.DNS_LAST_CHANGE, record_type) == 0
    assert case.fact(FactName.DNS_TEXT, "mx") == "10 mx1.example.com\n20 mx2.example.com"
    assert case.fact(FactName.DNS_TEXT, "spf") == "v=spf1 mx -all"
    assert case.fact(FactName.DKIM_KEY_BITS, "s1", "rsa") == 1024
    assert [name for name, _ in case.trace.phases] == [Phase.RESOLVE]


async def test_without_selectors_there_is_no_word_about_dkim():
    case = Case()
    context = SimpleNamespace(resolver=case.names, notes=case.memory, now=lambda: 1000.0)
    await probe(Settings("example.com"), cast("Context", context), case.trace)
    assert "dkim" not in case.policies()
    assert not [each for each in case.trace.facts if "dkim" in each.labels]


@pytest.mark.parametrize(
    ("zone", "reason", "words"),
    [
        ({"mx": TIMEOUT}, "timeout", "example.com MX: no answer"),
        ({"mx": BOGUS, "txt": NONE}, "bogus", "DNSSEC"),
        ({"mx": NOWHERE}, Reason.HOST_NOT_FOUND, "NXDOMAIN"),
        ({"mx": NONE}, Reason.RECORD_MISSING, "example.com. MX 10 mail.example.com."),
        ({"mx": ok("0 .")}, Reason.RECORD_INVALID, "takes no mail"),
        ({"mx": ok("10 192.0.2.1")}, Reason.RECORD_INVALID, "must be a host name"),
        ({"a1": NONE, "aaaa1": NONE}, Reason.RECORD_INVALID, "mx1.example.com .* has neither A nor AAAA"),
        ({"a1": NOWHERE, "aaaa1": NOWHERE, "txt": NONE}, Reason.RECORD_INVALID, "does not exist"),
        ({"a1": TIMEOUT, "aaaa1": NONE}, "timeout", "mx1.example.com A"),
        ({"txt": TIMEOUT}, "timeout", "example.com TXT"),
        ({"txt": TIMEOUT, "dmarc": NONE}, "timeout", "example.com TXT"),
        ({"txt": NONE}, Reason.RECORD_MISSING, "no SPF record; publish .*v=spf1"),
        ({"txt": ok("other")}, Reason.RECORD_MISSING, "no SPF record"),
        ({"txt": ok("v=spf1;mx -all")}, Reason.RECORD_INVALID, "does not begin"),
        ({"txt": ok("v=spf1 mx", "v=spf1 -all")}, Reason.RECORD_MULTIPLE, "SPF of example.com: 2 records"),
        ({"txt": ok("v=spf1 mxx")}, Reason.RECORD_INVALID, "RFC 7208 section 4.6.1"),
        ({"txt": ok("v=spf1" + " a" * 11)}, Reason.TOO_MANY_LOOKUPS, "11 DNS lookups"),
        ({"dmarc": NOWHERE}, Reason.RECORD_MISSING, "no DMARC record; publish .*_dmarc.example.com"),
        ({"dmarc": ok("v=dmarc1; p=none")}, Reason.RECORD_INVALID, "does not begin"),
        ({"dmarc": ok("v=DMARC1; p=none", "v=DMARC1; p=reject")}, Reason.RECORD_MULTIPLE, "DMARC of _dmarc"),
        ({"dmarc": ok("v=DMARC1")}, Reason.RECORD_INVALID, "no tag p"),
        ({"dmarc": ok("v=DMARC1"), "txt": NONE}, Reason.RECORD_INVALID, "DMARC"),
        ({"dkim": NOWHERE}, Reason.RECORD_MISSING, "s1._domainkey.example.com has no DKIM key"),
        ({"dkim": ok("v=DKIM1; p=")}, Reason.RECORD_INVALID, "revoked"),
        ({"dkim": ok("v=DKIM1; p=x")}, Reason.RECORD_INVALID, "base64"),
        ({"dkim": ok("v=DKIM1; p=", "v=DKIM1; p=")}, Reason.RECORD_MULTIPLE, "DKIM of s1"),
    ],
)
async def test_the_most_serious_problem_is_told(zone: dict[str, Answer], reason: Reason | str, words: str):
    case = await Case(None, "example.com", **zone).run()
    assert case.reason() == reason
    assert re.search(words, str(case.error))
    assert case.trace.failed_phase is Phase.RESOLVE


async def test_a_timeout_never_reads_as_no_record():
    case = await Case(txt=TIMEOUT, dmarc=TIMEOUT, dkim=TIMEOUT, mx=TIMEOUT).run()
    assert case.policies() == {}
    for record_type in ("mx", "spf", "dmarc", "dkim"):
        assert case.fact(FactName.DNS_LOOKUP, record_type) == 0
        assert case.fact(FactName.DNS_RECORDS, record_type) is None
        assert case.fact(FactName.DNS_LAST_CHANGE, record_type) is None
    assert case.fact(FactName.DNS_LOOKUP_SECONDS, "spf") == 5.0
    assert case.memory.values == {}


async def test_facts_of_all_records_are_written_before_the_first_problem_is_raised():
    case = await Case(mx=NONE, dmarc=NONE).run()
    assert case.policies() == {"mx": 0, "spf": 1, "dmarc": 0, "dkim": 1}
    assert case.fact(FactName.DNS_RECORDS, "mx") == 0
    assert case.fact(FactName.DNS_LOOKUP, "dmarc") == 1


async def test_one_host_without_addresses_beats_a_timeout_of_another():
    case = await Case(a1=TIMEOUT, a2=NONE).run()
    assert case.reason() is Reason.RECORD_INVALID
    assert case.policies()["mx"] == 0


async def test_an_unreachable_address_record_leaves_the_mx_policy_unknown():
    case = await Case(a1=TIMEOUT).run()
    assert "mx" not in case.policies()
    assert case.fact(FactName.DNS_LOOKUP, "a") == 0
    assert case.fact(FactName.DNS_LOOKUP, "aaaa") == 1


async def test_a_change_is_seen_whatever_the_order_of_the_records():
    memory = Memory()
    await Case(memory).run()
    same = await Case(memory, mx=ok("10 mx1.example.com", "20 mx2.example.com")).run()
    assert same.fact(FactName.DNS_LAST_CHANGE, "mx") == 0
    other = await Case(memory, mx=ok("5 mx1.example.com")).run()
    assert other.fact(FactName.DNS_LAST_CHANGE, "mx") == 1000.0
    unknown = await Case(memory, mx=TIMEOUT).run()
    assert unknown.fact(FactName.DNS_LAST_CHANGE, "mx") is None


async def test_a_subdomain_is_covered_by_its_parents_dmarc_record():
    case = Case(domain="sales.example.com")
    case.names.zone |= {("sales.example.com", "MX"): ok("10 mx1.example.com")}
    case.names.zone |= {("sales.example.com", "TXT"): ok("v=spf1 -all")}
    case.names.zone |= {("s1._domainkey.sales.example.com", "TXT"): ok(key())}
    await case.run()
    assert case.error is None
    assert case.fact(FactName.DNS_TEXT, "dmarc") == "v=DMARC1; p=reject"
    walked = [name for name, _ in case.names.asked if name.startswith("_dmarc")]
    assert walked == ["_dmarc.sales.example.com", "_dmarc.example.com"]


async def test_a_timeout_on_the_walk_to_the_parent_is_no_missing_record():
    case = Case(domain="sales.example.com", dmarc=TIMEOUT)
    await case.run()
    assert case.fact(FactName.DNS_LOOKUP, "dmarc") == 0
    assert "dmarc" not in case.policies()


async def test_only_the_first_ten_mail_servers_are_looked_at():
    case = await Case(mx=ok(*(f"{number} mx{number}.example.com" for number in range(30)))).run()
    assert len([name for name, kind in case.names.asked if kind == "A"]) == MAX_HOSTS


async def test_the_transcript_tells_each_question_and_answer():
    case = await Case(txt=TIMEOUT).run()
    said = [f"{line.direction} {line.text}" for line in case.trace.lines]
    assert "> example.com TXT" in said
    assert "< example.com TXT: no answer from 192.0.2.53 in 5.0 s" in said
    assert "< mx1.example.com A: 192.0.2.1 · 192.0.2.2" in said


async def test_a_real_signed_domain(mail_world: MailWorld):
    """With knot and unbound, the world's own domain passes."""
    memory, trace = Memory(), Trace()
    context = SimpleNamespace(resolver=Resolver([mail_world.resolver]), notes=memory, now=lambda: 1.0)
    await probe(Settings(DOMAIN, (mail_world.dkim_selector,)), cast("Context", context), trace)
    valid = {each.labels[0]: each.value for each in trace.facts if each.name is FactName.DNS_POLICY_VALID}
    assert valid == {"mx": 1, "spf": 1, "dkim": 1, "dmarc": 1}
