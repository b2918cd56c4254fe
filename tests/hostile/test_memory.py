"""What a server sends after the login is kept up to one bound for a command, whatever its shape is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from aioimaplib.aioimaplib import SELECTED

from exporter.model import bounds
from exporter.model.errors import Garbage
from exporter.model.trace import Trace
from exporter.net.imap.reader import Reader
from exporter.net.imap.session import ImapSession
from tests.hostile import shapes
from tests.net.imap.test_faults import session
from tests.net.peers import connect, peer

SHAPES = {
    "fat untagged lines": b"* OK " + b"x" * 60_000 + b"\r\n",
    "a literal": b"* LIST () / {500000}\r\n" + b"x" * 500_000 + b"\r\n",
    "small literals": shapes.literals(5_000),
    "long folder names": b'* LIST () "/" "' + b"x" * 60_000 + b'"\r\n',
    "untagged NO": b"* NO " + b"x" * 60_000 + b"\r\n",
    "short lines": b"* X\r\n" * 3_000,
    "one literal after another": b"* LIST" + b" {400000}\r\n".join([b"", b"x" * 400_000, b"x" * 400_000, b"x"]),
}


def segments(shape: bytes) -> Iterator[bytes]:
    """As the wire hands them on, without an end."""
    while True:
        for start in range(0, len(shape), 16384):
            yield shape[start : start + 16384]


@pytest.mark.parametrize("name", SHAPES)
def test_a_reader_gives_out_no_more_than_the_bound(name):
    reader, kept = Reader(), 0

    def read_on() -> None:
        nonlocal kept
        for data in segments(SHAPES[name]):
            lines = reader.whole_lines(data)
            responses = [(line,) for line in lines] if lines is not None else list(reader.feed(data))
            kept += sum(len(part) for response in responses for part in response)

    with pytest.raises(Garbage, match="to one command"):
        read_on()
    assert kept + len(reader._buffer) + sum(map(len, reader._parts)) <= bounds.IMAP_COMMAND + 16384


def test_another_command_begins_with_the_whole_bound():
    reader = Reader()
    for _ in range(5):
        reader.restart()
        list(reader.feed(SHAPES["a literal"]))


@pytest.mark.parametrize("name", ["fat untagged lines", "long folder names", "untagged NO"])
async def test_a_session_ends_with_what_broke_the_bound(name):
    many = f"S: {SHAPES[name].decode().strip()}\n" * 20
    async with session(f'S: * PREAUTH in\nC: $ LIST "" "*"\n{many}') as imap:
        await imap.greet()
        with pytest.raises(Garbage, match="bytes to one command"):
            await imap.list()


async def test_capabilities_without_end_are_refused():
    async with session(f"S: * OK hello\nC: $ CAPABILITY\nS: {shapes.capabilities(20_000).decode().strip()}") as imap:
        await imap.greet()
        with pytest.raises(Garbage, match="characters of capabilities"):
            await imap.capability()


@pytest.mark.parametrize("size", [100_000, 400_000])
async def test_a_server_that_ignores_the_partial_of_fetch_is_stopped_at_the_bound(size):
    """It sends whole header fields of many mails, although only the first 8 KiB of each were asked for."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* PREAUTH in\r\n")
        assert b"<0.%d>" % bounds.HEADER_FIELDS in await reader.readline()
        with suppress(ConnectionError):
            for uid in range(1, 51):
                head = b"* %d FETCH (UID %d BODY[HEADER.FIELDS (SUBJECT)] {%d}\r\n" % (uid, uid, size)
                writer.write(head + b"x" * size + b")\r\n")
                await writer.drain()

    trace = Trace()
    async with peer(talk) as port, await connect(port, trace) as wire:
        imap = ImapSession(wire, trace)
        await imap.greet()
        imap._protocol.state = SELECTED
        with pytest.raises(Garbage, match="bytes to one command"):
            await imap.fetch_headers(range(1, 51), ["Subject"])
