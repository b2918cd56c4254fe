"""Tests that the IMAP parser accepts replies that violate the grammar, and never raises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.net import utf7
from exporter.net.imap import parser, writer
from exporter.net.imap.folders import Folder
from exporter.net.imap.parser import Quota, Status


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_name_survives_modified_utf7(name):
    encoded = utf7.encode(name)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert utf7.decode(encoded) == name


@given(st.text())
def test_decoding_never_raises(raw):
    utf7.decode(raw)


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("垃圾邮件", "&V4NXPpCuTvY-"),
        ("已发送邮件", "&XfJT0ZABkK5O9g-"),
        ("R&D", "R&-D"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("📬", "&2D3c7A-"),
    ],
)
def test_known_names_in_modified_utf7(name, encoded):
    assert (utf7.encode(name), utf7.decode(encoded)) == (encoded, name)


@pytest.mark.parametrize("raw", ["Tom & Jerry", "&!!-", "&2D0-", "&V4-", "a&b"])
def test_what_is_not_modified_utf7_stays_readable(raw):
    assert utf7.decode(raw) == raw


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (rb'* LIST (\HasNoChildren \Sent) "/" Sent', ("Sent", "Sent", {"\\hasnochildren", "\\sent"}, "/")),
        (rb'* list () "." "INBOX.&V4NXPpCuTvY-"', ("INBOX.&V4NXPpCuTvY-", "INBOX.垃圾邮件", set(), ".")),
        (rb'* LIST () NIL "a \"b\" \\c"', ('a "b" \\c', 'a "b" \\c', set(), "")),
        (rb'* LIST () "/" Sent Items', ("Sent Items", "Sent Items", set(), "/")),
        (rb'* LIST () "/" NIL', ("NIL", "NIL", set(), "/")),
        (rb'* LIST (\Noselect) "/" [Gmail]', ("[Gmail]", "[Gmail]", {"\\noselect"}, "/")),
    ],
)
def test_list(line, expected):
    name, decoded, flags, delimiter = expected
    assert parser.folder((line,)) == Folder(name, decoded, frozenset(flags), delimiter)


def test_list_with_a_literal():
    assert parser.folder((rb'* LIST () "/" {8}', b'a "x" {3', b"")) == Folder('a "x" {3', 'a "x" {3', delimiter="/")


def test_list_with_a_name_in_raw_utf8_keeps_its_bytes():
    folder = parser.folder(('* LIST () "/" "垃圾邮件"'.encode(),))
    assert folder == Folder("垃圾邮件", "垃圾邮件", delimiter="/")
    assert writer.string(folder.name) == "垃圾邮件".encode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"* STATUS INBOX (MESSAGES 231 UIDNEXT 44292 UNSEEN 7 UIDVALIDITY 1)", Status(231, 7, 44292, 1)),
        (b'* STATUS "a b" (UNSEEN 0)', Status(None, 0)),
        (b"* STATUS a b (messages 1)", Status(1)),
        (b"* STATUS INBOX ()", Status()),
        (b"* STATUS INBOX (MESSAGES x UNSEEN -1)", Status()),
        (b"* STATUS INBOX (MESSAGES 99999999999999999999)", Status()),
        (b"* STATUS INBOX", None),
    ],
)
def test_status(line, expected):
    assert parser.status((line,)) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'* QUOTA "" (STORAGE 10 512)', Quota("", 10240, 524288)),
        (b'* QUOTA "User quota" (STORAGE 0 1 MESSAGE 3 100)', Quota("User quota", 0, 1024, 3, 100)),
        (b"* QUOTA User quota (STORAGE 0 1 MESSAGE 3 100)", Quota("User quota", 0, 1024, 3, 100)),
        (b"* QUOTA (STORAGE 0 1)", Quota("", 0, 1024)),
        (b"* QUOTA #user/alice (message 3 100 X-OTHER 1 2)", Quota("#user/alice", None, None, 3, 100)),
        (b"* QUOTA root ()", Quota("root")),
        (b"* QUOTA root (STORAGE 10)", Quota("root")),
        (b"* QUOTA root", None),
    ],
)
def test_quota_in_bytes(line, expected):
    assert parser.quota((line,)) == expected


def test_fetch_with_a_header_in_a_literal():
    found = parser.fetched(
        (rb"* 12 FETCH (FLAGS (\Seen) UID 7 BODY[HEADER.FIELDS (SUBJECT X-A)] {6}", b"a: b\r\n", b" X (1 (2)))")
    )
    assert found is not None
    assert (found.sequence, found.uid, found.body()) == (12, 7, b"a: b\r\n")
    assert found.items[b"FLAGS"] == [b"\\Seen"]


@pytest.mark.parametrize("line", [b"* 1 FETCH", b"* x FETCH (UID 1)", b"* 1 FETCH UID 1", b"*"])
def test_broken_fetch_is_none(line):
    assert parser.fetched((line,)) is None


def test_body_that_is_nil_is_empty_and_a_missing_one_is_none():
    empty = parser.fetched((b"* 1 FETCH (UID 1 BODY[]<0> NIL)",))
    missing = parser.fetched((b"* 1 FETCH (UID 1)",))
    assert empty is not None
    assert missing is not None
    assert (empty.body(), missing.body()) == (b"", None)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (b"17-Jul-1996 02:44:25 -0700", 837596665.0),
        (b" 7-Feb-1994 21:52:25 +0530", 760638145.0),
        (b"7-feb-1994 21:52:25", 760657945.0),
        (b"30-Xxx-2020 00:00:00 +0000", None),
        (b"99-Jan-2020 00:00:00 +0000", None),
        (b"01-Jan-2020 25:00:00 +0000", None),
        (b"", None),
        (None, None),
    ],
)
def test_internal_date_is_unix_time(date, expected):
    assert parser.internal_date(date) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[UIDNEXT 7] next", ("UIDNEXT", "7")),
        ("[alert] Read me", ("ALERT", "")),
        ("[CAPABILITY IMAP4rev1 IDLE]", ("CAPABILITY", "IMAP4rev1 IDLE")),
        ("[PERMANENTFLAGS (\\Deleted \\*)] ok", ("PERMANENTFLAGS", "(\\Deleted \\*)")),
        ("no code [here]", ("", "")),
        ("[unfinished", ("", "")),
    ],
)
def test_response_code(text, expected):
    assert parser.code(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", '"a b"'),
        ("", '""'),
        ('q"u\\o', '"q\\"u\\\\o"'),
        ("tab\t", b"tab\t"),
        ("密码", "密码".encode()),
    ],
)
def test_string_is_quoted_where_that_is_allowed_and_else_a_literal(text, expected):
    assert writer.string(text) == expected


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\0b", "\ud800"])
def test_string_refuses_what_would_end_the_line(text):
    with pytest.raises(ValueError):
        writer.string(text)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"(", b")", b'"', b"\\", b"{3}", b"NIL", b"[", b"]", b"* "])))
def test_nothing_that_a_server_sends_raises(pieces):
    response = (b"* LIST " + b" ".join(pieces), b"literal", b" ".join(pieces))
    for read in (parser.folder, parser.status, parser.quota, parser.fetched):
        read(response)
        read(tuple(pieces) or (b"",))


@pytest.mark.parametrize("piece", [b"(", b")", b'"', b"[", b"\\", b'"\\', b"a[", b"()"])
def test_a_line_of_nothing_but_brackets_or_quotes_is_read_to_its_end(piece):
    assert isinstance(parser.tokens((b"* X " + piece * (60_000 // len(piece)),)), list)
