"""Tests that our parser of DNS messages agrees with dnspython, and that no input makes it crash."""

from __future__ import annotations

import contextlib

import dns.message
import dns.name
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.net.dns import message

LABEL = st.from_regex(r"\A[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?\Z")
NAME = st.lists(LABEL, min_size=1, max_size=6).map(".".join)


@given(NAME)
def test_names_are_written_as_dnspython_writes_them(name: str):
    assert message.encode_name(name) == dns.name.from_text(name).to_wire()


@given(NAME, st.lists(st.tuples(st.integers(0, 65535), NAME), min_size=1, max_size=8, unique=True))
def test_compressed_answers_are_read_as_dnspython_reads_them(name: str, exchangers: list[tuple[int, str]]):
    query = dns.message.make_query(name, "MX")
    reply = dns.message.make_response(query)
    texts = [f"{preference} {host}." for preference, host in exchangers]
    reply.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", "MX", *texts))
    asked = message.query(query.id, message.encode_name(name), 15)
    found = message.parse(reply.to_wire(), asked)
    assert found is not None
    assert {record.text for record in found.answer} == {text.removesuffix(".") for text in texts}
    assert {record.name for record in found.answer} == {name}


@settings(max_examples=300)
@given(st.binary(max_size=120), st.binary(min_size=10, max_size=10))
def test_arbitrary_bytes_are_read_or_refused(tail: bytes, head: bytes):
    asked = message.query(0x1234, message.encode_name("a.test"), 16)
    for data in (b"\x12\x34" + head + tail, b"\x12\x34\x81\x80\0\1\0\2\0\1\0\1" + asked[12:-11] + tail):
        with contextlib.suppress(message.BadMessageError):
            message.parse(data, asked)


@settings(max_examples=300)
@given(st.integers(0, 200), st.integers(0, 255))
def test_one_flipped_byte_never_breaks_the_reader(position: int, value: int):
    query = dns.message.make_query("example.test", "TXT")
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text("example.test.", 300, "IN", "TXT", '"v=spf1 -all"', '"other"'))
    reply.answer.append(dns.rrset.from_text("example.test.", 300, "IN", "CAA", '0 issue "ca.test"'))
    data = bytearray(reply.to_wire())
    data[position % len(data)] = value
    asked = message.query(query.id, message.encode_name("example.test"), 16)
    with contextlib.suppress(message.BadMessageError):
        message.parse(bytes(data), asked)


def test_a_name_that_points_at_itself_is_refused():
    asked = message.query(1, message.encode_name("a.test"), 1)
    loop = b"\0\1\x81\x80\0\1\0\1\0\0\0\0" + asked[12:-11] + b"\xc0\x18" + b"\0\1\0\1\0\0\0\1\0\4\1\2\3\4"
    with pytest.raises(message.BadMessageError):
        message.parse(loop, asked)


def test_strange_bytes_in_a_name_are_shown_escaped():
    query = dns.message.make_query("example.test", "MX")
    reply = dns.message.make_response(query)
    reply.answer.append(dns.rrset.from_text("example.test.", 300, "IN", "MX", "10 a\\.b\\010c.test."))
    asked = message.query(query.id, message.encode_name("example.test"), 15)
    found = message.parse(reply.to_wire(), asked)
    assert found is not None
    assert found.answer[0].text == "10 a\\046b\\010c.test"
