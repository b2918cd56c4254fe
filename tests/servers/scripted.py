"""A server with one kind of misbehaviour.

It notices when its client closes the connection, so that a test can check it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Self

from exporter.demo.listener import Listener
from exporter.model import Service

CHUNK = b"x" * 65536
LINES = 10_000
DRIP = 0.02  # seconds between two bytes
PATIENCE = 0.1  # seconds for a ClientHello

GREETING = {
    Service.IMAP: b"* OK [CAPABILITY IMAP4rev1] ready\r\n",
    Service.SMTP: b"220 ready\r\n",
    Service.POP3: b"+OK ready\r\n",
}
BYE = {
    Service.IMAP: b"* BYE the system is going down\r\n",
    Service.SMTP: b"421 4.3.2 the system is going down\r\n",
    Service.POP3: b"-ERR [SYS/TEMP] the system is going down\r\n",
}
# The first bytes of a ServerHello that never ends (RFC 8446), and a fatal alert: internal_error.
HALF_HELLO = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"
ALERT = b"\x15\x03\x03\x00\x02\x02\x50"


class Misbehaviour(StrEnum):
    """The kinds of misbehaviour. The method with this name implements it."""

    CLOSES_AT_ONCE = "closes_at_once"
    HANGS_AT_GREETING = "hangs_at_greeting"
    BYE_AT_GREETING = "bye_at_greeting"
    HANGS_AT_LOGIN = "hangs_at_login"
    GIBBERISH = "gibberish"
    ENDLESS_LINE = "endless_line"
    HUGE_LITERAL = "huge_literal"
    TEN_THOUSAND_LINES = "ten_thousand_lines"
    DROPS_MID_TLS = "drops_mid_tls"
    PLAIN_ON_TLS_PORT = "plain_on_tls_port"
    TLS_ON_PLAIN_PORT = "tls_on_plain_port"
    SLOW_BYTES = "slow_bytes"


class ScriptedServer:
    """An async context manager. `closed` is set when the client of the last connection has closed its socket."""

    def __init__(self, misbehaviour: Misbehaviour, protocol: Service) -> None:
        self.closed = asyncio.Event()
        self.connections = 0
        self._protocol = protocol
        self._misbehave: Callable[[_Client], Awaitable[None]] = getattr(self, misbehaviour)
        self._listener = Listener(self._serve)

    @property
    def port(self) -> int:
        return self._listener.port

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._listener.__aexit__(*exc)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.closed.clear()
        client = _Client(reader, writer)
        try:
            await self._misbehave(client)
            await client.gone()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client closed while we wrote, or while we waited for its next line
        self.closed.set()

    # -- the misbehaviours --------------------------------------------------------------------------------------

    async def closes_at_once(self, client: _Client) -> None:
        client.end()

    async def hangs_at_greeting(self, client: _Client) -> None:
        await client.gone()

    async def bye_at_greeting(self, client: _Client) -> None:
        await client.say(BYE[self._protocol])
        client.end()

    async def gibberish(self, client: _Client) -> None:
        await client.say(bytes(range(256)))

    async def endless_line(self, client: _Client) -> None:
        await client.say(GREETING[self._protocol].rstrip())
        while True:
            await client.say(CHUNK)

    async def slow_bytes(self, client: _Client) -> None:
        await client.say(GREETING[self._protocol].rstrip())
        while not await client.gone(within=DRIP):
            await client.say(b".")

    async def drops_mid_tls(self, client: _Client) -> None:
        await client.hear()
        await client.say(HALF_HELLO)
        client.end()

    async def plain_on_tls_port(self, client: _Client) -> None:
        await client.say(GREETING[self._protocol])

    async def tls_on_plain_port(self, client: _Client) -> None:
        """Wait for a ClientHello as such a server does, then send a TLS alert and close."""
        if not await client.gone(within=PATIENCE):
            await client.say(ALERT)
            client.end()

    async def hangs_at_login(self, client: _Client) -> None:
        """Repeat what the client sent, with its credentials, and then send nothing more."""
        await client.say(GREETING[self._protocol])
        if self._protocol is Service.SMTP:
            await client.line()
            await client.say(b"250-scripted\r\n250 AUTH LOGIN\r\n")
            for prompt in (b"334 VXNlcm5hbWU6\r\n", b"334 UGFzc3dvcmQ6\r\n"):
                await client.line()
                await client.say(prompt)
            await client.say(b"235-heard " + await client.line() + b"\r\n")
        elif self._protocol is Service.POP3:
            for answer in (b"+OK\r\nUSER\r\n.\r\n", b"+OK\r\n"):
                await client.line()
                await client.say(answer)
            await client.say(b"+OK heard " + await client.line())
        else:
            heard = await client.line()
            await client.say(b"* OK heard " + heard + b"\r\n* OK heard again " + heard)

    async def huge_literal(self, client: _Client) -> None:
        await client.say(GREETING[Service.IMAP])
        await self._log_in(client)
        await client.line()
        await client.say(b'* LIST () "/" {4000000000}\r\n')
        while True:
            await client.say(CHUNK)

    async def ten_thousand_lines(self, client: _Client) -> None:
        """Send ten thousand lines at once. For IMAP all of them are valid: a server may have so many folders."""
        await client.say(GREETING[self._protocol])
        if self._protocol is Service.IMAP:
            await self._log_in(client)
            while True:
                tag, _, command = (await client.line()).partition(b" ")
                if command.startswith(b"LIST"):
                    await client.say(b"".join(b'* LIST () "/" folder%d\r\n' % n for n in range(LINES)))
                await client.say((b"* BYE\r\n" if command == b"LOGOUT" else b"") + tag + b" OK\r\n")
        await client.line()
        start, line = (b"", b"250-X%d\r\n") if self._protocol is Service.SMTP else (b"+OK\r\n", b"X%d\r\n")
        await client.say(start + b"".join(line % n for n in range(LINES)))

    async def _log_in(self, client: _Client) -> None:
        """Accept an IMAP client's login, and send our capabilities."""
        tag = (await client.line()).partition(b" ")[0]
        await client.say(tag + b" OK [CAPABILITY IMAP4rev1] welcome\r\n")


class _Client:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, data: bytes) -> None:
        """Write, and wait until the client has read most of it. Raises ConnectionError if it has closed."""
        self._writer.write(data)
        await self._writer.drain()

    def end(self) -> None:
        """Close our side of the connection; the client's side may stay open."""
        self._writer.write_eof()

    async def line(self) -> bytes:
        return (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")

    async def hear(self) -> None:
        """Read any bytes."""
        await self._reader.read(65536)

    async def gone(self, within: float | None = None) -> bool:
        """Return whether the client has closed its socket; False after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while await self._reader.read(65536):
                    pass
        except TimeoutError:
            return False
        return True
