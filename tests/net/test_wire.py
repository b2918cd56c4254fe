"""Tests of the Wire on both event loops: data in both directions, plain and TLS, and every end of a connection."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import socket
import ssl
import struct
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from exporter.model.errors import Garbage
from exporter.model.trace import Trace
from exporter.net import wire as module
from exporter.net.tls import TlsContexts
from tests.net.peers import Collector, connect, open_files, peer
from tests.servers.certs import Authority

Run = Callable[[Coroutine[Any, Any, None]], None]
HOST = "mail.example.test"
BIG = 3 * 1024 * 1024


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request) -> Run:
    """Run a coroutine on one of the two loops, at most 20 seconds."""

    def go(coroutine: Coroutine[Any, Any, None]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await coroutine

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return go


@pytest.fixture(scope="module")
def serving(authority: Authority) -> ssl.SSLContext:
    return authority.good(HOST).context()


@pytest.fixture(scope="module")
def trusting(authority: Authority) -> ssl.SSLContext:
    return TlsContexts().get(authority.ca_file)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_large_data_crosses_both_ways_through_full_buffers(run: Run, serving, trusting, secure: bool):
    """The server reads only after we have written everything: our side must buffer it and lose nothing."""

    async def test() -> None:
        payload = bytes(itertools.islice(itertools.cycle(range(251)), BIG))
        written = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await written.wait()
            writer.write(await reader.readexactly(BIG + 3))
            await writer.drain()

        async with peer(talk, serving if secure else None) as port, await connect(port) as wire:
            if secure:
                await wire.handshake(trusting, HOST)
            sink = Collector()
            wire.attach(sink)
            wire.write(payload)
            wire.write(b"")
            wire.write(b"end")
            written.set()
            got = await sink.until(BIG + 3)
            assert digest(got) == digest(payload + b"end")
            assert await sink.end() is None

    run(test())


def test_starttls_swaps_the_layer_in_place(run: Run, serving, trusting):
    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 ready\r\n")
            await reader.readline()
            writer.write(b"220 go ahead\r\n")
            await writer.start_tls(serving)
            writer.write(b"inside " + await reader.readline())
            await writer.drain()

        async with peer(talk) as port, await connect(port) as wire:
            sink = Collector()
            wire.attach(sink)
            await sink.until(11)
            wire.write(b"STARTTLS\r\n")
            await sink.until(25)
            assert wire.get_extra_info("ssl_object") is None
            await wire.handshake(trusting, HOST)
            assert wire.get_extra_info("ssl_object") is wire.tls
            wire.write(b"hello\r\n")
            assert (await sink.until(39))[25:] == b"inside hello\r\n"

    run(test())


def test_plain_text_injected_before_the_handshake_never_reaches_the_sink(run: Run, trusting):
    """CVE-2011-0411 and similar: data between the go-ahead and TLS is not part of the TLS session."""

    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"220 go ahead\r\n")
            await reader.read(1)  # the client hello has begun
            writer.write(b"250 AUTH PLAIN\r\n")
            await reader.read()

        async with peer(talk) as port, await connect(port) as wire:
            sink = Collector()
            wire.attach(sink)
            wire.write(b"STARTTLS\r\n")
            await sink.until(14)
            with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
                await wire.handshake(trusting, HOST)
            assert sink.data == b"220 go ahead\r\n"

    run(test())


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("after", [0, 100], ids=["at once", "after the client hello"])
def test_a_server_that_drops_in_mid_handshake_is_a_reset(run: Run, trusting, reset: bool, after: int):
    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(after)
            if reset:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

        async with peer(talk) as port, await connect(port) as wire:
            with pytest.raises(ConnectionResetError):
                await wire.handshake(trusting, HOST)

    run(test())


def test_a_peer_that_was_gone_before_the_handshake_is_a_reset(run: Run, trusting):
    async def test() -> None:
        gone = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            asyncio.get_running_loop().call_later(0.02, gone.set)

        async with peer(talk) as port, await connect(port) as wire:
            await gone.wait()
            with pytest.raises(ConnectionResetError):
                await wire.handshake(trusting, HOST)

    run(test())


def test_plain_text_on_a_tls_port_is_named_and_its_words_are_kept(run: Run, trusting):
    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example.test ESMTP\r\n")
            await reader.read()

        trace = Trace()
        async with peer(talk) as port, await connect(port, trace) as wire:
            with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
                await wire.handshake(trusting, HOST)
        assert [line.text for line in trace.lines if line.direction == "<"] == ["220 mail.example.test ESMTP"]

    run(test())


@pytest.mark.parametrize("stage", ["reading", "handshake"])
def test_cancellation_closes_the_socket(run: Run, trusting, stage: str):
    async def test() -> None:
        reached = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            reached.set()
            await reader.read()

        async with peer(talk) as port:

            async def client() -> None:
                async with await connect(port) as wire:
                    if stage == "handshake":
                        await wire.handshake(trusting, HOST)
                    sink = Collector()
                    wire.attach(sink)
                    wire.write(b"x")
                    await sink.end()

            await asyncio.sleep(0)
            before = open_files()
            task = asyncio.create_task(client())
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            others = asyncio.all_tasks() - {asyncio.current_task()}
            talks = [each for each in others if "serve" in repr(each.get_coro())]
            await asyncio.gather(*talks)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(open_files()) <= len(before)

    run(test())


def test_a_name_that_tls_cannot_use_leaks_no_socket(run: Run, trusting):
    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with peer(talk) as port:
            wire = await connect(port)
            sock = wire.get_extra_info("socket")
            with pytest.raises(ValueError, match="server_hostname"):
                await wire.handshake(trusting, "")
            assert sock.fileno() == -1
            assert wire.is_closing()
            wire.abort()

    run(test())


def test_a_session_has_a_bound_on_its_bytes(run: Run, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL", 200_000)

    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(100):
                writer.write(b"x" * 10_000)
                await writer.drain()

        async with peer(talk) as port, await connect(port) as wire:
            sink = Collector()
            wire.attach(sink)
            assert isinstance(await sink.end(), Garbage)
            assert len(sink.data) <= 200_000
            assert wire.is_closing()
            assert len(sink.ends) == 1

    run(test())


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_last_words_survive_a_write_into_the_closed_connection(run: Run, serving, trusting, secure: bool):
    async def test() -> None:
        closed = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(5)
            writer.write(b"421 too busy\r\n")
            await writer.drain()
            writer.close()
            asyncio.get_running_loop().call_later(0.02, closed.set)

        async with peer(talk, serving if secure else None) as port, await connect(port) as wire:
            if secure:
                await wire.handshake(trusting, HOST)
            wire.write(b"EHLO ")
            await closed.wait()
            for _ in range(3):
                wire.write(b"more\r\n")
                await asyncio.sleep(0)
            sink = Collector()
            wire.attach(sink)
            await sink.end()
            assert sink.data == b"421 too busy\r\n"
            assert len(sink.ends) == 1

    run(test())


def test_the_clock_stops_when_bytes_arrive_not_when_somebody_looks(run: Run):
    """A loop that is busy after the socket callback must not make the server look slow."""

    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(20):
                writer.write(b"x")
                await reader.readexactly(1)

        trace = Trace()
        stamps: list[float] = []
        async with peer(talk) as port, await connect(port, trace) as wire:
            sink = Collector()
            wire.attach(sink)
            for size in range(1, 21):
                await sink.until(size)
                stamps.append(wire.arrived)
                time.sleep(0.001)
                assert wire.arrived == stamps[-1]
                wire.write(b"y")
        assert stamps == sorted(stamps)
        assert all(later - earlier >= 0.001 for earlier, later in itertools.pairwise(stamps))
        assert trace.arrived_at == stamps[-1]

    run(test())


def test_an_orderly_end_is_told_once_without_an_error(run: Run, serving, trusting):
    async def test() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"bye")
            await writer.drain()

        async with peer(talk, serving) as port, await connect(port) as wire:
            await wire.handshake(trusting, HOST)
            sink = Collector()
            wire.attach(sink)
            assert await sink.end() is None
            assert (bytes(sink.data), sink.ends) == (b"bye", [None])
            wire.write(b"ignored")
            wire.abort()
            assert len(sink.ends) == 1

    run(test())
