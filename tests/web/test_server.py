"""Tests of /metrics, the health check, and the limits that stop clients from holding resources."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.http_parser import DeflateBuffer
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.web import server as module
from exporter.web.server import Runner, build
from tests.results import mailbox, ok
from tests.web.view import FakeView


def about_targets(text: str) -> str:
    return text.partition("# HELP process_")[0]


async def test_metrics_are_text_unless_openmetrics_is_preferred(browse):
    client = await browse(FakeView([mailbox()], [ok(mailbox())]))
    text = await client.get("/metrics")
    assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert list(parse_text(await text.text()))
    openmetrics = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=2.0.0"})
    assert openmetrics.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert (await openmetrics.text()).endswith("# EOF\n")


async def test_metrics_are_compressed_where_that_is_accepted(browse):
    client = await browse(FakeView([mailbox(f"box{n}") for n in range(300)]))
    plain = await client.get("/metrics", headers={"Accept-Encoding": "identity"}, auto_decompress=False)
    packed = await client.get("/metrics", headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    body, compressed = await plain.read(), await packed.read()
    assert about_targets(gzip.decompress(compressed).decode()) == about_targets(body.decode())
    assert len(compressed) < len(body) / 10


async def test_metrics_are_at_the_configured_path(browse):
    view = FakeView()
    view.telemetry_path = "/telemetry"
    client = await browse(view)
    assert (await client.get("/telemetry")).status == 200
    assert (await client.get("/metrics")).status == 404
    assert "telemetry" in await (await client.get("/")).text()


async def test_head_is_answered_without_a_body(browse):
    client = await browse(FakeView())
    for path in ("/metrics", "/-/healthy", "/"):
        response = await client.head(path)
        assert (response.status, await response.read()) == (200, b"")


async def test_other_tasks_get_their_turn_during_a_scrape():
    """Between two pieces the event loop runs: a probe's latency does not depend on who scrapes."""
    view = FakeView([mailbox(f"box{n}") for n in range(2000)])
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count())
    pieces = [len(piece) async for piece in view.metrics.exposition(openmetrics=False)]
    task.cancel()
    assert max(pieces) < 200_000
    assert turns >= len([size for size in pieces if size > 1000]) - 1


async def test_too_many_scrapes_at_once_are_refused(browse):
    view = FakeView()
    client = await browse(view)
    semaphore = client.app[module.SCRAPES]
    for _ in range(module.SCRAPES_AT_ONCE):
        await semaphore.acquire()
    assert (await client.get("/metrics")).status == 503
    semaphore.release()
    assert (await client.get("/metrics")).status == 200


async def test_healthy_is_about_being_alive_and_ready_about_being_set_up(browse):
    view = FakeView()
    view.is_ready = False
    client = await browse(view)
    assert (await client.get("/-/healthy")).status == 200
    assert (await client.get("/-/ready")).status == 503
    view.is_ready = True
    assert (await client.get("/-/ready")).status == 200


async def test_reload_wants_post_or_put_and_says_why_it_was_refused(browse):
    view = FakeView()
    client = await browse(view)
    refused = await client.get("/-/reload")
    assert refused.status == 405
    assert set(refused.headers["Allow"].split(",")) == {"POST", "PUT"}
    assert view.reloads == 0
    for method in ("POST", "PUT"):
        assert (await client.request(method, "/-/reload")).status == 200
    view.reload_error = "config.yaml:3: mailboxes[0].imap.prot: unknown key; did you mean port?"
    bad = await client.post("/-/reload")
    assert bad.status == 500
    assert view.reload_error in await bad.text()
    assert (await client.post("/-/reload", headers={"Sec-Fetch-Site": "cross-site"})).status == 403
    assert view.reloads == 3


async def test_a_bug_in_a_page_tells_the_log_and_not_the_client(browse, monkeypatch, caplog):
    view = FakeView()
    monkeypatch.setattr(view, "config_text", lambda: 1 / 0)
    client = await browse(view)
    with caplog.at_level(logging.ERROR):
        response = await client.get("/config")
    assert response.status == 500
    assert "ZeroDivisionError" not in await response.text()
    assert "a page failed" in caplog.text


@pytest.mark.parametrize("path", ["/style.css", "/page.js"])
async def test_a_file_that_the_browser_has_is_not_sent_again(browse, path):
    client = await browse(FakeView())
    first = await client.get(path)
    tag = first.headers["ETag"]
    assert re.fullmatch('"[0-9a-f]{32}"', tag)
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    changed = await client.get(path, headers={"If-None-Match": f'"{"0" * 32}"'})
    assert (changed.status, await changed.read()) == (200, await first.read())
    assert len({(await client.get(each)).headers["ETag"] for each in ("/style.css", "/page.js")}) == 2


async def test_large_requests_are_refused(browse):
    client = await browse(FakeView([mailbox()]))
    assert (await client.get("/", headers={"X-Long": "x" * 20_000})).status == 400
    assert (await client.get(f"/?q={'x' * 20_000}")).status in (400, 414)


@pytest.fixture
async def served():
    """A server with its Runner, and its port."""
    runner = Runner(build(FakeView()))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner, runner.addresses[0][1]
    await runner.cleanup()


async def test_a_client_that_never_asks_is_let_go_and_one_that_did_stays(served):
    runner, port = served
    silent_reader, silent = await asyncio.open_connection("127.0.0.1", port)
    asking_reader, asking = await asyncio.open_connection("127.0.0.1", port)
    silent.write(b"GET / HTTP/1.1\r\nX-Slow: ")
    asking.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    await asking_reader.readuntil(b"healthy.\n")
    runner.reap(1000.0)
    assert len(runner.server.connections) == 2
    runner.reap(1000.0 + module.FIRST_REQUEST_WITHIN)
    assert await silent_reader.read() == b""
    asking.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    await asking_reader.readuntil(b"healthy.\n")
    for writer in (silent, asking):
        writer.close()
        await writer.wait_closed()


async def test_of_too_many_connections_the_silent_ones_go_first(served, monkeypatch):
    runner, port = served
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    other_reader, other = await asyncio.open_connection("127.0.0.1", port)
    other.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    await other_reader.readuntil(b"healthy.\n")
    runner.reap(1000.0)
    assert await reader.read() == b""
    for each in (writer, other):
        each.close()
        await each.wait_closed()


async def test_a_client_that_does_not_take_the_metrics_is_let_go(monkeypatch):
    """A scrape holds its lines only as long as SCRAPE_WITHIN."""
    monkeypatch.setattr(module, "SCRAPE_WITHIN", 0.2)
    view = FakeView([mailbox(f"box{n}") for n in range(8000)])
    ended, exposition = asyncio.Event(), view.metrics.exposition

    async def watched(*, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        try:
            async for piece in exposition(openmetrics=openmetrics):
                yield piece
        finally:
            ended.set()

    monkeypatch.setattr(view.metrics, "exposition", watched)
    runner = Runner(build(view))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    reader, writer = await asyncio.open_connection("127.0.0.1", runner.addresses[0][1], limit=1024)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    await ended.wait()
    body = b""
    with suppress(ConnectionResetError):
        body = await reader.read()
    assert b"process_cpu_seconds_total" not in body  # it is at the end
    writer.close()
    await runner.cleanup()


@pytest.fixture
def unpacked(monkeypatch) -> list[int]:
    """The sizes of the pieces that aiohttp has unpacked."""
    sizes: list[int] = []
    really = DeflateBuffer.feed_data

    def unpack(buffer: DeflateBuffer, chunk: bytes, *rest: Any) -> Any:
        sizes.append(len(chunk))
        return really(buffer, chunk, *rest)

    monkeypatch.setattr(DeflateBuffer, "feed_data", unpack)
    return sizes


async def send_compressed(port: int, path: str) -> bytes:
    """Return all that the server answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = gzip.compress(b" " * 10_000_000)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("path", ["/", "/-/reload", "/targets/x", "/nothing", "/bridge/ops"])
async def test_nobody_makes_the_event_loop_unpack_what_he_sends(served, unpacked, path):
    """A client that nobody knows sends 10 KiB that become 10 MB: not one byte is unpacked, on the loop or elsewhere."""
    _, port = served
    assert (await send_compressed(port, path)).startswith(b"HTTP/1.1 415 ")
    assert unpacked == []


async def test_aiohttp_as_it_comes_would_unpack(unpacked):
    """Shows that the count of the test above sees it."""
    runner = web.AppRunner(build(FakeView()), lingering_time=1.0, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert (await send_compressed(runner.addresses[0][1], "/nothing")).startswith(b"HTTP/1.1 415 ")
    assert sum(unpacked) > 0
    await runner.cleanup()
