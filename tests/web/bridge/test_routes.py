"""Tests of POST /bridge/NAME: who may send, what is accepted, and the answers to Alertmanager."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zlib
from collections.abc import AsyncIterator

import pytest

from exporter.credentials.sources import FileSecret
from exporter.model.settings import BridgeSettings, RobotKind
from exporter.web.bridge import routes
from exporter.web.bridge.bridge import Bridge
from exporter.web.bridge.robots import Verdict
from exporter.web.bridge.webhook import Notification
from tests.notifications import alert, notification
from tests.servers.robots import KEY, SECRET, Robots
from tests.web.bridge.test_bridge import Counts
from tests.web.conftest import Browse, Client
from tests.web.view import FakeView

TOKEN = "bridge-token-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Stub(Bridge):
    """A bridge that says what it is told to."""

    verdict = Verdict(ok=True)
    got: list[Notification]

    async def deliver(self, notification: Notification) -> Verdict:
        self.got.append(notification)
        return self.verdict


@pytest.fixture
def stub(tmp_path) -> Stub:
    for name, content in (("url", "http://127.0.0.1:1/x"), ("token", TOKEN)):
        (tmp_path / name).write_text(content + "\n")
    url, token = (FileSecret(tmp_path / name, f"{name}_file") for name in ("url", "token"))
    made = Stub(BridgeSettings("ops", RobotKind.WECOM, url, None, token), None, Counts())  # type: ignore[arg-type]
    made.got = []
    return made


@pytest.fixture
async def client(browse: Browse, stub: Stub) -> Client:
    view = FakeView()
    view.bridges["ops"] = stub
    return await browse(view)


BODY = notification([alert("sales")])


async def test_a_notification_is_delivered(client: Client, stub: Stub):
    answer = await client.post("/bridge/ops", json=BODY, headers=BEARER)
    assert (answer.status, await answer.text()) == (200, "the robot has it\n")
    assert [each.alerts[0].who for each in stub.got] == ["sales"]


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
async def test_without_its_token_a_bridge_takes_nothing(client: Client, stub: Stub, header: str):
    answer = await client.post("/bridge/ops", json=BODY, headers={"Authorization": header})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await client.post("/bridge/ops", json=BODY)).status == 401
    assert stub.got == []


async def test_a_changed_token_needs_no_reload_and_a_missing_one_lets_nobody_in(client: Client, stub: Stub, tmp_path):
    (tmp_path / "token").write_text("another\n")
    assert (await client.post("/bridge/ops", json=BODY, headers=BEARER)).status == 401
    assert (await client.post("/bridge/ops", json=BODY, headers={"Authorization": "bearer another"})).status == 200
    (tmp_path / "token").unlink()
    answer = await client.post("/bridge/ops", json=BODY, headers={"Authorization": "Bearer "})
    assert answer.status == 500
    assert str(tmp_path) not in await answer.text()
    (tmp_path / "token").write_text("\n")
    assert (await client.post("/bridge/ops", json=BODY, headers={"Authorization": "Bearer "})).status == 500
    assert len(stub.got) == 1


async def test_there_is_no_bridge_until_one_is_configured(browse: Browse):
    client = await browse(FakeView())
    assert (await client.post("/bridge/ops", json=BODY, headers=BEARER)).status == 404


async def test_only_posts_are_taken(client: Client):
    for method in ("GET", "PUT", "DELETE"):
        assert (await client.request(method, "/bridge/ops", headers=BEARER)).status == 405


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ((b"{", "application/json"), 400, "not JSON"),
        ((b"\xff", "application/json"), 400, "not JSON"),
        ((b"[" * 100_000, "application/json"), 400, "not JSON"),
        ((b"1" * 10_000, "application/json"), 400, "not JSON"),
        ((b'{"version": "3"}', "application/json"), 400, "not version 4"),
        ((b"{}", "text/plain"), 415, "application/json"),
        ((b" " * (routes.MAX_BODY + 1), "application/json"), 413, "max_alerts"),
        ((gzip.compress(b" " * (routes.MAX_BODY + 1)), "application/json"), 413, "max_alerts"),
    ],
    ids=["open", "not-utf-8", "deep", "number", "version", "type", "long", "bomb"],
)
async def test_what_is_no_notification_is_refused_in_words(client, stub, sent, status, words):
    data, kind = sent
    headers = {**BEARER, "Content-Type": kind}
    if data.startswith(b"\x1f\x8b"):
        headers["Content-Encoding"] = "gzip"
    answer = await client.post("/bridge/ops", data=io.BytesIO(data), headers=headers)
    assert answer.status == status
    assert words in await answer.text()
    assert stub.got == []


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP ", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
async def test_a_compressed_notification_is_delivered(client: Client, stub: Stub, encoding, pack):
    headers = {**BEARER, "Content-Type": "application/json", "Content-Encoding": encoding}
    data = io.BytesIO(pack(json.dumps(BODY).encode()))
    assert (await client.post("/bridge/ops", data=data, headers=headers)).status == 200
    assert len(stub.got) == 1


@pytest.mark.parametrize(
    ("encoding", "data", "status"),
    [
        ("br", b"x", 415),
        ("gzip, gzip", b"x", 415),
        ("gzip", b"{}", 400),
        ("gzip", gzip.compress(b"{}" * 1000)[:-10], 400),
        ("deflate", gzip.compress(b"{}"), 400),
    ],
    ids=["brotli", "twice", "plain", "cut off", "gzip as deflate"],
)
async def test_what_cannot_be_unpacked_is_refused(client: Client, stub: Stub, encoding, data, status):
    headers = {**BEARER, "Content-Type": "application/json", "Content-Encoding": encoding}
    assert (await client.post("/bridge/ops", data=io.BytesIO(data), headers=headers)).status == status
    assert stub.got == []


async def test_a_thousand_alerts_are_taken(client: Client, stub: Stub):
    body = notification([alert(f"box{number}") for number in range(1500)])
    assert 1_000_000 < len(json.dumps(body)) < routes.MAX_BODY
    assert (await client.post("/bridge/ops", json=body, headers=BEARER)).status == 200
    assert len(stub.got[0].alerts) == 1500


@pytest.mark.parametrize(
    ("verdict", "status", "after"),
    [
        (Verdict(ok=False, text="too many messages", retry=599.2), 503, "600"),
        (Verdict(ok=False, text="HTTP 502", retry=5.0), 503, "5"),
        (Verdict(ok=False, text="310000: sign not match"), 424, None),
    ],
)
async def test_alertmanager_comes_again_where_that_helps_and_only_there(client, stub, verdict, status, after):
    """Alertmanager repeats a request after 5xx, and does not after 4xx."""
    stub.verdict = verdict
    answer = await client.post("/bridge/ops", json=BODY, headers=BEARER)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, after)
    assert verdict.text in await answer.text()


@pytest.fixture
async def robots() -> AsyncIterator[Robots]:
    async with Robots() as running:
        yield running


async def test_a_robots_secrets_are_in_no_answer(browse: Browse, robots: Robots, stub: Stub, tmp_path):
    (tmp_path / "url").write_text(robots.url("dingtalk"))
    (tmp_path / "secret").write_text(SECRET + "x")
    settings = BridgeSettings(
        "ops", RobotKind.DINGTALK, stub.settings.url, FileSecret(tmp_path / "secret"), stub.settings.token
    )
    bridge = Bridge(settings, None, Counts())  # type: ignore[arg-type]
    running = asyncio.create_task(bridge.run())
    view = FakeView()
    view.bridges["ops"] = bridge
    client = await browse(view)
    answer = await client.post("/bridge/ops", json=BODY, headers=BEARER)
    text = await answer.text()
    assert (answer.status, "sign not match" in text) == (424, True)
    assert KEY not in text
    assert SECRET not in text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
