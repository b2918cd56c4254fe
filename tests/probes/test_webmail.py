"""Tests of the webmail probe: phases, status, certificate and redirect, and errors of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from aiohttp import web

from exporter.diagnosis.diagnose import diagnose
from exporter.model import Endpoint, FactName, Failure, Phase, Security, Service
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.net.http import MAX_HEAD, without_query
from exporter.net.tls import TlsContexts
from exporter.probes import webmail
from exporter.probes.context import Context
from tests.net.peers import Talk, peer
from tests.servers.certs import Authority

HOST = "127.0.0.1"


class Look:
    """One run of the probe."""

    def __init__(self, port: int, ca_file: Path, page: str = "/", expect: tuple[int, ...] = (200,)) -> None:
        endpoint = Endpoint(HOST, port, Security.TLS, Service.HTTPS, ca_file=ca_file)
        self.settings = webmail.Settings(endpoint, page, expect)
        self.trace = Trace()
        self.failure: Failure | None = None

    async def go(self) -> Look:
        context = SimpleNamespace(resolver=Resolver([]), contexts=TlsContexts())
        try:
            async with asyncio.timeout(30):
                await webmail.probe(self.settings, cast("Context", context), self.trace)
        except Exception as exc:
            self.failure = diagnose(exc, self.trace.failed_phase)
        return self

    @property
    def verdict(self) -> tuple[Phase | None, Reason | None]:
        return (self.failure.phase, self.failure.reason) if self.failure else (None, None)

    def fact(self, name: FactName) -> float | str | None:
        found = [each.value for each in self.trace.facts if each.name is name]
        return found[-1] if found else None


@asynccontextmanager
async def site(
    authority: Authority, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[int]:
    """A real HTTP server, aiohttp's, behind TLS."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0, ssl_context=authority.good(HOST).context()).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_a_page_that_is_there_has_its_phases_status_and_certificate(authority: Authority):
    asked: list[tuple[str, str, str]] = []

    async def page(request: web.Request) -> web.Response:
        asked.append((request.method, request.path_qs, request.headers["Host"]))
        return web.Response(text="x" * 100_000)

    async with site(authority, page) as port:
        look = await Look(port, authority.ca_file, "/owa/?lang=zh&a=%20b").go()
    assert look.verdict == (None, None)
    assert asked == [("GET", "/owa/?lang=zh&a=%20b", f"{HOST}:{port}")]
    assert [phase for phase, _ in look.trace.phases] == [Phase.CONNECT, Phase.TLS, Phase.HTTP]
    assert look.fact(FactName.HTTP_STATUS) == 200
    assert look.fact(FactName.CERT_VALID) == 1
    assert look.fact(FactName.CERT_NOT_AFTER) is not None
    assert look.fact(FactName.TLS_VERSION) == "TLSv1.3"
    assert not any("xxx" in line.text for line in look.trace.lines), "the body is nobody's business"
    assert not any("lang=zh" in line.text for line in look.trace.lines), "a query may be a key"


@pytest.mark.parametrize("status", [204, 307, 403, 404, 500, 503])
async def test_another_status_is_a_failure_in_its_own_words(authority: Authority, status: int):
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "120"} if status == 503 else {})

    async with site(authority, page) as port:
        look = await Look(port, authority.ca_file).go()
        expected = await Look(port, authority.ca_file, expect=(200, status)).go()
    assert look.verdict == (Phase.HTTP, Reason.HTTP_STATUS)
    assert look.failure is not None
    assert look.failure.text.startswith(f"HTTP/1.1 {status} ")
    assert ("Retry-After: 120" in look.failure.text) is (status == 503)
    assert look.fact(FactName.HTTP_STATUS) == status
    assert expected.verdict == (None, None)


async def test_a_redirect_is_named_and_not_followed(authority: Authority):
    asked: list[str] = []

    async def page(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "https://sso.example.com/login?ticket=s3cret#x"})

    async with site(authority, page) as port:
        look = await Look(port, authority.ca_file).go()
        welcome = await Look(port, authority.ca_file, expect=(302,)).go()
    assert look.verdict == (Phase.HTTP, Reason.HTTP_STATUS)
    assert look.failure is not None
    assert "Location: https://sso.example.com/login?…" in look.failure.text
    assert welcome.verdict == (None, None)
    assert welcome.fact(FactName.HTTP_LOCATION) == "https://sso.example.com/login?…"
    assert asked == ["/", "/"]
    assert not any("s3cret" in line.text for line in look.trace.lines)


@pytest.mark.parametrize("kind", ["expired", "wrong_name", "untrusted"])
async def test_a_bad_certificate_is_not_asked_anything(authority: Authority, kind: str):
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    make = getattr(authority, kind)
    async with peer(talk, (make() if kind == "wrong_name" else make(HOST)).context()) as port:
        look = await Look(port, authority.ca_file).go()
    assert look.failure is not None
    assert look.failure.phase is Phase.TLS
    assert look.failure.reason.startswith("certificate_")
    assert not any(heard)


def says(*chunks: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()

    return talk


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (says(), Reason.CONNECTION_RESET),
        (says(b"HTTP/1.1 200 O"), Reason.CONNECTION_RESET),
        (says(b"* OK IMAP4rev1 ready\r\n"), Reason.WRONG_PROTOCOL),
        (says(b"220 mail ESMTP\r\n"), Reason.WRONG_PROTOCOL),
        (says(b"\x00\x00\x12\x04\x00\x00\x00"), Reason.PROTOCOL_ERROR),
        (says(b"HTTP/9 fine\r\n\r\n"), Reason.PROTOCOL_ERROR),
        (says(b"HTTP/1.1 20 OK\r\n\r\n"), Reason.PROTOCOL_ERROR),
        (says(b"HTTP/1.1 " + b"x" * MAX_HEAD), Reason.PROTOCOL_ERROR),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 8), Reason.HTTP_STATUS),
        (endless, Reason.PROTOCOL_ERROR),
    ],
)
async def test_what_is_no_answer_is_told_by_its_reason(authority: Authority, talk: Talk, reason: Reason):
    async with peer(talk, authority.good(HOST).context()) as port:
        look = await Look(port, authority.ca_file).go()
    assert look.verdict == (Phase.HTTP, reason)


@pytest.mark.parametrize(
    "chunks",
    [
        [b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
        [bytes([octet]) for octet in b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nbody"],
        [b"HTTP/1.1 200\n\n"],
        [b"HTTP/1.1 200 \xc3\xbcber \xcd\xf8\r\nX: \xff\r\n\r\n"],
    ],
)
async def test_unusual_but_good_answers(authority: Authority, chunks: list[bytes]):
    """Interim answers, byte by byte, without a phrase, in no known charset."""
    async with peer(says(*chunks), authority.good(HOST).context()) as port:
        look = await Look(port, authority.ca_file).go()
    assert look.verdict == (None, None), look.failure


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/login", "/login"),
        ("/login;jsessionid=ABC?x=1", "/login?…"),
        ("https://user:pass@h.example:8443/a#token", "https://h.example:8443/a"),
        ("https://[broken", "(not a URL)"),
    ],
)
def test_what_may_open_a_session_is_not_shown(location: str, shown: str):
    assert without_query(location) == shown
