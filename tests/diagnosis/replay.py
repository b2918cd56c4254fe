"""Servers that answer one step of a session with the example of a signature: the user name selects the row."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from exporter.diagnosis.reply import normalise, protocol_of
from exporter.diagnosis.signatures import Signature
from exporter.model import Service
from exporter.model.reasons import Layer, Reason, about

LOGIN, LATER = "login", "later"  # the command it answers: the password, or RCPT, EXAMINE, STAT
_IMAP = re.compile(r"(?:\* )?((?:NO|BAD|BYE)\b.*)", re.DOTALL)
_LATER_LAYERS = frozenset({Layer.DELIVERY, Layer.MAILBOX})
_LATER_REASONS = frozenset(
    {Reason.MAILBOX_OVER_QUOTA, Reason.MAILBOX_NEAR_QUOTA, Reason.CLIENT_ID_REQUIRED, Reason.MAILBOX_IN_USE}
)


def protocol(row: Signature) -> Service | None:
    """Return the protocol over which the example can be replayed; None if it is not an error reply of any protocol."""
    spoken = protocol_of(row.example)
    if spoken is None or row.protocol not in ("any", spoken.value):
        return None
    return spoken


def step(row: Signature) -> str:
    """Return the command of the session that the example answers."""
    if row.when:
        return row.when
    if protocol(row) is Service.SMTP:
        login = normalise(Service.SMTP, row.example, None).login
        return LOGIN if login or (login is None and about(row.reason).layer is Layer.AUTH) else LATER
    later = about(row.reason).layer in _LATER_LAYERS or row.reason in _LATER_REASONS
    return LATER if later else LOGIN


class Replayer:
    """Serves IMAP, POP3 and SMTP on `ports`."""

    def __init__(self, rows: Sequence[Signature]) -> None:
        self.rows = rows
        self.ports: dict[Service, int] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Replayer]:
        async with contextlib.AsyncExitStack() as stack:
            for service, serve in (
                (Service.IMAP, self._imap),
                (Service.POP3, self._pop3),
                (Service.SMTP, self._smtp),
            ):
                server = await asyncio.start_server(_closing(serve), "127.0.0.1", 0)
                await stack.enter_async_context(server)
                self.ports[service] = server.sockets[0].getsockname()[1]
            yield self

    def _row(self, user: str) -> Signature:
        return self.rows[int(user.partition("@")[0].removeprefix("row"))]

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        row: Signature | None = None
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            tag, _, command = line.partition(" ")
            verb = command.partition(" ")[0]
            if verb == "LOGIN":
                row = self._row(command.split()[1].strip('"'))
            if row and ((verb == "LOGIN" and step(row) == LOGIN) or (verb == "EXAMINE" and step(row) == LATER)):
                found = _IMAP.fullmatch(row.example)
                assert found
                bye = found[1].startswith("BYE")
                writer.write(f"{'*' if bye else tag} {found[1]}\r\n".encode())
                if bye:
                    return
                continue
            if verb == "STATUS":
                writer.write(b"* STATUS INBOX (MESSAGES 0 UIDVALIDITY 1 UIDNEXT 1)\r\n")
            writer.write(f"{tag} OK [CAPABILITY IMAP4rev1] done\r\n".encode())

    async def _pop3(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK ready\r\n")
        row: Signature | None = None
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb, _, words = line.partition(" ")
            if verb == "CAPA":
                writer.write(b"+OK\r\nUSER\r\n.\r\n")
                continue
            if verb == "USER":
                row = self._row(words)
            refused = row and ((verb == "PASS" and step(row) == LOGIN) or (verb == "STAT" and step(row) == LATER))
            answer = row.example if row and refused else "+OK 0 0" if verb == "STAT" else "+OK"
            writer.write(answer.encode() + b"\r\n")

    async def _smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        usual = {"EHLO": "250-me\r\n250 AUTH PLAIN", "AUTH": "235 in", "DATA": "354 go"}
        row: Signature | None = None
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb = line.partition(" ")[0]
            if verb == "AUTH":
                row = self._row(base64.b64decode(line.split()[2]).split(b"\0")[1].decode())
            if row and ((verb == "AUTH" and step(row) == LOGIN) or (verb == "RCPT" and step(row) == LATER)):
                *first, last = row.example.split("\n")
                lines = [*first, f"{last[:3]} {last[4:]}"]  # the sources quote only the first lines of some replies
                writer.write("\r\n".join(lines).encode("gb18030") + b"\r\n")  # GBK, as sent by some Chinese servers
                continue
            writer.write(usual.get(verb, "250 ok").encode() + b"\r\n")


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _closing(serve: Serve) -> Serve:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    return served
