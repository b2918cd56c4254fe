"""Tests of connections that are refused, and of the warnings about open addresses at the start."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from contextlib import suppress

import pytest

from exporter.web.access import tls_site
from exporter.web.listener import Listener, StartError
from tests.servers.process import free_port
from tests.web.config.material import MUTUAL, TLS, USERS
from tests.web.view import FakeView


async def test_who_never_shakes_hands_is_let_go(serve, monkeypatch):
    monkeypatch.setattr(tls_site, "HANDSHAKE_WITHIN", 0.1)
    served = await serve(TLS)
    for said in (b"", b"\x16\x03\x01"):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(said)
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_of_too_many_who_shake_hands_the_oldest_goes(serve, monkeypatch):
    monkeypatch.setattr(tls_site, "MAX_SHAKING", 2)
    served = await serve(TLS)
    opened = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(3)]
    assert await opened[0][0].read() == b""
    assert await served.status() == 200
    for _, writer in opened:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_out_of_descriptors_it_waits_and_goes_on(serve, monkeypatch, caplog):
    monkeypatch.setattr(tls_site, "PAUSE", 0.01)
    loop = asyncio.get_running_loop()
    real, failures = loop.sock_accept, [errno.EMFILE, errno.ECONNABORTED]

    async def accept(listening: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise OSError(failures.pop(0), "no")
        return await real(listening)

    monkeypatch.setattr(loop, "sock_accept", accept)
    served = await serve(TLS)
    assert await served.status() == 200
    assert caplog.text.count("cannot accept connections") == 1


async def test_a_client_that_hangs_up_early_harms_nobody(serve, caplog):
    caplog.set_level(logging.WARNING)
    served = await serve(TLS)
    for said in (b"", b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x80garbage"):
        with socket.create_connection(("127.0.0.1", served.port)) as early:
            early.sendall(said)
    assert await served.status() == 200
    assert caplog.text == ""


async def test_a_port_in_use_is_told_and_nothing_stays_open(serve):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StartError, match="in use"):
        await serve(TLS, port=port)


async def test_all_addresses_are_listened_on_and_who_sees_the_pages_is_told(serve, caplog):
    served = await serve(TLS, host=None)
    assert await served.status() == 200
    assert "anyone who can reach this address can read the pages" in caplog.text


@pytest.mark.parametrize(
    ("text", "said"),
    [(USERS, "passwords of the web pages are sent unencrypted"), (TLS + USERS, ""), (MUTUAL, "")],
    ids=["users", "tls-users", "mutual"],
)
async def test_what_an_open_address_lacks_is_told_once(serve, caplog, text, said):
    await serve(text, host="0.0.0.0")
    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(lines) == (1 if said else 0)
    assert said in "".join(lines)


async def test_without_a_web_configuration_only_open_addresses_are_told_of(caplog):
    for host, count in (("127.0.0.1", 0), ("::1", 0), ("0.0.0.0", 1)):
        caplog.clear()
        listener = Listener(FakeView(), [(host, 0)])
        await listener.start()
        await listener.close()
        assert caplog.text.count("see --web.config.file") == count
