"""Inputs that were made to stop the program: each grows with its size. The seeds of the fuzzing, too."""

from __future__ import annotations

import struct

REPORT_HEAD = b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'


def nested_messages(depth: int) -> bytes:
    """A report in which one message/rfc822 holds the next: 1,500 are 48 KiB, and once ended every run of a route."""
    return REPORT_HEAD + b"--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * depth


def nested_multiparts(lines: int, depth: int = 300) -> bytes:
    """A report with so many open boundaries, then empty lines: each line was compared with each boundary."""
    opened = b"".join(
        b'--%d\r\nContent-Type: multipart/mixed; boundary="%d"\r\n\r\n' % (level, level + 1) for level in range(depth)
    )
    return REPORT_HEAD.replace(b'"b"', b'"0"') + opened + b"\r\n" * lines


def delimiters(count: int) -> bytes:
    return REPORT_HEAD + b"--b\r\n\r\n" * count


def false_delimiters(count: int) -> bytes:
    return REPORT_HEAD + b"--bb\r\n" * count


def recipients(count: int) -> bytes:
    status = b"Final-Recipient: rfc822; x@example.test\r\nAction: delayed\r\n\r\n" * count
    return REPORT_HEAD + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n" + status + b"--b--\r\n"


def parameters(count: int) -> bytes:
    return b"Content-Type: multipart/report" + b'; a="\\"' * count + b"\r\n\r\n"


def folded(count: int) -> bytes:
    return b"Content-Type: multipart/report;" + b"\r\n x=y;" * count + b"\r\n\r\n"


def comments(count: int) -> bytes:
    """An Authentication-Results field whose comments nest."""
    return b"Authentication-Results: mx.example.test; " + b"(" * count + b")" * count + b" spf=pass\r\n\r\n"


def open_quotes(count: int) -> bytes:
    return b'Authentication-Results: mx.example.test; "' + b'\\"' * count + b"\r\n\r\n"


def blanks(count: int) -> str:
    """The head of an HTTP answer with so many blanks in one field."""
    return "HTTP/1.1 200 OK\r\nServer: a" + " " * count + "b\r\n"


def pointers(length: int, records: int = 50) -> tuple[bytes, bytes]:
    """(query, reply): names that are chains of so many compression pointers (RFC 1035 section 4.1.4)."""
    ident = b"\x12\x34"
    question = b"\x01a\x00" + struct.pack("!HH", 16, 1)
    query = ident + struct.pack("!5H", 0x0100, 1, 0, 0, 0) + question
    at = 12 + len(question)  # the first record: a TXT whose data are the chain
    data = at + 12
    chain = b"".join(
        struct.pack("!H", 0xC000 | (12 if index == 0 else data + 2 * (index - 1))) for index in range(length)
    )
    first = struct.pack("!H", 0xC00C) + struct.pack("!HHIH", 10, 1, 60, len(chain)) + chain
    last = struct.pack("!H", 0xC000 | (data + 2 * (length - 1)))
    others = (last + struct.pack("!HHIH", 16, 1, 60, 2) + b"\x01x") * records
    reply = ident + struct.pack("!5H", 0x8180, 1, 1 + records, 0, 0) + question + first + others
    return query, reply


def records(kind: int, data: bytes, count: int) -> bytes:
    """An answer to the query of `pointers` with so many records of a type."""
    each = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
    question = b"\x01a\x00" + struct.pack("!HH", 16, 1)
    return b"\x12\x34" + struct.pack("!5H", 0x8180, 1, count, 0, 0) + question + each * count


def spf_terms(count: int) -> str:
    return "v=spf1" + " a" * count


def capabilities(count: int) -> bytes:
    return b"* CAPABILITY" + b" X" * count + b"\r\n"


def literals(count: int) -> bytes:
    """One LIST response of so many literals."""
    return b'* LIST () "/"' + b" {1}\r\nx" * count + b"\r\n"


def parentheses(count: int) -> bytes:
    return b"* 1 FETCH " + b"(" * count + b")" * count + b"\r\n"
