"""Cuts the byte stream of an IMAP server into responses, with limits for lines and literals. No I/O.

In: bytes as they arrive from the Wire. Out: complete responses, ready for the parser. Each byte is scanned once. Raises
Garbage when a limit is exceeded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from exporter.model import bounds
from exporter.model.errors import Garbage
from exporter.model.text import clean
from exporter.net.text import decode

MAX_LINE = bounds.IMAP_LINE
MAX_LITERAL = bounds.IMAP_LITERAL
MAX_LINES = bounds.IMAP_LINES
MAX_BYTES = bounds.IMAP_COMMAND

Response = tuple[bytes, ...]
"""Text, literal, text, literal, … text, without line ends. Nearly always a single text."""

_LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}\Z")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_FREE_TEXT = (b"OK ", b"NO ", b"BAD", b"BYE")


class Reader:
    """Takes bytes and returns complete responses. Raises Garbage when the server exceeds a limit."""

    __slots__ = ("_at", "_buffer", "_bytes", "_count", "_missing", "_parts", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # start of the unread part of the buffer
        self._scanned = 0  # the buffer has no line end before this offset
        self._missing: int | None = None  # bytes of the current literal that are still missing
        self._parts: list[bytes] = []  # parts of a response with literals
        self._count = 0  # lines since the last command
        self._bytes = 0  # likewise, literals included

    def feed(self, data: bytes) -> Iterator[Response]:
        """Yield the responses that are complete now. Empty lines count against the limit but are not returned."""
        buffer = self._buffer
        del buffer[: self._at]
        self._scanned = max(0, self._scanned - self._at)
        self._at = 0
        self._bytes += len(data)
        if self._bytes > MAX_BYTES:
            raise Garbage(f"more than {MAX_BYTES} bytes to one command, now: {_start(data)}")
        buffer += data
        while (line := self._line()) is not None:
            self._count += 1
            if self._count > MAX_LINES:
                raise Garbage(f"more than {MAX_LINES} lines in answer to one command, the last one: {_start(line)}")
            parts = self._parts
            size = None
            # Free text may end in `{12}` without announcing a literal. Only untagged data responses have literals.
            if parts or (line.startswith(b"* ") and line[2:5].upper() not in _FREE_TEXT):
                size = literal_size(line)
            if size is None:
                if parts and not line and _is_open(parts):
                    continue  # some servers send an empty line after a literal
                if parts:
                    self._parts = []
                    yield (*parts, line)
                elif line:
                    yield (line,)
            elif size > MAX_LITERAL:
                raise Garbage(f"a literal of {size} bytes: {_start(line)}")
            else:
                parts.append(line)
                self._missing = size

    def whole_lines(self, data: bytes) -> list[bytes] | None:
        """The fast path of `feed` for the usual case: whole lines without a literal, and an empty buffer.

        Returns None, and changes nothing, if this is not the case.
        """
        if (
            data[-2:] != b"\r\n"
            or len(data) > MAX_LINE
            or b"}\r" in data
            or self._at != len(self._buffer)
            or self._missing is not None
            or self._parts
        ):
            return None
        lines = data.split(b"\r\n")
        if (
            data.count(b"\n") != len(lines) - 1
            or self._count + len(lines) > MAX_LINES
            or self._bytes + len(data) > MAX_BYTES
        ):
            return None
        self._bytes += len(data)
        self._count += len(lines) - 1
        return [line for line in lines if line]

    def _line(self) -> bytes | None:
        buffer, at = self._buffer, self._at
        if self._missing is not None:
            if len(buffer) - at < self._missing:
                return None
            with memoryview(buffer) as view:  # one copy, not two
                self._parts.append(bytes(view[at : at + self._missing]))
            self._at = at = at + self._missing
            self._missing = None
        end = buffer.find(b"\n", max(at, self._scanned))
        length = (end if end >= 0 else len(buffer)) - at
        if length > MAX_LINE:
            raise Garbage(f"a line of more than {MAX_LINE} bytes: {_start(bytes(buffer[at : at + 80]))}")
        if end < 0:
            self._scanned = len(buffer)
            return None
        self._at = end + 1
        return bytes(buffer[at:end]).removesuffix(b"\r")

    def restart(self) -> None:
        """Start counting lines and bytes for a new command."""
        self._count = self._bytes = 0

    def drop(self) -> int:
        """Forget the bytes that were not returned yet, and return their number."""
        dropped = len(self._buffer) - self._at
        self._buffer.clear()
        self._parts = []
        self._missing = None
        self._at = self._scanned = 0
        return dropped

    def unfinished(self) -> bytes:
        """Return the incomplete response at the end of a connection, without its literals (they are mail)."""
        text = b"".join(self._parts[::2])
        return text if self._missing is not None else text + bytes(self._buffer[self._at :])


def _is_open(parts: list[bytes]) -> bool:
    """Tell whether a parenthesis of a response is still open, so that an empty line cannot be its end."""
    plain = [_QUOTED.sub(b"", part) for part in parts[::2]]
    return sum(part.count(b"(") - part.count(b")") for part in plain) > 0


def literal_size(line: bytes) -> int | None:
    """Return the size of the literal that this line announces at its end, or None."""
    found = _LITERAL.search(line, max(0, len(line) - 24)) if line.endswith(b"}") else None
    return int(found[1]) if found else None


def without_literal(line: bytes) -> bytes:
    """Return the line without the literal announcement at its end."""
    return _LITERAL.sub(b"", line)


def _start(line: bytes) -> str:
    return clean(decode(line[:200]), 80)
