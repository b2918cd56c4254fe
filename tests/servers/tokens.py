"""A token server for tests: refresh tokens (also rotated ones), client credentials, assertions, device codes, codes.

It runs in the event loop of the test, which controls it: late answers, refusals, expired tokens.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlencode

from aiohttp import web

CLIENT = "mailprobe-tests"
CLIENT_SECRET = "client-canary-0"
Form = dict[str, str]


@dataclass(slots=True)
class Issued:
    """An access token."""

    user: str
    expires: float  # Unix time


@dataclass
class TokenServer:
    """An async context manager on 127.0.0.1. `port` 0: any."""

    port: int = 0
    lifetime: int = 3600  # seconds, as in its answers
    rotates: bool = False  # each refresh returns a new refresh token and invalidates the old one
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # token → user
    issued: dict[str, Issued] = field(default_factory=dict)
    requests: list[Form] = field(default_factory=list)  # requests to the token endpoint
    answer: web.Response | None = None  # sent in place of any other answer
    gate: asyncio.Event = field(default_factory=asyncio.Event)  # answers wait for this event
    arrived: asyncio.Event = field(default_factory=asyncio.Event)  # set when a request has arrived
    pending: int = 0  # number of polls until the user has entered the device code
    denied: bool = False  # the user refuses

    async def __aenter__(self) -> Self:
        self.gate.set()
        app = web.Application()
        app.router.add_post("/token", self._token)
        app.router.add_post("/device", self._device)
        app.router.add_get("/tokeninfo", self._tokeninfo)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gate.set()
        await self._runner.cleanup()

    def url(self, path: str = "/token") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def refresh_token(self, user: str) -> str:
        """Return a new refresh token, as after a sign-in."""
        made = f"refresh-canary-{secrets.token_urlsafe(16)}"
        self.refresh_tokens[made] = user
        return made

    def refuse(self, error: str, told: str = "", status: int = 400) -> None:
        """Refuse every request from now on. `allow` ends it."""
        self.answer = _json({"error": error, "error_description": told}, status)

    def allow(self) -> None:
        self.answer = None

    def expire_all(self) -> None:
        """Invalidate all access tokens, regardless of their lifetime."""
        for token in self.issued.values():
            token.expires = 0.0

    # -- the endpoints ------------------------------------------------------------------------------------------------

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.requests.append(form)
        self.arrived.set()
        await self.gate.wait()
        if self.answer is not None:
            return self._again(self.answer)
        match form.get("grant_type", ""):
            case "refresh_token":
                return self._refresh(form["refresh_token"])
            case "client_credentials":
                good = (form.get("client_id"), form.get("client_secret")) == (CLIENT, CLIENT_SECRET)
                return self._grant("application") if good else _json({"error": "invalid_client"}, 401)
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return self._grant("assertion")
            case "urn:ietf:params:oauth:grant-type:device_code":
                return self._poll()
            case "authorization_code":
                return self._grant("alice@example.test", self.refresh_token("alice@example.test"))
        return _json({"error": "unsupported_grant_type"}, 400)

    def _refresh(self, token: str) -> web.Response:
        user = self.refresh_tokens.get(token)
        if user is None:
            return _json({"error": "invalid_grant", "error_description": f"{token} is unknown or revoked"}, 400)
        if not self.rotates:
            return self._grant(user)
        del self.refresh_tokens[token]
        return self._grant(user, self.refresh_token(user))

    def _poll(self) -> web.Response:
        if self.denied:
            return _json({"error": "access_denied"}, 400)
        if self.pending:
            self.pending -= 1
            return _json({"error": "slow_down" if self.pending == 0 else "authorization_pending"}, 400)
        return self._grant("alice@example.test", self.refresh_token("alice@example.test"))

    def _grant(self, user: str, refresh: str = "") -> web.Response:
        access = f"access-canary-{secrets.token_urlsafe(24)}"
        self.issued[access] = Issued(user, time.time() + self.lifetime)
        body: dict[str, object] = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        return _json(body | ({"refresh_token": refresh} if refresh else {}), 200)

    async def _device(self, request: web.Request) -> web.Response:
        self.requests.append({name: str(value) for name, value in (await request.post()).items()})
        if self.answer is not None:
            return self._again(self.answer)
        page = self.url("/type-it-here")
        body = {"device_code": "device-canary-1", "user_code": "ABCD-EFGH", "verification_uri": page}
        return _json(body | {"interval": 0.01, "expires_in": 60}, 200)

    async def _tokeninfo(self, request: web.Request) -> web.Response:
        """Answer dovecot's query (`tokeninfo_url`)."""
        found = self.issued.get(request.query.get("access_token", ""))
        if found is None or found.expires <= time.time():
            return _json({"active": "false"}, 401)  # dovecot 2.4 treats a body with `error` as a failure of this server
        return _json({"username": found.user, "active": "true", "expires_in": int(found.expires - time.time())}, 200)

    @staticmethod
    def _again(answer: web.Response) -> web.Response:
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


def redirect(address: str, code: str, state: str) -> str:
    """Return the URL to which the authorization page redirects the browser."""
    return f"{address}/?{urlencode({'code': code, 'state': state})}"


def _json(body: object, status: int) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
