"""Tests of the bridge with robots that check requests as the real ones do:

order, pauses, failures, and no secret shown.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from exporter.model import Secret
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.settings import BridgeSettings, RobotKind
from exporter.model.token_bucket import TokenBucket
from exporter.net.tls import TlsContexts
from exporter.web.bridge import message
from exporter.web.bridge.bridge import CROWDED, MAX_WAITING, PATIENCE, Bridge, Bridges
from exporter.web.bridge.robots import PACES, Verdict
from exporter.web.bridge.webhook import Notification, parse
from tests.notifications import alert, notification
from tests.servers.process import free_port
from tests.servers.robots import KEY, SECRET, Robots

KINDS = ("dingtalk", "feishu", "wecom")
OK = Verdict(ok=True)


@dataclass(frozen=True)
class Given:
    """A file's content."""

    text: str

    async def read(self) -> Secret:
        if not self.text:
            raise ProbeError(Reason.LOCAL_ERROR, "url_file robot: empty")
        return Secret(self.text)


@dataclass
class Counts:
    """The metrics."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0

    def bridged(self, bridge: str) -> None:
        self.sent += bridge == "ops"

    def bridge_failed(self, bridge: str) -> None:
        self.failed += bridge == "ops"

    def bridge_dropped(self, bridge: str) -> None:
        self.dropped += bridge == "ops"


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def counts():
    return Counts()


@pytest.fixture
async def robots(clock) -> AsyncIterator[Robots]:
    async with Robots(clock=lambda: clock.now) as running:
        yield running


Start = Callable[..., Awaitable[Bridge]]


@pytest.fixture
async def bridge(robots: Robots, clock: Clock, counts: Counts) -> AsyncIterator[Start]:
    """Starts one that runs."""
    tasks: list[asyncio.Task[None]] = []

    async def start(kind: str, url: str | None = None, secret: str | None = SECRET) -> Bridge:
        signed = Given(secret) if secret is not None and kind != "wecom" else None
        address = Given(robots.url(kind) if url is None else url)
        settings = BridgeSettings("ops", RobotKind(kind), address, signed, Given("token"))
        made = Bridge(settings, TlsContexts(), counts, now=lambda: clock.now, sleep=clock.sleep)
        tasks.append(asyncio.create_task(made.run()))
        return made

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def about(mailbox: str) -> Notification:
    return parse(notification([alert(mailbox)], key=mailbox), "zh")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_reaches_the_robot(bridge: Start, robots: Robots, counts: Counts, kind: str):
    assert await (await bridge(kind)).deliver(about("sales")) == OK
    ((_, text),) = robots.messages
    assert "严重：邮箱无法登录" in text
    assert "受影响：sales" in text
    assert (counts.sent, counts.failed, counts.dropped) == (1, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hundred_notifications_at_once_stay_within_the_rate_and_none_is_lost(
    bridge: Start, robots: Robots, clock: Clock, counts: Counts, kind: str
):
    """They wait for their turn and are merged: the robot, which counts, never says that it is too much."""
    ops = await bridge(kind)
    for first in range(0, 1000, 40):
        batch = [ops.deliver(about(f"box{number:03}")) for number in range(first, first + 40)]
        assert set(await asyncio.gather(*batch)) == {OK}
        clock.now += 0.5
    assert counts.failed == 0
    assert counts.sent == len(robots.messages) < 60
    assert sum(text.count("受影响") for _, text in robots.messages) == len(robots.messages)
    told = sum(10 if "另有" in text else text.count("、") + 1 for _, text in robots.messages)
    assert told >= 10 * len(robots.messages) - 40


async def test_of_one_group_only_the_newest_is_told(bridge: Start, robots: Robots):
    ops = await bridge("wecom")
    states = [parse(notification([alert("sales", over=over)], key="one"), "zh") for over in (False, True)]
    assert await asyncio.gather(*(ops.deliver(each) for each in states)) == [OK, OK]
    ((_, text),) = robots.messages
    assert "已恢复" in text
    assert "严重" not in text


async def test_what_a_resting_robot_is_not_sent_is_counted(bridge: Start, robots: Robots, clock: Clock, counts: Counts):
    ops = await bridge("wecom")
    robots._taken = [clock.now] * 100
    await asyncio.gather(ops.deliver(about("sales")))
    await ops.deliver(about("sales"))
    assert (counts.sent, counts.failed, counts.dropped) == (1, 1, 1)


async def test_too_many_that_wait_are_turned_away_and_counted(bridge: Start, counts: Counts):
    ops = await bridge("dingtalk")
    found = await asyncio.gather(*(ops.deliver(about(f"box{number}")) for number in range(MAX_WAITING + 5)))
    assert found[:MAX_WAITING] == [OK] * MAX_WAITING
    assert {(each.ok, each.retry) for each in found[MAX_WAITING:]} == {(False, 5.0)}
    assert counts.dropped == 5


@pytest.mark.parametrize(("kind", "rest"), [("dingtalk", 600), ("feishu", 60), ("wecom", 60)])
async def test_a_robot_that_others_have_tired_is_left_alone_for_as_long_as_it_takes(bridge, robots, clock, kind, rest):
    ops = await bridge(kind)
    robots._taken = [clock.now] * 100  # others use the robot, too
    first = await ops.deliver(about("sales"))
    assert (first.ok, first.retry) == (False, rest)
    before = robots.requests
    second = await ops.deliver(about("sales"))
    assert (second.ok, second.retry, second.text) == (False, rest, "the robot has asked for a pause")
    assert robots.requests == before
    clock.now += rest + 1
    assert await ops.deliver(about("sales")) == OK


async def odd(request: web.Request) -> web.Response:
    return web.Response(text=f"<html>{request.url}</html>", content_type="text/html")


async def broken(request: web.Request) -> web.Response:
    return web.json_response({"errcode": 93000, "errmsg": f"invalid: {request.url}"}, status=502)


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPFound(f"http://127.0.0.1:1/{request.query_string}")


@pytest.mark.parametrize(
    ("handler", "retry", "words"),
    [(odd, 5, "not the answer of a robot"), (broken, 5, "HTTP 502"), (elsewhere, None, "HTTP 302")],
)
async def test_what_is_no_answer_of_a_robot_is_a_failure(bridge: Start, robots: Robots, handler, retry, words):
    ops = await bridge("wecom")
    robots.instead.append(handler)
    verdict = await ops.deliver(about("sales"))
    assert (verdict.ok, verdict.retry) == (False, retry)
    assert words in verdict.text
    assert robots.requests == 1
    assert await ops.deliver(about("sales")) == OK


@pytest.mark.parametrize(("kind", "words"), [("dingtalk", "sign not match"), ("feishu", "sign match fail")])
@pytest.mark.parametrize("secret", ["SECanother-secret", None])
async def test_a_wrong_signature_is_final(bridge: Start, kind: str, words: str, secret: str | None, counts: Counts):
    verdict = await (await bridge(kind, secret=secret)).deliver(about("sales"))
    assert (verdict.ok, verdict.retry) == (False, None)
    assert words in verdict.text
    assert counts.failed == 1


async def test_a_keyword_that_the_robot_asks_for_is_in_every_message(bridge: Start, robots: Robots):
    robots.keyword = "mailprobe"
    assert await (await bridge("dingtalk")).deliver(about("sales")) == OK


@pytest.mark.parametrize(
    ("url", "retry", "words"),
    [
        ("http://robot.example/send?key=hidden-key", None, "the URL in url_file must begin with https://"),
        ("file:///etc/passwd", None, "the URL in url_file"),
        ("hidden-key", None, "the URL in url_file"),
        ("", 5, "url_file robot: empty"),
        ("https://127.0.0.1:{closed}/send?key=hidden-key", 5, "cannot connect"),
    ],
)
async def test_a_url_that_leads_nowhere_is_told_without_itself(
    bridge: Start, url: str, retry: float | None, words: str, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        ops = await bridge("wecom", url=url.format(closed=free_port()))
        verdict = await ops.deliver(about("sales"))
    assert (verdict.ok, verdict.retry) == (False, retry)
    assert words in verdict.text
    assert "hidden-key" not in verdict.text + caplog.text + "".join(str(each.__dict__) for each in caplog.records)


async def test_a_robot_that_quotes_its_key_does_not_give_it_away(
    bridge: Start, robots: Robots, caplog: pytest.LogCaptureFixture
):
    ops = await bridge("wecom", url=robots.url("wecom") + "x")
    with caplog.at_level(logging.DEBUG):
        first = await ops.deliver(about("sales"))
        robots.instead.append(broken)
        await ops.deliver(about("sales"))
    assert "93000: invalid webhook url, hint: [<secret>]" in first.text
    assert KEY not in first.text + caplog.text + "".join(str(each.__dict__) for each in caplog.records)


async def test_the_log_says_once_that_a_robot_fails_and_once_that_it_is_back(
    bridge: Start, robots: Robots, caplog: pytest.LogCaptureFixture
):
    ops = await bridge("feishu")
    robots.instead += [broken] * 3
    with caplog.at_level(logging.INFO, "exporter.web.bridge.bridge"):
        for _ in range(5):
            await ops.deliver(about("sales"))
    assert [each.message for each in caplog.records] == [
        "a robot does not take messages",
        "a robot takes messages again",
    ]


async def test_the_log_says_it_when_the_cause_changes_and_only_then(
    bridge: Start, robots: Robots, clock: Clock, caplog: pytest.LogCaptureFixture
):
    async def wordy(request: web.Request) -> web.Response:
        return web.json_response({"errcode": 93000, "errmsg": f"invalid, request {robots.requests}"})

    ops = await bridge("wecom")
    robots.instead += [broken, broken, elsewhere, elsewhere, odd, wordy, wordy]
    with caplog.at_level(logging.INFO, "exporter.web.bridge.bridge"):
        for _ in range(8):
            await ops.deliver(about("sales"))
    assert [each.fields["err"][:33] for each in caplog.records[:-1]] == [  # type: ignore[attr-defined]
        "HTTP 502, code 93000: invalid: ht",
        "HTTP 302",
        "HTTP 200, but not the answer of a",
        "HTTP 200, code 93000: invalid, re",
    ]
    assert caplog.records[-1].message == "a robot takes messages again"


async def test_the_log_says_once_that_a_robot_rests_and_for_how_long(
    bridge: Start, robots: Robots, clock: Clock, caplog: pytest.LogCaptureFixture
):
    ops = await bridge("dingtalk")
    robots._taken = [clock.now] * 100
    with caplog.at_level(logging.INFO, "exporter.web.bridge.bridge"):
        for _ in range(5):
            await ops.deliver(about("sales"))
    told = [each for each in caplog.records if each.message == "a robot is left alone for a while"]
    assert [each.fields for each in told] == [  # type: ignore[attr-defined]
        {"bridge": "ops", "kind": "dingtalk", "seconds": 600.0}
    ]
    assert "send too fast" in caplog.records[0].fields["err"]  # type: ignore[attr-defined]


async def test_what_came_while_the_robot_asked_for_a_rest_is_not_sent(
    bridge: Start, robots: Robots, clock: Clock, counts: Counts
):
    ops = await bridge("wecom")
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def tired(_: web.Request) -> web.Response:
        asked.set()
        await go_on.wait()
        return web.json_response({"errcode": 45009, "errmsg": "api freq out of limit"})

    robots.instead.append(tired)
    first = asyncio.create_task(ops.deliver(about("sales")))
    await asked.wait()
    second = asyncio.create_task(ops.deliver(about("more")))
    await asyncio.sleep(0)
    go_on.set()
    assert [(each.ok, each.retry) for each in await asyncio.gather(first, second)] == [(False, 60), (False, 60)]
    assert (robots.requests, counts.sent, counts.failed, counts.dropped) == (1, 1, 1, 1)


async def test_the_text_is_made_off_the_event_loop(bridge: Start, monkeypatch: pytest.MonkeyPatch):
    threads = []

    def composed(*args: Any) -> message.Composed:
        threads.append(threading.current_thread())
        return compose(*args)

    compose = message.compose
    monkeypatch.setattr(message, "compose", composed)
    assert await (await bridge("wecom")).deliver(about("sales")) == OK
    assert len(threads) == 1
    assert threading.main_thread() not in threads


def storm(count: int) -> list[Notification]:
    """Each with three kinds of alerts that no other has."""
    return [
        parse(notification([alert(f"box{n}", summary_zh=f"故障 {n}/{k}。") for k in range(3)], key=f"group {n}"), "zh")
        for n in range(count)
    ]


async def test_in_a_storm_what_was_not_shown_is_sent_next_or_comes_again(
    bridge: Start, robots: Robots, clock: Clock, counts: Counts
):
    """Whoever hears 200 can be read in the group; nobody waits for longer than Alertmanager does."""
    ops, left, rounds = await bridge("wecom"), storm(45), 0
    while left:
        began, rounds = clock.now, rounds + 1
        verdicts = await asyncio.gather(*(ops.deliver(each) for each in left))
        assert clock.now - began <= PATIENCE
        said = "\n".join(text for _, text in robots.messages)
        for each, verdict in zip(left, verdicts, strict=True):
            assert verdict in (OK, CROWDED)
            assert verdict == CROWDED or all(alert.summary in said for alert in each.alerts)
        assert verdicts.count(OK) > 5
        left = [each for each, verdict in zip(left, verdicts, strict=True) if verdict != OK]
        clock.now += 5.0
    assert counts.failed == 0
    assert rounds > 1
    assert counts.dropped > 0
    assert counts.sent == len(robots.messages) < 20


async def test_what_has_no_room_in_one_message_and_room_in_the_next_is_not_turned_away(
    bridge: Start, robots: Robots, counts: Counts
):
    ops = await bridge("wecom")
    assert set(await asyncio.gather(*(ops.deliver(each) for each in storm(8)))) == {OK}
    assert counts.dropped == 0
    assert counts.sent == len(robots.messages) > 1


async def test_whoever_waits_while_the_daemon_stops_hears_it(robots: Robots, counts: Counts):
    settings = BridgeSettings("ops", RobotKind.WECOM, Given(robots.url("wecom")), None, Given("token"))
    hanging, over = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        hanging.set()
        await over.wait()
        return web.Response()

    robots.instead.append(hang)
    bridges = Bridges(counts)
    bridges.load(EffectiveConfig(bridges=(settings,)))
    bridge = bridges.get("ops")
    assert bridge is not None
    waiting = [asyncio.create_task(bridge.deliver(about("sales")))]
    await hanging.wait()
    waiting.append(asyncio.create_task(bridge.deliver(about("more"))))
    await asyncio.sleep(0)
    await bridges.close()
    over.set()
    assert {each.text for each in await asyncio.gather(*waiting)} == {"this bridge was stopped or changed"}
    assert (await bridge.deliver(about("late"))).text == "this bridge was stopped or changed"
    assert bridges.get("ops") is None


async def test_a_reload_keeps_a_bridge_that_stays(counts: Counts):
    @asynccontextmanager
    async def running() -> AsyncIterator[Bridges]:
        bridges = Bridges(counts)
        yield bridges
        await bridges.close()

    one, two = (BridgeSettings(name, RobotKind.WECOM, Given("x"), None, Given("y")) for name in ("one", "two"))
    async with running() as bridges:
        bridges.load(EffectiveConfig(bridges=(one, two)))
        kept, gone = bridges.get("one"), bridges.get("two")
        bridges.load(EffectiveConfig(bridges=(one,)))
        assert bridges.get("one") is kept
        assert bridges.get("two") is None
        await asyncio.sleep(0)
        assert gone is not None
        assert (await gone.deliver(about("x"))).retry == 5


@pytest.mark.parametrize(("kind", "minute", "second"), [("dingtalk", 20, 20), ("feishu", 100, 5), ("wecom", 20, 20)])
def test_no_minute_and_no_second_has_more_turns_than_the_robot_allows(kind: str, minute: int, second: int):
    pace = PACES[RobotKind(kind)]
    turns, now, taken = TokenBucket(pace.burst, pace.every), 0.0, []
    for _ in range(300):
        now += turns.wait(now)
        turns.take(now)
        taken.append(now)
    for span, most in ((60.0, minute), (1.0, second)):
        assert max(sum(at <= each < at + span for each in taken) for at in taken) <= most
