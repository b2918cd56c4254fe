"""A POP3 client session (RFC 1939, 2449, 2595, 5034).

Step "probe" of the flow: the pop3 probe calls these methods in order. There is no RETR and no DELE: a probe must never
read or remove mail.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque

from exporter.model import Endpoint, Phase, Secret, Service
from exporter.model.errors import Garbage, Refusal, ServerClosed, StartTlsUnavailable
from exporter.model.text import clean
from exporter.model.trace import Trace
from exporter.net.dial import secure
from exporter.net.mask import SHOWN, Mask
from exporter.net.pop3 import auth as pop3_auth
from exporter.net.sasl.mechanisms import Exchange
from exporter.net.text import decode, garbage, is_binary
from exporter.net.tls import TlsContexts
from exporter.net.wire import Wire

MAX_LINE = 8192  # bytes; RFC 2449 allows 512
MAX_LINES = 500  # of one answer, and of unread lines

_STAT = re.compile(r"\+OK (\d{1,15}) (\d{1,18})(?: |$)")


class _Lines:
    """Takes the bytes of the Wire and returns lines."""

    def __init__(self, wire: Wire, trace: Trace) -> None:
        self._wire = wire
        self._trace = trace
        self._buffer = bytearray()
        self._scanned = 0
        self._lines: deque[str] = deque()
        self._first = True
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.mask = Mask()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start = 0
        while self._fault is None and (end := buffer.find(b"\n", max(start, self._scanned))) >= 0:
            self._line(bytes(buffer[start:end]).rstrip(b"\r"))
            start, self._scanned = end + 1, 0
        del buffer[:start]
        self._scanned = len(buffer)
        if len(buffer) > MAX_LINE:
            self._fail(Garbage(f"a line longer than {MAX_LINE} bytes: {self._text(buffer)[:80]}"))
        elif is_binary(bytes(buffer[:64])):
            self._fail(garbage(self._text(buffer).encode(), "POP3"))
        self._wire.acknowledge()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        rest = self._text(self._buffer)
        if rest:
            self._trace.said("<", rest)
        self._fail(exc if isinstance(exc, Garbage) or (exc is not None and not rest) else ServerClosed(rest))
        self._wake()

    def write(self, line: str, *, shown: str | None = None, credential: bool = False) -> None:
        """Send a command; the transcript gets `shown`. Raises ServerClosed if the server has already closed.

        `credential`: it holds the user name or the secret.
        """
        if self._lines and self._lines[0].startswith("-ERR"):
            raise Refusal(Service.POP3, "-ERR", self._lines[0])
        self._lines.clear()
        if self._fault is not None:
            raise self._fault
        self._trace.said(">", line if shown is None else shown)
        self._wire.write(line.encode() + b"\r\n")
        if credential:
            self._trace.credential_sent = True

    async def read(self) -> str:
        while not self._lines:
            if self._fault is not None:
                raise self._fault
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._lines.popleft()

    def forget(self) -> None:
        self._buffer.clear()
        self._lines.clear()
        self._scanned = 0

    def _line(self, raw: bytes) -> None:
        if self._first and not raw.startswith((b"+OK", b"-ERR")):
            self._fail(garbage(raw, "POP3"))
            return
        self._first = False
        if len(raw) > MAX_LINE or len(self._lines) >= MAX_LINES:
            self._fail(Garbage(f"more than {MAX_LINE} bytes in a line or {MAX_LINES} lines in an answer"))
            return
        text = self._text(raw)
        self._trace.said("<", text)
        self._lines.append(text)

    def _text(self, raw: bytes | bytearray) -> str:
        return self.mask.hide(decode(bytes(raw)))

    def _fail(self, fault: Exception) -> None:
        if self._fault is None:
            self._fault = fault
            self._buffer.clear()
            self._wire.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Pop3Session:
    """One POP3 session. The caller opens the phases, except those of `stls`.

    `timeout` limits each command, in seconds; with None only the deadline of the run applies.
    """

    def __init__(self, wire: Wire, trace: Trace, *, timeout: float | None = None) -> None:
        self._wire = wire
        self._trace = trace
        self._timeout = timeout
        self._lines = _Lines(wire, trace)
        wire.attach(self._lines)
        self.greeting = ""
        self.capabilities: frozenset[str] | None = None  # upper case; None if unknown

    async def greet(self) -> None:
        self.greeting = await self._answer()

    async def capa(self) -> None:
        """Ask for the capabilities. They stay unknown if the server has no CAPA (RFC 2449)."""
        self._lines.write("CAPA")
        try:
            await self._answer()
        except Refusal:
            self.capabilities = None
            return
        found: set[str] = set()
        async with asyncio.timeout(self._timeout):
            while (line := await self._lines.read()) != ".":
                if len(found) >= MAX_LINES:
                    raise Garbage(f"more than {MAX_LINES} capabilities")
                found.add(line.upper())
        self.capabilities = frozenset(found)

    async def stls(self, endpoint: Endpoint, contexts: TlsContexts) -> None:
        """Upgrade to TLS (RFC 2595), as phases `starttls` and `tls`. The capabilities are forgotten."""
        with self._trace.phase(Phase.STARTTLS):
            if self.capabilities is not None and "STLS" not in self.capabilities:
                raise StartTlsUnavailable(f"CAPA offers: {' '.join(sorted(self.capabilities)) or 'nothing'}")
            self._lines.write("STLS")
            try:
                await self._answer()
            except Refusal as exc:
                raise StartTlsUnavailable(exc.text, quoted=True) from exc
            # Nothing received before TLS may be read as if it had arrived inside TLS.
            self._lines.forget()
            self.capabilities = None
        async with asyncio.timeout(self._timeout):
            await secure(self._wire, endpoint, contexts.get(endpoint.ca_file), self._trace)

    def choose_mechanism(self, auth: str, *, encrypted: bool) -> str:
        """Return the one mechanism of this run; see `pop3_auth.choose`. Raises ProbeError."""
        return pop3_auth.choose(self.capabilities, auth, encrypted=encrypted)

    async def login(self, username: str, secret: Secret, mechanism: str) -> None:
        """Log in with exactly this mechanism. A second attempt would count as a second wrong password.

        `secret` is the password, or the access token if the mechanism takes one.
        """
        word = secret.reveal()
        self._lines.mask.learn(username, word)
        if mechanism == "USER":
            sent = pop3_auth.argument(word, "password")
            await self._command(f"USER {pop3_auth.argument(username, 'user name')}", credential=True)
            await self._command(f"PASS {sent}", shown=f"PASS {SHOWN}", credential=True)
        else:
            await self._authenticate(Exchange(mechanism, username, word))

    async def stat(self) -> tuple[int, int]:
        """Return the number of messages and the bytes of the maildrop (RFC 1939 section 5)."""
        answer = await self._command("STAT")
        found = _STAT.match(answer)
        if found is None:
            raise Garbage(f"the answer to STAT has no numbers: {answer}")
        return int(found[1]), int(found[2])

    async def quit(self) -> None:
        """Send QUIT. A server that closes without an answer is fine too. The caller closes the Wire."""
        try:
            self._lines.write("QUIT")
            await self._answer()
        except ConnectionError as exc:
            self._trace.said("#", f"connection closed at QUIT: {exc}")

    async def _authenticate(self, exchange: Exchange) -> None:
        """Send AUTH and the response on separate lines: some servers, Microsoft's too, accept no initial response.

        See RFC 5034 section 4.
        """
        answer = await self._command(f"AUTH {exchange.name}", challenge=True)
        if answer.startswith("+OK"):
            raise Garbage(f"AUTH {exchange.name} is accepted before anything was sent: {answer}")
        try:
            while not answer.startswith("+OK"):
                response = await exchange.reply_in_turn(answer[1:].strip())
                if response is None:
                    # RFC 5034 section 4: `*` cancels the exchange; the server answers -ERR.
                    answer = await self._command("*")
                    raise Garbage(f"a cancelled AUTH {exchange.name} is accepted: {answer}")
                answer = await self._command(response, shown=exchange.shown, challenge=True, credential=True)
        except Refusal as exc:
            if not exchange.error:
                raise
            told = clean(self._lines.mask.hide(exchange.error))
            raise Refusal(exc.protocol, exc.code, f"{exc.text}\n{told}") from None
        exchange.verify()

    async def _command(
        self, line: str, *, shown: str | None = None, challenge: bool = False, credential: bool = False
    ) -> str:
        self._lines.write(line, shown=shown, credential=credential)
        return await self._answer(challenge=challenge)

    async def _answer(self, *, challenge: bool = False) -> str:
        """Return the next answer. A challenge (`+ ` and base64, RFC 5034) is accepted only if `challenge` is set."""
        async with asyncio.timeout(self._timeout):
            line = await self._lines.read()
        if challenge and line.startswith("+") and line[1:2] in ("", " "):
            return line
        if line.startswith("-ERR"):
            raise Refusal(Service.POP3, "-ERR", line)
        if not line.startswith("+OK"):
            raise garbage(line.encode(), "POP3")
        return line
