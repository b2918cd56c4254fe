"""What goes wrong in a socket callback has a name at once: nobody waits for a deadline, nothing holds the loop."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from exporter.model import Secret
from exporter.model.errors import Garbage
from exporter.model.trace import Trace
from exporter.net import http
from exporter.net.imap.session import ImapSession
from exporter.net.pop3.session import Pop3Session
from exporter.net.sasl import mechanisms
from exporter.net.smtp.session import SmtpSession
from exporter.net.wire import Wire
from tests.net.peers import connect, peer

Session = ImapSession | SmtpSession | Pop3Session
# Greeting, then what is said to each line of the client: `%` is the line's tag, `^` the challenge.
DIALOGUES: dict[type[Session], tuple[str, tuple[str, ...]]] = {
    ImapSession: ("* OK [CAPABILITY AUTH=SCRAM-SHA-256] hello", ("+ ", "+ ^")),
    SmtpSession: ("220 hello", ("250 AUTH SCRAM-SHA-256", "334 ^")),
    Pop3Session: ("+OK hello", ("+ ", "+ ^")),
}


@asynccontextmanager
async def logging_in(kind: type[Session], salt: str, rounds: int) -> AsyncIterator[tuple[Session, list[bytes]]]:
    """A session that is about to log in, and what the server hears after its challenge."""
    heard: list[bytes] = []
    greeting, answers = DIALOGUES[kind]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting.encode() + b"\r\n")
        for answer in answers:
            line = await reader.readline()
            nonce = b""
            if "^" in answer:
                nonce = b64decode(line.split()[-1]).rpartition(b"r=")[2]
            first = b64encode(b"r=%sx,s=%s,i=%d" % (nonce, salt.encode(), rounds)).decode()
            writer.write(answer.replace("^", first).encode() + b"\r\n")
        heard.append(await reader.readline())

    trace = Trace()
    async with peer(talk) as port, await connect(port, trace) as wire:
        session = kind(wire, trace)
        await session.greet()
        if isinstance(session, SmtpSession):
            await session.ehlo()
        yield session, heard


@pytest.mark.parametrize("kind", DIALOGUES)
@pytest.mark.parametrize("salt", ["A", "AAAAA"])
async def test_a_salt_that_is_no_base64_is_garbage(kind, salt):
    """It once raised in IMAP's callback: the run waited for its deadline, and said `timeout`."""
    async with logging_in(kind, salt, 4096) as (session, _):
        with pytest.raises(Garbage, match="the salt is not base64"):
            await session.login("alice", Secret("word"), "SCRAM-SHA-256")


@pytest.mark.parametrize("kind", DIALOGUES)
async def test_iterations_are_computed_in_a_thread(kind, monkeypatch):
    used: list[int] = []
    compute = hashlib.pbkdf2_hmac

    def watched(*args: Any) -> bytes:
        used.append(threading.get_ident())
        return compute(*args)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", watched)
    async with logging_in(kind, "AAAA", mechanisms.MAX_ITERATIONS) as (session, heard):
        with pytest.raises(OSError):  # the server hangs up on our proof
            await session.login("alice", Secret("word"), "SCRAM-SHA-256")
    assert len(used) == 1
    assert used[0] != threading.get_ident()
    assert b",p=" in b64decode(heard[0].strip())


async def test_imap_is_not_asked_twice_while_it_computes(monkeypatch):
    release = threading.Event()
    compute = hashlib.pbkdf2_hmac

    def slow(*args: Any) -> bytes:
        release.wait(10)
        return compute(*args)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", slow)
    monkeypatch.setitem(DIALOGUES, ImapSession, (DIALOGUES[ImapSession][0], ("+ ", "+ ^\r\n+ ^")))
    try:
        async with logging_in(ImapSession, "AAAA", 4096) as (session, _):
            with pytest.raises(Garbage, match="asked again"):
                await session.login("alice", Secret("word"), "SCRAM-SHA-256")
    finally:
        release.set()


# -- any exception ----------------------------------------------------------------------------------------------------


class Broken:
    """A sink with a bug."""

    def __init__(self) -> None:
        self.end: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        raise ZeroDivisionError

    def connection_lost(self, exc: Exception | None) -> None:
        self.end.set_result(exc)
        raise ZeroDivisionError


async def speaks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"anything\r\n")
    await writer.drain()
    await asyncio.sleep(10)


async def test_what_a_sink_raises_is_garbage_and_leaves_the_loop_alone(caplog):
    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    async with peer(speaks) as port, await connect(port) as wire:
        sink = Broken()
        wire.attach(sink)
        assert isinstance(await sink.end, Garbage)
        assert wire.is_closing()
    assert caught == []
    assert "cannot be read" in caplog.text


async def ask_http(wire: Wire) -> None:
    await http.get(wire, "example.test", "/", Trace())


async def greet_imap(wire: Wire) -> None:
    await ImapSession(wire, Trace()).greet()


async def greet_smtp(wire: Wire) -> None:
    await SmtpSession(wire, Trace()).greet()


async def greet_pop3(wire: Wire) -> None:
    await Pop3Session(wire, Trace()).greet()


@pytest.mark.parametrize(
    ("begin", "reader"),
    [
        (ask_http, "exporter.net.http._Sink._look"),
        (greet_imap, "exporter.net.imap.protocol.ImapProtocol._read"),
        (greet_smtp, "exporter.net.smtp.protocol.SmtpProtocol._line"),
        (greet_pop3, "exporter.net.pop3.session._Lines._line"),
    ],
)
async def test_a_bug_in_any_protocol_is_garbage_to_who_waits(
    begin: Callable[[Wire], Awaitable[None]], reader, monkeypatch
):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def answers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(10)

    monkeypatch.setattr(reader, broken)
    async with peer(answers) as port, await connect(port) as wire:
        with pytest.raises(Garbage, match="ZeroDivisionError"):
            await begin(wire)
