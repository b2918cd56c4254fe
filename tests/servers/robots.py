"""The group robots of DingTalk, Feishu and WeCom.

They check keywords, signatures, sizes and rates as the real ones do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.servers.process import PATIENCE, ServerError, free_port

KEY = "robot-key-0123456789abcdef"
SECRET = "SECrobot-secret-0123456789"
HOUR = 3600.0
Json = Any
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass
class Robots:
    """A server on loopback, in the event loop of the test; an async context manager. `messages` are (title, text)."""

    signed: bool = True
    keyword: str = ""
    messages: list[tuple[str, str]] = field(default_factory=list)
    instead: list[Handler] = field(default_factory=list)  # the next answers, for any request
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self.port = free_port()
        self.requests = 0
        self._taken: list[float] = []
        self._limited_until = 0.0
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    def url(self, kind: str) -> str:
        path = {
            "dingtalk": f"robot/send?access_token={KEY}",
            "feishu": f"open-apis/bot/v2/hook/{KEY}",
            "wecom": f"cgi-bin/webhook/send?key={KEY}",
        }[kind]
        return f"http://127.0.0.1:{self.port}/{path}"

    async def wait_for(self, words: str, seconds: float = 60) -> str:
        """Return the first message that contains these words, including earlier ones."""
        try:
            async with asyncio.timeout(PATIENCE * seconds), self._news:
                while True:
                    for title, text in self.messages:
                        if words in title or words in text:
                            return f"{title}\n{text}"
                    await self._news.wait()
        except TimeoutError:
            raise ServerError(f"no message with {words!r} within {seconds:g} s; came: {self.messages}") from None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_post("/robot/send", self._counted(self._dingtalk))
        app.router.add_post("/open-apis/bot/v2/hook/{key}", self._counted(self._feishu))
        app.router.add_post("/cgi-bin/webhook/send", self._counted(self._wecom))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner:
            await self._runner.cleanup()

    def _counted(self, handler: Handler) -> Handler:
        async def counted(request: web.Request) -> web.Response:
            self.requests += 1
            if self.instead:
                return await self.instead.pop(0)(request)
            return await handler(request)

        return counted

    async def _take(self, title: str, text: str) -> None:
        async with self._news:
            self.messages.append((title, text))
            self._news.notify_all()

    def _too_fast(self, per_minute: int, per_second: int = 1_000_000) -> bool:
        now = self.clock()
        self._taken = [at for at in self._taken if at > now - 60.0]
        if len(self._taken) >= per_minute or sum(at > now - 1.0 for at in self._taken) >= per_second:
            return True
        self._taken.append(now)
        return False

    async def _dingtalk(self, request: web.Request) -> web.Response:
        raw, query = await request.read(), request.query
        if query.get("access_token") != KEY:
            return _answer(errcode=300005, errmsg="token is not exist")
        if self.signed:
            stamp = query.get("timestamp", "")
            string = f"{stamp}\n{SECRET}".encode()
            wanted = base64.b64encode(hmac.new(SECRET.encode(), string, hashlib.sha256).digest()).decode()
            if query.get("sign") != wanted:
                return _answer(errcode=310000, errmsg="sign not match")
            if not stamp.isdigit() or abs(int(stamp) / 1000 - self.now()) > HOUR:
                return _answer(errcode=310000, errmsg="invalid timestamp")
        body = await request.json()
        if request.content_type != "application/json" or body["msgtype"] != "markdown":
            return _answer(errcode=40035, errmsg="bad request")
        title, text = body["markdown"]["title"], body["markdown"]["text"]
        if len(raw) > 20_000:
            return _answer(errcode=460101, errmsg="message too long, exceed 20000 bytes")
        if self.keyword not in title + text:
            return _answer(errcode=310000, errmsg="keywords not in content")
        if self.clock() < self._limited_until or self._too_fast(20):
            self._limited_until = self.clock() + 600.0
            return _answer(status=1111, errcode=130101, errmsg="send too fast, exceed 20 times per minute")
        await self._take(title, text)
        return _answer(errcode=0, errmsg="ok")

    async def _feishu(self, request: web.Request) -> web.Response:
        raw, body = await request.read(), await request.json()
        if request.match_info["key"] != KEY:
            return _answer(code=19001, msg="param invalid: incoming webhook access token invalid", data={})
        if len(raw) > 20 * 1024:
            return _answer(code=9499, msg="Bad Request", data={})
        if self.signed:
            stamp = body.get("timestamp", "")
            key = f"{stamp}\n{SECRET}".encode()
            wanted = base64.b64encode(hmac.new(key, digestmod=hashlib.sha256).digest()).decode()
            late = not str(stamp).isdigit() or abs(int(stamp) - self.now()) > HOUR
            if body.get("sign") != wanted or late:
                words = "sign match fail or timestamp is not within one hour from current time"
                return _answer(code=19021, msg=words, data={})
        if body["msg_type"] != "interactive":
            return _answer(code=9499, msg="Bad Request", data={})
        card = body["card"]
        if self._too_fast(100, 5):
            return _answer(code=11232, msg="frequency limited psm", data={})
        await self._take(card["header"]["title"]["content"], card["elements"][0]["content"])
        return _answer(code=0, msg="success", data={}, StatusCode=0, StatusMessage="success")

    async def _wecom(self, request: web.Request) -> web.Response:
        body = await request.json()
        if request.query.get("key") != KEY:
            words = f"invalid webhook url, hint: [{request.query.get('key')}], from ip: 127.0.0.1"
            return _answer(errcode=93000, errmsg=words)
        text = body["markdown"]["content"]
        if len(text.encode()) > 4096:
            return _answer(errcode=40058, errmsg="markdown.content exceed max length 4096. invalid Request Parameter")
        if self._too_fast(20):
            return _answer(errcode=45009, errmsg="api freq out of limit")
        await self._take("", text)
        return _answer(errcode=0, errmsg="ok")


def _answer(**fields: Json) -> web.Response:
    return web.json_response(fields)
