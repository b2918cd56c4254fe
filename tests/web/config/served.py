"""A listener with a web configuration, and clients of it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from exporter.web.listener import Listener


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Served:
    """A listener, its callbacks, and clients of it."""

    def __init__(self, listener: Listener, told: list[str | None], ca_file: Path) -> None:
        self.listener = listener
        self.told = told
        self.port = listener.ports[0]
        self.ca_file = ca_file
        self.url = f"{listener.scheme}://127.0.0.1:{self.port}"

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(self.ca_file))
        if certificate is not None:
            made.load_cert_chain(certificate, certificate.with_suffix(".key"))
        return made

    async def status(
        self, path: str = "/-/healthy", *, certificate: Path | None = None, auth: tuple[str, str] | None = None
    ) -> int:
        async with self.get(path, certificate=certificate, auth=auth) as answer:
            return answer.status

    @asynccontextmanager
    async def get(
        self, path: str = "/-/healthy", *, certificate: Path | None = None, auth: tuple[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a GET request on a new connection."""
        connector = aiohttp.TCPConnector(ssl=self.context(certificate))
        headers = {} if auth is None else {"Authorization": basic(*auth)}
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as session,
            session.get(f"{self.url}{path}") as answer,
        ):
            await answer.read()
            yield answer

    async def serial(self) -> int:
        """Return the serial number of the certificate that the server shows."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context())
        found = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        del reader
        return int(found, 16)
