"""Fixture: a client of the web server over a fake daemon."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from exporter.web.server import build
from tests.web.view import FakeView

Client = TestClient[web.Request, web.Application]
Browse = Callable[[FakeView], Awaitable[Client]]


@pytest.fixture
async def browse() -> AsyncIterator[Browse]:
    """`browse(view)` returns a client of the pages."""
    clients: list[Client] = []

    async def start(view: FakeView) -> Client:
        server = TestServer(build(view, view.bridges))
        await server.start_server(auto_decompress=False)  # as `Runner`
        client = TestClient(server)
        clients.append(client)
        await client.start_server()
        return client

    yield start
    for client in clients:
        await client.close()
