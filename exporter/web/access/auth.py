"""The access check of every request: rate limit, client certificate, then user and password, before routing."""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from ssl import SSLObject

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from exporter.model.logger import logger_of
from exporter.model.token_bucket import TokenBucket
from exporter.web.bridge.routes import receive
from exporter.web.config.load import Settings
from exporter.web.config.reloader import Keeper
from exporter.web.config.users import Busy, Users, credentials

logger = logger_of(__name__)

TOLD_EVERY = 60.0  # seconds between two log lines about refused logins
CHALLENGE = 'Basic realm="mailprobe", charset="UTF-8"'

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admission:
    """Decides for each request of one server whether it is allowed. `attach` it to the application."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._users = Users()
        self._bucket: TokenBucket | None = None
        self._rate = (0.0, 0)
        self._answering: set[RequestHandler] = set()
        self._refused = 0  # refused logins since the last log line about them
        self._told_at = float("-inf")

    def attach(self, app: web.Application) -> None:
        """Add the check as the first middleware of `app`, and set the configured response headers last."""

        @web.middleware
        async def first(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self.admit(request, handler)

        app.middlewares.insert(0, first)
        app.on_response_prepare.append(self._set_headers)

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if from_this_account(request):
            return await handler(request)
        self._answering.add(request.protocol)
        try:
            return await self._admit(request, handler)
        finally:
            self._answering.discard(request.protocol)

    def let_go(self, connections: Iterable[RequestHandler]) -> None:
        """Close connections that were accepted with previous TLS settings: now, or after the current response."""
        for connection in list(connections):
            if connection in self._answering:
                connection.close()
            else:
                connection.force_close()

    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        settings = await self._keeper.now()
        if not self._within_rate(settings):
            busy = web.Response(text="429: too many requests\n", status=429)
            return _unread(request, busy)
        if not certificate_fits(settings, request):
            return _let_go(web.Response(text="403: this client certificate is not among those allowed\n", status=403))
        if settings.tls is not None and not request.secure:
            # The client connected before there was a certificate.
            return _let_go(web.Response(text="400: this port speaks TLS now: use https://\n", status=400))
        if settings.users and request.match_info.handler is not receive:  # a bridge's token is in the same header
            refusal = await self._log_in(settings, request)
            if refusal is not None:
                return _unread(request, refusal)
        return await handler(request)

    def close(self) -> None:
        self._users.close()

    def _within_rate(self, settings: Settings) -> bool:
        if self._rate != (settings.interval, settings.burst):
            self._rate = settings.interval, settings.burst
            self._bucket = TokenBucket(settings.burst, settings.interval) if settings.interval else None
        if self._bucket is None:
            return True
        now = time.monotonic()
        free = not self._bucket.wait(now)
        if free:
            self._bucket.take(now)
        return free

    async def _log_in(self, settings: Settings, request: web.Request) -> web.Response | None:
        given = credentials(request.headers.get("Authorization", ""))
        if given is not None:
            try:
                if await self._users.allowed(settings.users, *given):
                    return None
            except Busy:
                return web.Response(text="503: too many logins at once\n", status=503, headers={"Retry-After": "1"})
            self._tell(request.remote or "")
        return web.Response(
            text="401: user and password, please\n", status=401, headers={"WWW-Authenticate": CHALLENGE}
        )

    def _tell(self, client: str) -> None:
        """Log a refused login, without the user name: it may be a password in the wrong field."""
        self._refused += 1
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY:
            logger.warning("a login is refused", client=client, since_last_line=self._refused)
            self._refused, self._told_at = 0, now

    async def _set_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        del request
        for name, value in self._keeper.settings.headers.items():
            if value:
                response.headers[name] = value
            else:
                response.headers.pop(name, None)


def from_this_account(request: web.Request) -> bool:
    """Return whether the request came through the control socket, which only our own user and root can open."""
    transport = request.transport
    peer = transport.get_extra_info("socket") if transport is not None else None
    return peer is not None and peer.family == socket.AF_UNIX


def certificate_fits(settings: Settings, request: web.Request) -> bool:
    """Return whether the client's certificate has an allowed name, if names are configured. TLS has verified it."""
    if not settings.allowed_sans:
        return True
    tls = request.transport.get_extra_info("ssl_object") if request.transport is not None else None
    return isinstance(tls, SSLObject) and not settings.allowed_sans.isdisjoint(alternative_names(tls))


def alternative_names(tls: SSLObject) -> set[str]:
    """Return the subject alternative names that exporter-toolkit compares: DNS, e-mail, IP address, URI."""
    kinds = {"DNS", "email", "IP Address", "URI"}
    found = (tls.getpeercert() or {}).get("subjectAltName", ())
    return {str(each[1]) for each in found if each[0] in kinds}


def _unread(request: web.Request, response: web.Response) -> web.Response:
    """Return the refusal; with a compressed body that would be unpacked for a stranger, it ends the connection."""
    return _let_go(response) if "Content-Encoding" in request.headers else response


def _let_go(response: web.Response) -> web.Response:
    response.force_close()
    return response
