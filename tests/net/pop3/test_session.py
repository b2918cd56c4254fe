"""Tests of the POP3 session with correct and with incorrect servers."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from exporter.model import Endpoint, Security, Service
from exporter.model.errors import Garbage, Refusal, ServerClosed, StartTlsUnavailable
from exporter.model.trace import Trace
from exporter.net.pop3.session import MAX_LINES, Pop3Session
from exporter.net.tls import TlsContexts
from tests.net.lines_server import Peer, Script, scripted

ENDPOINT = Endpoint("127.0.0.1", 110, Security.STARTTLS, Service.POP3)


async def run(script: Script, steps: Callable[[Pop3Session], Awaitable[None]], **options: Any) -> Trace:
    trace = Trace()
    async with scripted(script, trace) as wire:
        await steps(Pop3Session(wire, trace, **options))
    return trace


async def test_greeting_capabilities_and_goodbye():
    async def script(peer: Peer):
        await peer.say("+OK Dovecot ready.")
        await peer.dialogue("+OK\r\nCAPA\r\nstls\r\nSASL PLAIN LOGIN\r\n.", "+OK bye")
        assert peer.heard == ["CAPA", "QUIT"]

    async def steps(session):
        await session.greet()
        await session.capa()
        assert session.greeting == "+OK Dovecot ready."
        assert session.capabilities == {"CAPA", "STLS", "SASL PLAIN LOGIN"}
        await session.quit()

    await run(script, steps)


async def test_a_server_without_capa_leaves_them_unknown_and_is_asked_for_stls_all_the_same():
    async def script(peer: Peer):
        await peer.say("+OK ready")
        await peer.dialogue("-ERR what?", "-ERR no TLS here")

    async def steps(session):
        await session.greet()
        await session.capa()
        assert session.capabilities is None
        with pytest.raises(StartTlsUnavailable, match="-ERR no TLS here"):
            await session.stls(ENDPOINT, TlsContexts())

    await run(script, steps)


async def test_stls_that_is_not_offered_is_not_asked_for():
    async def script(peer: Peer):
        await peer.say("+OK ready")
        await peer.dialogue("+OK\r\nUIDL\r\n.")
        assert await peer.hear() == ""

    async def steps(session):
        await session.greet()
        await session.capa()
        with pytest.raises(StartTlsUnavailable, match="CAPA offers: UIDL"):
            await session.stls(ENDPOINT, TlsContexts())

    await run(script, steps)


async def test_what_was_injected_before_the_handshake_is_forgotten():
    async def script(peer: Peer):
        await peer.say("+OK ready")
        await peer.dialogue(b"+OK go\r\n+OK injected\r\n+OK")
        await peer.gone()

    async def steps(session):
        await session.greet()
        with pytest.raises(TimeoutError):
            await session.stls(ENDPOINT, TlsContexts())
        assert (list(session._lines._lines), bytes(session._lines._buffer)) == ([], b"")

    await run(script, steps, timeout=1.0)


async def refuses(peer: Peer):
    await peer.say("-ERR [SYS/TEMP] 系统繁忙".encode("gbk") + b"\r\n")


async def closes_at_once(peer: Peer):
    pass


async def closes_in_a_line(peer: Peer):
    await peer.say(b"+OK half a gree")


async def speaks_imap(peer: Peer):
    await peer.say("* OK IMAP4rev1")
    await peer.gone()


async def speaks_smtp(peer: Peer):
    await peer.say("220 mail ESMTP")
    await peer.gone()


async def speaks_tls(peer: Peer):
    await peer.say(b"\x15\x03\x01\x00\x02\x02\x46")
    await peer.gone()


async def endless_line(peer: Peer):
    await peer.say(b"+OK " + b"x" * 100_000)
    await peer.gone()


async def endless_lines(peer: Peer):
    await peer.say(b"+OK\r\n" * (MAX_LINES + 2))
    await peer.gone()


@pytest.mark.parametrize(
    ("script", "error", "text"),
    [
        (refuses, Refusal, "-ERR [SYS/TEMP] 系统繁忙"),
        (closes_at_once, ServerClosed, ""),
        (closes_in_a_line, ServerClosed, "+OK half a gree"),
        (speaks_imap, Garbage, "expected POP3, got IMAP: * OK IMAP4rev1"),
        (speaks_smtp, Garbage, "expected POP3, got SMTP or FTP: 220 mail ESMTP"),
        (speaks_tls, Garbage, None),
        (endless_line, Garbage, None),
    ],
)
async def test_misbehaviour_becomes_an_exception_with_the_servers_words(script, error, text):
    async def steps(session):
        with pytest.raises(error) as caught:
            await session.greet()
        assert text is None or caught.value.text == text

    await run(script, steps, timeout=5)


async def read_all(session: Pop3Session) -> None:
    for _ in range(MAX_LINES + 2):
        await session._lines.read()


async def test_an_endless_answer_is_bounded():
    async def steps(session):
        await session.greet()
        with pytest.raises(Garbage):
            await read_all(session)

    await run(endless_lines, steps, timeout=5)


async def test_capabilities_without_an_end_are_bounded():
    async def script(peer: Peer):
        await peer.say("+OK ready")
        await peer.hear()
        await peer.say("+OK", *(f"X-{number}" for number in range(2 * MAX_LINES)))
        await peer.gone()

    async def steps(session):
        await session.greet()
        with pytest.raises(Garbage):
            await session.capa()

    await run(script, steps, timeout=5)


async def test_last_words_before_the_next_command_survive():
    async def script(peer: Peer):
        await peer.say("+OK ready", "-ERR [SYS/TEMP] shutting down")

    async def steps(session):
        await session.greet()
        with pytest.raises(Refusal, match="shutting down"):
            await session.capa()

    await run(script, steps)
