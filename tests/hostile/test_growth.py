"""The work of each reader of foreign bytes grows with the bytes, and no faster, whatever their shape is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.net import http
from exporter.net.dns import message as dns_message
from exporter.probes.records import spf
from exporter.probes.roundtrip import authentication, report
from tests.hostile import shapes
from tests.hostile.steps import grows_linearly, steps

# What reads, what it is given, and a size.
GROWING: dict[str, tuple[Callable[[Any], object], Callable[[int], Any], int]] = {
    "report: nested messages": (report.read, shapes.nested_messages, 200),
    "report: nested multiparts": (report.read, shapes.nested_multiparts, 2_000),
    "report: delimiters": (report.read, shapes.delimiters, 200),
    "report: false delimiters": (report.read, shapes.false_delimiters, 100),
    "report: recipients": (report.read, shapes.recipients, 100),
    "report: parameters": (report.may_be_report, shapes.parameters, 200),
    "report: folded header": (report.may_be_report, shapes.folded, 200),
    "verdict: comments": (authentication.results, shapes.comments, 500),
    "verdict: open quotes": (authentication.results, shapes.open_quotes, 500),
    "http: blanks": (http._parse, shapes.blanks, 1_000),
    "spf: terms": (spf.parse, shapes.spf_terms, 100),
    "dns: pointers": (lambda asked: dns_message.parse(asked[1], asked[0]), shapes.pointers, 30),
}


@pytest.mark.parametrize("name", GROWING)
def test_steps_grow_linearly(name):
    read, shape, size = GROWING[name]
    assert grows_linearly(read, shape, size) == ""


def test_a_message_of_pointer_chains_is_refused_after_few_steps():
    query, reply = shapes.pointers(5_800, 990)
    with pytest.raises(dns_message.BadMessageError):
        dns_message.parse(reply, query)
    assert steps(lambda: dns_message.parse(reply, query)) < 2_000


def test_many_names_that_share_a_chain_are_refused_after_few_steps():
    query, reply = shapes.pointers(120, 990)
    with pytest.raises(dns_message.BadMessageError, match="too many steps"):
        dns_message.parse(reply, query)
    assert steps(lambda: dns_message.parse(reply, query)) < 100_000


@pytest.mark.parametrize("kind", [2, 47, 50, 257])
def test_odd_labels_and_records_that_nobody_asked_for_cost_few_steps(kind):
    """50 NSEC records in an answer to a TXT query once took 23 million steps: 1.4 s."""
    query = shapes.pointers(1, 1)[0]
    odd = (b"\x3f" + b"\0" * 63) * 3 + b"\0"
    types = b"\0" + b"".join(bytes((window, 32)) + b"\xff" * 32 for window in range(30))
    reply = shapes.records(kind, odd if kind == 2 else types, 50)
    assert steps(lambda: dns_message.parse(reply, query)) < 100_000


def test_an_spf_record_with_thousands_of_terms_is_refused_after_few_steps():
    assert steps(lambda: spf.parse(shapes.spf_terms(32_000))) < 200


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("mx; (a (b (c)) d) spf=pass", {"spf": True}),
        ('mx; spf=pass reason="a;dkim=fail"; dmarc=fail', {"spf": True, "dmarc": False}),
        ("mx; spf=pass (open; dkim=fail", {"spf": True}),
        ('mx; spf=pass "open; dkim=fail', {"spf": True}),
        (r"mx; (a \) b) spf=pass", {"spf": True}),
        ("mx; ) spf=pass", {"spf": True}),
    ],
)
def test_comments_and_quotes_are_taken_out(value, found):
    assert authentication.results(f"Authentication-Results: {value}\r\n\r\n".encode()) == found


def test_a_header_field_of_blanks_is_read():
    assert http._parse(shapes.blanks(30_000)).field("server") == "a" + " " * 30_000 + "b"
