"""Tests of SPF records: RFC 7208's valid records are parsed, invalid ones are rejected with the section."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.records import spf
from exporter.probes.records.errors import RecordError
from exporter.probes.records.spf import Term


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("v=spf1", ()),
        ("V=SPF1 -ALL", (Term("all", "-", ""),)),
        (
            "v=spf1  ip4:192.0.2.0/24 ~all ",
            (Term("ip4", "+", "192.0.2.0/24"), Term("all", "~", "")),
        ),
        (
            "v=spf1 include:_spf.example.net ?a mx/24//64 redirect=example.org",
            (
                Term("include", "+", "_spf.example.net"),
                Term("a", "?", ""),
                Term("mx", "+", "/24//64"),
                Term("redirect", "", "example.org"),
            ),
        ),
        ("v=spf1 unknown=%{d} exp=why.%{d}", (Term("exp", "", "why.%{d}"),)),
        ("v=spf1 exists:%{ir}.%{v}._spf.%{d2}", (Term("exists", "+", "%{ir}.%{v}._spf.%{d2}"),)),
        ("v=spf1 a:%{d/}/24", (Term("a", "+", "%{d/}/24"),)),
        ("v=spf1 ip6:2001:db8::/32 ptr", (Term("ip6", "+", "2001:db8::/32"), Term("ptr", "+", ""))),
    ],
)
def test_valid_records_are_read(text: str, terms: tuple[Term, ...]):
    assert spf.parse(text).terms == terms


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("v=spf2 -all", "4.5"),
        ("v=spf1;-all", "4.5"),
        ("v=spf1 -all é", "3.1"),
        ("v=spf1 -al", "4.6.1"),
        ("v=spf1 192.0.2.1", "4.6.1"),
        ("v=spf1 +", "4.6.1"),
        ("v=spf1 all:example.com", "5.1"),
        ("v=spf1 include", "5.2"),
        ("v=spf1 include:", "5.2"),
        ("v=spf1 include:com", "7.1"),
        ("v=spf1 include:exa mple.com", "7.1"),
        ("v=spf1 include:example.%x", "7.1"),
        ("v=spf1 include:example.123", "7.1"),
        ("v=spf1 a.example.com", "4.6.1"),
        ("v=spf1 a/33", "5.3"),
        ("v=spf1 a/24/64", "5.3"),
        ("v=spf1 mx//129", "5.4"),
        ("v=spf1 mx/024", "5.4"),
        ("v=spf1 ptr:", "5.5"),
        ("v=spf1 ip4:192.0.2", "5.6"),
        ("v=spf1 ip4:192.0.2.0/", "5.6"),
        ("v=spf1 ip4:2001:db8::1", "5.6"),
        ("v=spf1 ip6:fe80::1%eth0", "5.6"),
        ("v=spf1 ip6:::/129", "5.6"),
        ("v=spf1 exists:", "5.7"),
        ("v=spf1 redirect=a.test redirect=b.test", "6"),
        ("v=spf1 redirect=", "7.1"),
        ("v=spf1 odd=%{z}", "7.1"),
    ],
)
def test_a_broken_record_is_refused_with_its_section(text: str, section: str):
    with pytest.raises(RecordError) as caught:
        spf.parse(text)
    assert caught.value.section == f"RFC 7208 section {section}"
    assert caught.value.text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "claims"), [("v=spf1", True), ("v=spf1 a", True), ("v=spf10 a", False), ("v=DMARC1", False), ("", False)]
)
def test_only_an_exact_version_is_an_spf_record(text: str, claims: bool):
    assert spf.is_spf(text) is claims


def test_the_records_own_lookups_are_counted():
    assert spf.parse("v=spf1 a mx ptr ip4:192.0.2.1 exists:a.test include:b.test redirect=c.test").lookups == 6


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str):
    for each in (text, "v=spf1 " + text):
        with contextlib.suppress(RecordError):
            spf.parse(each)


@given(
    st.lists(st.sampled_from(["a", "mx", "-", "ip4", "ip6", ":", "/", "//", "1", "%{d}", "%", "=", "exp", " ", "}"]))
)
def test_any_mix_of_pieces_is_read_or_refused(pieces: list[str]):
    with contextlib.suppress(RecordError):
        spf.parse("v=spf1 " + "".join(pieces))
