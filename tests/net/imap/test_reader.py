"""Tests that the reader splits the stream into the same responses for any segments, within its limits."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.errors import Garbage
from exporter.net.imap.reader import MAX_LINE, MAX_LINES, MAX_LITERAL, Reader

STREAM = (
    b'* LIST () "/" {4}\r\na\r\nb\r\n'
    b"* 1 FETCH (BODY[] {0}\r\n UID 5 X ~{2}\r\n\0\n)\r\n"
    b"\r\n"
    b"* OK this is no literal {12}\r\n"
    b"+ go on {3}\r\n"
    b"A1 OK neither {7}\n"
)
RESPONSES = [
    (b'* LIST () "/" {4}', b"a\r\nb", b""),
    (b"* 1 FETCH (BODY[] {0}", b"", b" UID 5 X ~{2}", b"\0\n", b")"),
    (b"* OK this is no literal {12}",),
    (b"+ go on {3}",),
    (b"A1 OK neither {7}",),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=len(STREAM)))
def test_segments_do_not_matter(cuts):
    reader = Reader()
    places = [0, *sorted(cuts), len(STREAM)]
    found = [each for start, end in itertools.pairwise(places) for each in reader.feed(STREAM[start:end])]
    assert found == RESPONSES
    assert reader.unfinished() == b""


def test_one_byte_at_a_time():
    reader = Reader()
    assert [each for byte in STREAM for each in reader.feed(bytes([byte]))] == RESPONSES


def test_reading_can_stop_after_any_response_and_go_on_later():
    reader = Reader()
    assert next(iter(reader.feed(STREAM))) == RESPONSES[0]
    assert list(reader.feed(b"")) == RESPONSES[1:]


def test_what_was_not_given_out_can_be_dropped():
    reader = Reader()
    next(iter(reader.feed(b"A1 OK begin TLS\r\nA2 OK injected\r\n* half")))
    assert reader.drop() == len(b"A2 OK injected\r\n* half")
    assert list(reader.feed(b"* OK clean\r\n")) == [(b"* OK clean",)]


def test_an_endless_line_is_refused():
    reader = Reader()
    assert list(reader.feed(b"* " + b"a" * (MAX_LINE - 2))) == []
    with pytest.raises(Garbage, match="a line of more than"):
        list(reader.feed(b"a"))


def test_a_line_that_is_too_long_is_refused_although_it_ends():
    with pytest.raises(Garbage, match="a line of more than"):
        list(Reader().feed(b"* " + b"a" * MAX_LINE + b"\r\n"))


@pytest.mark.parametrize("size", [str(MAX_LITERAL + 1), "9" * 20])
def test_a_huge_literal_is_refused_before_it_comes(size):
    with pytest.raises(Garbage, match="a literal of"):
        list(Reader().feed(b"* 1 FETCH (BODY[] {%b}\r\n" % size.encode()))


def test_too_many_lines_are_refused_and_empty_ones_count():
    reader = Reader()
    assert len(list(reader.feed(b"* X\r\n" * 10 + b"\r\n" * (MAX_LINES - 10)))) == 10
    with pytest.raises(Garbage, match="more than"):
        list(reader.feed(b"* X\r\n"))


def test_a_new_command_may_have_as_many_lines_again():
    reader = Reader()
    list(reader.feed(b"\r\n" * MAX_LINES))
    reader.restart()
    assert list(reader.feed(b"* X\r\n")) == [(b"* X",)]


def test_last_words_leave_mail_out():
    reader = Reader()
    list(reader.feed(b"* 1 FETCH (BODY[] {100}\r\nDear Bob, a secret"))
    assert reader.unfinished() == b"* 1 FETCH (BODY[] {100}"


def test_an_empty_line_after_a_literal_is_not_the_end_while_a_parenthesis_is_open():
    """Some servers send one; the end of a response whose last part is a literal is an empty rest, too."""
    open_still = b"* 1 FETCH (BODY[] {2}\r\nab\r\n\r\n UID 5)\r\n"
    assert list(Reader().feed(open_still)) == [(b"* 1 FETCH (BODY[] {2}", b"ab", b" UID 5)")]
    closed = b'* LIST () "/" {2}\r\nab\r\n* OK next\r\n'
    assert list(Reader().feed(closed)) == [(b'* LIST () "/" {2}', b"ab", b""), (b"* OK next",)]
    in_quotes = b'* LIST () "(" {2}\r\nab\r\n* OK next\r\n'
    assert list(Reader().feed(in_quotes)) == [(b'* LIST () "(" {2}', b"ab", b""), (b"* OK next",)]
