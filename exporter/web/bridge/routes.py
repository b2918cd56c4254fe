"""The endpoint POST /bridge/NAME: a webhook receiver for Alertmanager that forwards to a group robot."""

from __future__ import annotations

import asyncio
import hmac
import json
import math
import zlib
from typing import Protocol

from aiohttp import web

from exporter.model.errors import ProbeError
from exporter.model.logger import logger_of
from exporter.web.bridge.bridge import Bridge
from exporter.web.bridge.robots import Verdict
from exporter.web.bridge.webhook import Notification, WebhookError, parse

logger = logger_of(__name__)

MAX_BODY = 2 * 1024 * 1024  # bytes: a few thousand alerts
AT_ONCE = 20  # limit of requests whose bodies are read at the same time
READ_WITHIN = 20.0  # seconds to read a body
_WINDOW = {"identity": 0, "gzip": 31, "x-gzip": 31, "deflate": 15}  # Content-Encoding → `wbits` of zlib
READING: web.AppKey[asyncio.Semaphore] = web.AppKey("bridge requests")


class FindBridge(Protocol):
    """Finds a configured bridge by its name."""

    def get(self, name: str, /) -> Bridge | None: ...


BRIDGES: web.AppKey[FindBridge] = web.AppKey("bridges")


def taking_notifications(app: web.Application, bridges: FindBridge) -> list[web.RouteDef]:
    """Return the route that receives notifications for the bridges, and set up what it keeps between requests."""
    app[BRIDGES] = bridges
    app[READING] = asyncio.Semaphore(AT_ONCE)
    return [web.post("/bridge/{name}", receive)]


async def receive(request: web.Request) -> web.Response:
    """POST /bridge/NAME: a notification. After 5xx Alertmanager retries; after 4xx it does not."""
    bridge = request.app[BRIDGES].get(request.match_info["name"])
    if bridge is None:
        return _answer(404, "there is no bridge of this name")
    try:
        if not await _may(bridge, request.headers.get("Authorization", "")):
            return _answer(401, "the bridge's token, please: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
    except ProbeError as exc:
        logger.error("a bridge cannot read its token", err=exc.text)  # noqa: TRY400 - the text says enough
        return _answer(500, "the bridge cannot read its token, see the log")
    if request.content_type != "application/json":
        return _answer(415, "must be application/json")
    if _encoding(request) not in _WINDOW:
        return _answer(415, "Content-Encoding: gzip or deflate, or none", {"Accept-Encoding": "gzip, deflate"})
    try:
        async with request.app[READING]:
            notification = await _read(request, bridge.settings.language)
    except WebhookError as exc:
        return _answer(400, str(exc))
    except web.HTTPRequestEntityTooLarge:
        return _answer(413, f"longer than {MAX_BODY // 1024} KiB: set max_alerts in Alertmanager")
    return _told(await bridge.deliver(notification))


async def _may(bridge: Bridge, header: str) -> bool:
    """Compare the token in constant time.

    It is read each time, so that a new one needs no reload. Raises ProbeError.
    """
    scheme, _, given = header.partition(" ")
    wanted = (await bridge.settings.token.read()).reveal()
    same = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), wanted.encode())
    return same and scheme.lower() == "bearer"


def _encoding(request: web.Request) -> str:
    return request.headers.get("Content-Encoding", "identity").strip().lower()


async def _read(request: web.Request, language: str) -> Notification:
    """Read, unpack and parse the body, in a thread.

    Raises WebhookError, HTTPRequestEntityTooLarge, TimeoutError.
    """
    window = _WINDOW[_encoding(request)]
    raw = bytearray()
    async with asyncio.timeout(READ_WITHIN):
        async for chunk in request.content.iter_chunked(64 * 1024):
            raw += chunk
            if len(raw) > MAX_BODY:
                raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(raw))

    def parsed() -> Notification:
        try:
            body = json.loads(_unpacked(raw, window))
        except (ValueError, RecursionError):
            raise WebhookError("not JSON") from None
        return parse(body, language)

    return await asyncio.to_thread(parsed)


def _unpacked(raw: bytearray, window: int) -> bytes | bytearray:
    """Raises WebhookError, HTTPRequestEntityTooLarge."""
    if not window:
        return raw
    unpacker = zlib.decompressobj(window)
    try:
        body = unpacker.decompress(raw, MAX_BODY + 1)
    except zlib.error:
        raise WebhookError("the body is not compressed as Content-Encoding says") from None
    if len(body) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(body))
    if not unpacker.eof:
        raise WebhookError("the compressed body is not complete")
    return body


def _told(verdict: Verdict) -> web.Response:
    if verdict.ok:
        return _answer(200, "the robot has it")
    if verdict.retry is None:
        return _answer(424, f"the robot refuses: {verdict.text}")
    return _answer(503, f"not now: {verdict.text}", {"Retry-After": str(math.ceil(verdict.retry))})


def _answer(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(text=f"{text}\n", status=status, headers=headers)
