"""Tests of invalid HTTP requests, which anybody can send before a login: the log keeps secrets out and stays small."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from aiohttp import web

from exporter.web.access import aiohttp_log
from exporter.web.server import Runner, build
from tests.canary import leaks
from tests.results import mailbox
from tests.web.view import FakeView

CANARY = "c4nary-t0ken"
GET = "GET /metrics HTTP/1.1\r\nHost: x\r\n"
FORM = "POST /targets/sales HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 12\r\n"
STAR = b"GET * HTTP/1.1\r\nHost: x\r\n\r\n"

BAD = {
    "no_cr": f"{GET}Authorization: Bearer {CANARY}\n\r\n\r\n",
    "control_character": f"{GET}Authorization: Bearer \x01{CANARY}\r\n\r\n",
    "folded": f"{GET}Authorization: Bearer\r\n {CANARY}\r\n\r\n",
    "blank_before_colon": f"{GET}Authorization : Basic {CANARY}\r\n\r\n",
    "long_header": f"{GET}Authorization: Basic {CANARY * 1000}\r\n\r\n",
    "login_in_address": f"GET http://user:{CANARY}@h:x/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "long_address": f"GET /{CANARY * 1000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "not_ascii": f"GET /\xff{CANARY} HTTP/1.1\r\nHost: x\r\n\r\n",
    "chunk": f"{GET}Transfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
    "charset": f"{FORM}Content-Type: application/x-www-form-urlencoded; charset={CANARY}\r\n\r\nprobe=imap&x",
    "boundary": f"{FORM}Content-Type: multipart/form-data; boundary={CANARY}\r\n\r\n{CANARY}",
    "no_gzip": f"{FORM}Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: gzip\r\n\r\n{CANARY}",
}


@pytest.fixture
async def serve():
    """Call it with an application: a server with its Runner, whose port it returns."""
    runners: list[Runner] = []

    async def start(app: web.Application) -> int:
        runner = Runner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    yield start
    for each in runners:
        await each.cleanup()


async def ask(port: int, request: bytes) -> bytes:
    """The status line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return status


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.parametrize("name", BAD)
async def test_nothing_of_a_request_that_cannot_be_read_gets_into_the_log(serve, caplog, name):
    port = await serve(build(FakeView([mailbox("sales")])))
    status = b" 415 " if name == "no_gzip" else b" 400 "
    assert status in await ask(port, BAD[name].encode("latin-1"))
    assert leaks(CANARY, [caplog.text, *(repr(vars(each)) for each in caplog.records)]) == []
    assert [each for each in lines(caplog) if each.levelno > logging.WARNING or each.exc_info] == []


async def test_a_flood_of_them_is_one_line_a_minute_with_a_count(serve, caplog, monkeypatch):
    port = await serve(build(FakeView()))
    for _ in range(300):
        assert b" 400 " in await ask(port, STAR)
    (line,) = lines(caplog)
    assert (line.levelname, line.getMessage(), line.exc_info) == ("WARNING", aiohttp_log.BAD, None)
    assert vars(line)["fields"] == {"client": "127.0.0.1", "since_last_line": 1}
    monkeypatch.setattr(aiohttp_log, "TOLD_EVERY", 0.0)
    await ask(port, STAR)
    assert vars(lines(caplog)[1])["fields"]["since_last_line"] == 300


async def test_a_bug_in_a_page_keeps_its_traceback(serve, caplog, monkeypatch):
    view = FakeView()
    monkeypatch.setattr(view, "config_text", lambda: 1 / 0)
    assert b" 500 " in await ask(await serve(build(view)), b"GET /config HTTP/1.1\r\nHost: x\r\n\r\n")
    (line,) = lines(caplog)
    assert line.exc_info is not None
    assert line.exc_info[0] is ZeroDivisionError


async def test_what_fails_outside_of_the_pages_is_told_by_its_class_and_place(serve, caplog):
    """The text may quote the request."""

    @web.middleware
    async def broken(request: web.Request, handler: object) -> web.StreamResponse:
        raise KeyError(request.headers["Authorization"])

    app = build(FakeView())
    app.middlewares.insert(0, broken)
    port = await serve(app)
    for _ in range(3):
        assert b" 500 " in await ask(port, f"{GET}Authorization: Bearer {CANARY}\r\n\r\n".encode())
    (line,) = lines(caplog)
    assert (line.levelname, line.getMessage()) == ("ERROR", aiohttp_log.FAILED)
    assert vars(line)["fields"]["err"] == "KeyError"
    assert re.match(r"test_aiohttp_log\.py:\d+ broken < ", vars(line)["fields"]["at"])
    assert leaks(CANARY, [caplog.text, repr(vars(line))]) == []


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        (("Error handling request from %s", "::1"), ConnectionResetError(CANARY), ("WARNING", aiohttp_log.LEFT)),
        (("Error handling request from %s", "::1"), None, ("WARNING", aiohttp_log.SLOW)),
        (("Unhandled exception",), web.RequestPayloadError(CANARY), ("WARNING", aiohttp_log.BAD)),
        ((f"Web-handler should return a response instance, got {CANARY}",), None, ("ERROR", aiohttp_log.FAILED)),
    ],
)
def test_each_complaint_has_its_line(caplog, said, error, told):
    aiohttp_log.complaints().exception(*said, exc_info=error)
    (line,) = lines(caplog)
    assert (line.levelname, line.getMessage(), line.exc_info) == (*told, None)
    assert leaks(CANARY, [caplog.text, repr(vars(line))]) == []
