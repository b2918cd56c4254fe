"""Random inputs for the parsers of what strangers send: only the exceptions that are declared, and few steps a byte."""

from __future__ import annotations

import os
from functools import partial

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.model.errors import Garbage
from exporter.net import http
from exporter.net.dns import message as dns_message
from exporter.net.imap import parser
from exporter.net.imap.reader import Reader
from exporter.net.sasl.mechanisms import Scram
from exporter.probes.records import spf
from exporter.probes.records.errors import RecordError
from exporter.probes.roundtrip import authentication, report
from exporter.probes.roundtrip.message import altered
from tests.hostile import shapes
from tests.hostile.steps import steps

bounded = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")))
QUERY, CHAINS = shapes.pointers(200)


def words(*known: bytes) -> st.SearchStrategy[bytes]:
    """Pieces that mean something to the parser, among others, repeated."""
    piece = st.one_of(st.sampled_from(known), st.binary(max_size=8))
    return st.lists(st.tuples(piece, st.integers(1, 60)), max_size=12).map(
        lambda pieces: b"".join(each * times for each, times in pieces)
    )


@bounded
@given(
    words(b"--b\r\n", b"\r\n", b"--b--", b"Content-Type: message/rfc822", b"message/delivery-status", b"Action: failed")
)
@example(shapes.nested_messages(1500))
@example(shapes.nested_multiparts(5_000))
def test_a_report(raw):
    for mail in (raw, shapes.REPORT_HEAD + raw):
        report.read(mail)
        report.may_be_report(mail)
        altered(mail)
        assert steps(partial(report.read, mail)) < 6_000


@bounded
@given(words(b"(", b")", b'"', b"\\", b";", b"spf=pass"))
@example(shapes.comments(4_000))
def test_a_verdict(raw):
    value = b"Authentication-Results: x; " + raw.replace(b"\n", b"")
    assert set(authentication.results(value)) <= set(authentication.METHODS)
    assert steps(lambda: authentication.results(value)) < 10 * len(value) + 200


@bounded
@given(words(b" ", b":", b"\r\n", b"Server: a"))
@example(shapes.blanks(30_000).encode())
def test_the_head_of_a_web_servers_answer(raw):
    try:
        http._parse("HTTP/1.1 200 OK\r\n" + raw.decode("latin-1"))
    except Garbage:
        return


@bounded
@given(words(b"\xc0\x0c", b"\x00\x10\x00\x01", b"\x01a"))
@example(CHAINS[21:])
def test_a_dns_answer(raw):
    reply = CHAINS[:21] + raw
    try:
        dns_message.parse(reply, QUERY)
    except dns_message.BadMessageError:
        return


@bounded
@given(words(b" a", b" redirect=", b"%{s}", b" ip4:1.2.3.4"))
@example(b" a" * 32_000)
def test_an_spf_record(raw):
    try:
        spf.parse("v=spf1 " + raw.decode("latin-1"))
    except RecordError:
        return


@bounded
@given(words(b"* LIST ", b"* 1 FETCH ", b"(", b")", b'"', b"{3}\r\n", b"{99999}\r\n", b"\r\n"))
@example(shapes.literals(2_000))
@example(shapes.parentheses(10_000))
def test_an_imap_answer(raw):
    try:
        responses = list(Reader().feed(raw))
    except Garbage:
        return
    for each in responses:
        parser.fetched(each)
        parser.folder(each)
        parser.status(each)
        parser.quota(each)


@bounded
@given(words(b"A", b"=", b",", b"i=4096", b"s="))
@example(b"A,i=4096")
def test_a_scram_challenge(raw):
    try:
        Scram("user", "secret", "nonce").answer(b"r=noncex,s=" + raw.replace(b"i=", b"i=4096,"))
    except Garbage:
        return
