"""Sends one HTTP/1.1 GET request (RFC 9112) over a Wire and reads the head of the response.

Used by the webmail probe. In: a connected Wire, host and path. Out: a Head (status line and header fields). The body is
thrown away. Query strings never reach the transcript, because they may hold session keys.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter import __version__
from exporter.model.errors import Garbage, ServerClosed
from exporter.model.text import clean
from exporter.model.trace import Trace
from exporter.net.text import decode, garbage, is_binary
from exporter.net.wire import Wire

MAX_LINE = 8192  # bytes
MAX_HEAD = 32768  # bytes of the status line and all header fields together
MAX_INTERIM = 5  # 1xx responses before the final one (RFC 9110 section 15.2)
AGENT = f"mailprobe/{__version__}"

_STATUS = re.compile(r"(HTTP/1\.[01]) ([1-5]\d\d)(?: (.*))?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response. Names of header fields are in lower case."""

    line: str  # HTTP/1.1 200 OK
    status: int
    fields: tuple[tuple[str, str], ...]

    def field(self, name: str) -> str:
        """Return the value of the first header field with this name, or ""."""
        return next((value for each, value in self.fields if each == name), "")


class _Sink:
    """Collects bytes until the head is complete, and drops everything after it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._loop = asyncio.get_running_loop()
        self.head: asyncio.Future[bytes] = self._loop.create_future()
        self._interim = 0

    def data_received(self, data: bytes) -> None:
        if self.head.done():
            return
        buffer = self._buffer
        buffer += data[: MAX_HEAD + 1]
        if not b"HTTP/".startswith(bytes(buffer[:5])) or is_binary(bytes(buffer[:64])):
            self._fail(garbage(bytes(buffer), "HTTP"))
        else:
            self._look(buffer)

    def _look(self, buffer: bytearray) -> None:
        while not self.head.done():
            end = _end_of_head(buffer)
            if end < 0:
                line = buffer.find(b"\n")
                if len(buffer) > MAX_HEAD or (line < 0 and len(buffer) > MAX_LINE):
                    self._fail(Garbage(f"a head longer than {MAX_HEAD} bytes: {decode(bytes(buffer[:80]))}"))
                return
            head = bytes(buffer[:end])
            del buffer[:end]
            if head[8:11] == b" 10" and self._interim < MAX_INTERIM:  # 100, 102, 103: the final response follows
                self._interim += 1
                continue
            self.head.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        words = decode(bytes(self._buffer)).rstrip()
        self._fail(exc if isinstance(exc, Garbage) or (exc is not None and not words) else ServerClosed(words))

    def _fail(self, fault: Exception) -> None:
        if not self.head.done():
            self.head.set_exception(fault)
            self.head.exception()  # marks the exception as retrieved: nobody may be waiting any more


def _end_of_head(buffer: bytearray) -> int:
    """Return the offset after the empty line that ends the head, or -1.

    A lone LF is accepted in place of CRLF (RFC 9112 section 2.2).
    """
    ends = [found + len(mark) for mark in (b"\r\n\r\n", b"\n\n", b"\n\r\n") if (found := buffer.find(mark)) >= 0]
    return min(ends, default=-1)


async def get(wire: Wire, host: str, target: str, trace: Trace, *, timeout: float | None = None) -> Head:
    """Request `target` (path and query) from `host` and return the head of the response.

    `host` includes the port where it is not 443. Raises Garbage, ServerClosed, OSError. Any status code is a valid
    response.
    """
    sink = _Sink()
    wire.attach(sink)
    shown = target.partition("?")[0] + ("?…" if "?" in target else "")  # a query may hold a session key
    trace.said(">", f"GET {shown} HTTP/1.1")
    trace.said(">", f"Host: {host}")
    wire.write(
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\n"
        "Accept: text/html, */*;q=0.5\r\nConnection: close\r\n\r\n".encode()
    )
    async with asyncio.timeout(timeout):
        raw = await sink.head
    head = _parse(decode(raw))
    trace.said("<", head.line)
    for name in ("server", "location", "retry-after"):
        if value := head.field(name):
            trace.said("<", f"{name}: {without_query(value) if name == 'location' else value}")
    return head


def _parse(text: str) -> Head:
    first, *rest = text.splitlines()
    found = _STATUS.fullmatch(first)
    if found is None:
        raise garbage(first.encode(), "HTTP") if not first.startswith("HTTP/") else Garbage(f"no status: {first[:80]}")
    fields = (line.partition(":") for line in rest)
    named = tuple((name.lower(), value.strip(" \t")) for name, _, value in fields if _NAME.fullmatch(name))
    return Head(clean(first, 200), int(found[2]), named)


def without_query(location: str) -> str:
    """Return a URL that is safe to show, without query, fragment, user name and password."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "(not a URL)"
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    return clean(shown.partition(";")[0] + ("?…" if parts.query else ""), 300)
