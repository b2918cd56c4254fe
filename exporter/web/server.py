"""The HTTP server itself: routes, security headers, error pages, and limits against slow or greedy clients."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

from aiohttp import web

from exporter.model.logger import logger_of
from exporter.web.access.aiohttp_log import complaints
from exporter.web.api.negotiate import OPENMETRICS, OPENMETRICS_0, accepts_gzip, exposition_type, wants_html
from exporter.web.api.routes import api
from exporter.web.bridge.routes import FindBridge, receive, taking_notifications
from exporter.web.pages.routes import not_found, pages
from exporter.web.routing import add_front_page, add_routes, below_prefix
from exporter.web.view import VIEW, AppView

logger = logger_of(__name__)

MAX_BODY = 64 * 1024
MAX_HEADER = 8190
SCRAPES_AT_ONCE = 8
SCRAPE_WITHIN = 60.0  # seconds for a client to receive /metrics
FIRST_REQUEST_WITHIN = 10.0  # seconds from connecting to a complete request
KEEPALIVE = 75.0
MAX_CONNECTIONS = 512
REAP_EVERY = 2.0

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    ),
    "Server": "mailprobe",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SCRAPES: web.AppKey[asyncio.Semaphore] = web.AppKey("scrapes")
SPOKEN: web.AppKey[set[Any]] = web.AppKey("spoken")


def build(view: AppView, bridges: FindBridge | None = None) -> web.Application:
    """The application. Serve it with `Runner`. `bridges`: those that take notifications; None: there are none."""
    app = web.Application(middlewares=[_errors, _plain_bodies, below_prefix], client_max_size=MAX_BODY)
    app.on_response_prepare.append(_add_headers)
    app[VIEW] = view
    app[SCRAPES] = asyncio.Semaphore(SCRAPES_AT_ONCE)
    app[SPOKEN] = set()
    add_front_page(app)
    add_routes(app, [web.get(view.telemetry_path, metrics)])
    add_routes(app, pages(app))
    add_routes(app, api(app))
    if bridges is not None:
        add_routes(app, taking_notifications(app, bridges))
    return app


async def metrics(request: web.Request) -> web.StreamResponse:
    """Send the exposition in pieces. A thread compresses them, since zlib would block the event loop."""
    scrapes = request.app[SCRAPES]
    if scrapes.locked():
        return web.Response(text="too many scrapes at once\n", status=503)
    content_type = exposition_type(request.headers.get("Accept", ""))
    compressor = zlib.compressobj(1, wbits=31) if accepts_gzip(request.headers.get("Accept-Encoding", "")) else None
    response = web.StreamResponse(headers={"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"})
    if compressor is not None:
        response.headers["Content-Encoding"] = "gzip"
    async with scrapes, asyncio.timeout(SCRAPE_WITHIN):
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        openmetrics = content_type in (OPENMETRICS, OPENMETRICS_0)
        async with aclosing(request.app[VIEW].metrics.exposition(openmetrics=openmetrics)) as chunks:
            async for chunk in chunks:
                piece = chunk if compressor is None else await asyncio.to_thread(compressor.compress, chunk)
                if piece:
                    await response.write(piece)
        if compressor is not None:
            await response.write(compressor.flush())
        await response.write_eof()
    return response


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    del request
    response.headers.update(SECURITY_HEADERS)


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer errors: an HTML page for browsers if the path is unknown, and no internal details for anybody."""
    request.app[SPOKEN].add(request.protocol)
    try:
        return await handler(request)
    except web.HTTPNotFound:
        if wants_html(request.headers.get("Accept", "")):
            return await not_found(request)
        return web.Response(text="404: there is nothing here\n", status=404)
    except web.HTTPException:
        raise
    except web.RequestPayloadError:
        return web.Response(text="400: the body cannot be read\n", status=400)
    except (ConnectionError, TimeoutError):
        if request.transport is not None:  # the client does not receive the response: close the connection
            request.transport.abort()
        raise
    except Exception:
        logger.exception("a page failed", path=request.path)
        return web.Response(text="500: internal error, see the log\n", status=500)


@web.middleware
async def _plain_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody has to send us compressed bodies but Alertmanager, whose notifications the bridges unpack."""
    if "Content-Encoding" in request.headers and request.match_info.handler is not receive:
        response = web.Response(text="415: no Content-Encoding is taken here\n", status=415)
        response.force_close()
        return response
    return await handler(request)


class Runner(web.AppRunner):
    """An AppRunner with limits. aiohttp alone would keep a connection open for ever if no request is sent on it."""

    def __init__(self, app: web.Application, *, shutdown_timeout: float = 2.0) -> None:
        super().__init__(
            app,
            access_log=None,
            logger=complaints(),
            keepalive_timeout=KEEPALIVE,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            lingering_time=1.0,
            auto_decompress=False,  # it would unpack on the event loop, whoever sends, after the answer too
            shutdown_timeout=shutdown_timeout,
        )
        self._spoken = app[SPOKEN]
        self._seen: dict[Any, float] = {}
        self._reaper: asyncio.Task[None] | None = None

    async def setup(self) -> None:
        await super().setup()
        self._reaper = asyncio.create_task(self._reap())

    async def cleanup(self) -> None:
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.wait([self._reaper])
            self._reaper = None
        await super().cleanup()

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(REAP_EVERY)
            self.reap(time.monotonic())

    def reap(self, now: float) -> None:
        """Close connections without a request in time, and the oldest of these if there are too many connections.

        `now` is `time.monotonic()`.
        """
        connections = self.server.connections if self.server is not None else []
        self._seen = {connection: self._seen.get(connection, now) for connection in connections}
        self._spoken.intersection_update(connections)
        silent = [connection for connection in self._seen if connection not in self._spoken]
        surplus = max(len(connections) - MAX_CONNECTIONS, 0)
        for index, connection in enumerate(silent):
            if index < surplus or now - self._seen[connection] >= FIRST_REQUEST_WITHIN:
                connection.force_close()
