"""A small web server on loopback that receives the code after a sign-in in the browser (RFC 8252 section 7.3)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from aiohttp import web

from exporter.model.phrases import Phrases

_PAGE = """<!DOCTYPE html><html><meta charset="utf-8"><title>mailprobe</title>
<p>{english}</p>
<p lang="zh">{chinese}</p></html>"""
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


class RedirectListener:
    """An async context manager that listens on loopback, on a free port."""

    def __init__(self) -> None:
        app = web.Application(client_max_size=0)
        app.router.add_get("/", self._take)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        self._addresses: asyncio.Queue[str] = asyncio.Queue(maxsize=20)
        self.url = ""

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", 0).start()
            port = self._runner.addresses[0][1]
            with contextlib.suppress(OSError):  # no IPv6 on this machine, or the port is in use there
                await web.TCPSite(self._runner, "::1", port).start()
        except BaseException:
            await self._runner.cleanup()
            raise
        # By name and without a path: registered in this form with Microsoft, which ignores the port.
        self.url = f"http://localhost:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def address(self) -> str:
        """Return the next address that a browser requested. The caller checks whether it is the answer."""
        return await self._addresses.get()

    async def _take(self, request: web.Request) -> web.Response:
        if not request.query_string:
            raise web.HTTPNotFound
        with contextlib.suppress(asyncio.QueueFull):
            self._addresses.put_nowait(f"{self.url}/?{request.query_string}")
        return web.Response(text=_page(), content_type="text/html", headers=_HEADERS)


def _page() -> str:
    return _PAGE.format(english=Phrases("en")("oauth.taken"), chinese=Phrases("zh")("oauth.taken"))
