"""The SMTP protocol: aiosmtplib's `SMTPProtocol` with its reading part replaced.

It sends one command at a time over a `Wire` and returns replies with all their lines. Every fault becomes an exception.

Used as they are: `execute_command` with its lock, its line end and its check for injected control characters, the
sending in `write`, `SMTPResponse`, and in the session the parser of EHLO and the encoding of a message for DATA.

Overridden, and why:

- `connection_made`: ours keeps a greeting that comes before `read_response` is called.
- `data_received`: the original drops what arrives between commands (a 421 before the server closes), removes the codes
  from the lines, and escapes replies in other charsets. Ours keeps every line as it was sent, within limits.
- `read_response`: ours returns replies that came before they were asked for, and leaves deadlines to `asyncio.timeout`.
- `connection_lost`: the original reports every end of the connection as "Connection lost". Ours raises the server's
  last words or the socket's error.
- `write`: where the server has said goodbye already, its words are raised instead of sending.

Not used: `execute_data_command` and `start_tls`. They raise exceptions of their own without the reply's lines, do not
tell when the whole message was handed over, and start TLS through the event loop instead of on the `Wire`. `SMTP.login`
tries every mechanism in turn, so that one wrong password becomes three refused logins.

tests/net/smtp/test_seam.py pins all that is used or overridden.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from exporter.model import Service
from exporter.model.errors import Garbage, Refusal, ServerClosed
from exporter.model.trace import Trace
from exporter.net.mask import Mask
from exporter.net.text import decode, garbage, is_binary
from exporter.net.wire import Wire

MAX_LINE = 8192  # bytes
MAX_REPLY = 32768  # bytes


class SmtpProtocol(SMTPProtocol):
    """`read_response` returns (code, all lines with their codes), or raises the reason why the connection ended."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self.mask = Mask()
        self.credential_next = False  # the next command holds the user name or the secret
        self._trace = trace
        self._scanned = 0  # bytes of the buffer that hold no line end
        self._lines: list[str] = []  # lines of the reply that is still arriving
        self._size = 0
        self._replies: deque[SMTPResponse] = deque(maxlen=4)  # complete replies that nobody has asked for yet
        self._fault: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._response_waiter = None  # nobody waits yet: a greeting that arrives before `read_response` is kept

    # -- called by the Wire -------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._fault is not None:
            return
        buffer = self._buffer
        buffer += data
        start = 0
        while (end := buffer.find(b"\n", max(start, self._scanned))) >= 0:
            self._line(bytes(buffer[start:end]))
            if self._fault is not None:
                return
            start = end + 1
        del buffer[:start]
        self._scanned = len(buffer)
        if len(buffer) > MAX_LINE:
            self._fail(Garbage(f"a line longer than {MAX_LINE} bytes: {self._shown(bytes(buffer[:80]))}"))
        elif buffer and not 0x30 <= buffer[0] <= 0x39 and is_binary(bytes(buffer)):
            self._fail(garbage(bytes(buffer), "SMTP"))
        elif self._response_waiter is not None and not self._response_waiter.done():
            cast("Wire", self.transport).acknowledge()

    def connection_lost(self, exc: Exception | None) -> None:
        rest = bytes(self._buffer)
        if rest:
            self._trace.said("<", self._shown(rest))
        words = "\n".join([*self._lines, *([self._shown(rest)] if rest else [])])
        if not isinstance(exc, Garbage) and (words or exc is None):
            self._fail(ServerClosed(words))
        else:
            self._fail(exc or ServerClosed())

    # -- called by the session ----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send data. Raises Refusal instead if the server has already sent an error reply, such as 421."""
        while self._replies:
            said = self._replies.popleft()
            if said.code >= 400:
                raise Refusal(Service.SMTP, str(said.code), said.message)
            self._trace.said("#", f"unexpected reply, ignored: {said.message}")
        if self._fault is not None:
            raise self._fault
        super().write(data)
        if self.credential_next:
            self._trace.credential_sent = True

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:
        """Return the next reply. `timeout` is in seconds.

        Raises ServerClosed, Garbage, the socket's own error, or TimeoutError.
        """
        if self._replies:
            return self._replies.popleft()
        if self._fault is not None:
            raise self._fault
        self._response_waiter = self._loop.create_future()
        try:
            if timeout is None:
                return await self._response_waiter
            async with asyncio.timeout(timeout):
                return await self._response_waiter
        except (asyncio.CancelledError, TimeoutError):
            if self._buffer:
                self._trace.said("<", self._shown(bytes(self._buffer)) + " (unfinished line)")
            raise
        finally:
            self._response_waiter = None

    def forget(self) -> None:
        """Throw away everything received so far. Called before TLS starts."""
        dropped = len(self._buffer) + self._size + sum(len(reply.message) for reply in self._replies)
        if dropped:
            self._trace.said("#", f"dropped {dropped} bytes that came in plain text after the answer to STARTTLS")
        self._buffer.clear()
        self._lines.clear()
        self._replies.clear()
        self._scanned = self._size = 0

    # -- internal -------------------------------------------------------------------------------------------------

    def _shown(self, raw: bytes) -> str:
        return self.mask.hide(decode(raw.rstrip(b"\r\n")))

    def _line(self, raw: bytes) -> None:
        self._scanned = 0
        if len(raw) > MAX_LINE:
            self._fail(Garbage(f"a line longer than {MAX_LINE} bytes: {self._shown(raw[:80])}"))
            return
        text = self._shown(raw)
        self._trace.said("<", text)
        code = raw[:3]
        if not (
            len(code) == 3 and code.isdigit() and b"200" <= code <= b"599" and raw[3:4] in (b" ", b"-", b"\r", b"")
        ):
            self._fail(garbage(raw.rstrip(b"\r"), "SMTP"))
            return
        self._size += len(raw)
        if self._size > MAX_REPLY:
            self._fail(Garbage(f"a reply longer than {MAX_REPLY} bytes, it began: {self._lines[0][:80]}"))
            return
        self._lines.append(text)
        if raw[3:4] == b"-":
            return
        reply = SMTPResponse(int(code), "\n".join(self._lines))
        self._lines.clear()
        self._size = 0
        waiter = self._response_waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)
        else:
            self._replies.append(reply)

    def _fail(self, fault: Exception) -> None:
        """Stop reading. The current or next caller of `read_response` gets the fault, after any unread reply."""
        if self._fault is not None:
            return
        self._fault = fault
        self._buffer.clear()
        if self.transport is not None:
            self.transport.close()
        waiter = self._response_waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(fault)
