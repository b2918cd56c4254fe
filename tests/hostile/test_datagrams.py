"""What arrives at the socket of a DNS query: no datagram holds it up or ends the loop, and each end has a name."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

import pytest

from exporter.net.dns import message, transport
from exporter.net.dns.hosts import Server
from tests.hostile import shapes

NAME, TXT = b"\x01a\x00", 16


async def asked(datagrams: Iterable[bytes]) -> transport.Heard:
    """Ask a server that answers with these datagrams; `ID` at the beginning becomes the id of the query."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setblocking(False)
        server.bind(("127.0.0.1", 0))
        address, port = server.getsockname()

        async def answer() -> None:
            query, client = await loop.sock_recvfrom(server, 512)
            for each in datagrams:
                await loop.sock_sendto(server, query[:2] + each[2:] if each.startswith(b"ID") else each, client)

        answering = asyncio.create_task(answer())
        try:
            return await transport.ask(Server(address, port), NAME, TXT, loop.time() + 10)
        finally:
            await answering


def reply(data: bytes) -> bytes:
    return b"ID" + data[2:]


GOOD = reply(shapes.records(16, b"\1x", 1))
GARBAGE = {
    "pointer chains": reply(shapes.pointers(120, 990)[1]),
    "cut off": GOOD[:-1],
    "a pointer to itself": GOOD[:-13] + b"\xc0\x17" + GOOD[-11:],
    "too many records": GOOD[:6] + b"\xff\xff" + GOOD[8:],
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_an_answer_that_cannot_be_read_ends_the_query_at_once(name):
    with pytest.raises(transport.NoReplyError, match="invalid DNS message") as caught:
        await asked([GARBAGE[name]])
    assert caught.value.kind == "servfail"


async def test_datagrams_that_are_no_answer_are_passed_over():
    strays = [b"", b"x", b"\0" * 12, b"ID" + b"\0" * 10, b"\xff" * 1400]
    heard = await asked([*strays, GOOD])
    assert [each.text for each in heard.reply.answer] == ["x"]


async def test_strays_without_end_end_the_query():
    with pytest.raises(transport.NoReplyError, match=f"{transport.MAX_STRAYS + 1} answers to other questions"):
        await asked([b"x"] * (transport.MAX_STRAYS + 1))


async def test_a_bug_in_the_callback_has_a_name_and_leaves_the_loop_alone(monkeypatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    monkeypatch.setattr(message, "parse", broken)
    with pytest.raises(transport.NoReplyError, match="ZeroDivisionError") as error:
        await asked([GOOD])
    assert error.value.kind == "servfail"
    assert caught == []
