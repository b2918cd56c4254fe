"""Sends Alertmanager's notifications to the robot of a chat group.

Notifications that have to wait are merged into one message. Nothing is stored here: a failure is returned to
Alertmanager, which keeps the notification and sends it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import aiohttp

from exporter.config import robot_urls
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import ProbeError
from exporter.model.logger import logger_of
from exporter.model.settings import BridgeSettings
from exporter.model.token_bucket import TokenBucket
from exporter.net.tls import TlsContexts
from exporter.web.bridge import message, robots
from exporter.web.bridge.robots import MARKUPS, PACES, Verdict
from exporter.web.bridge.webhook import Notification

MAX_WAITING = 50  # limit of waiting notifications for one robot
PATIENCE = (
    8.0  # seconds that a notification may wait. Alertmanager waits for 10 s, or for group_interval if that is longer.
)
WITHIN = 10.0  # timeout of a request to a robot in seconds
MAX_ANSWER = 4096  # bytes of a response that are read
MAX_WORDS = 300  # characters of a robot's error text that are reported

STOPPED = Verdict(ok=False, text="this bridge was stopped or changed", retry=robots.BUSY)
CROWDED = Verdict(ok=False, text="there are more messages than the robot's rate limit allows", retry=robots.BUSY)
BUG = Verdict(ok=False, text="a bug of mailprobe, see its log", retry=robots.BUSY)

logger = logger_of(__name__)


class BridgeMetrics(Protocol):
    """Receives the counts for the metrics about bridges."""

    def bridged(self, bridge: str) -> None:
        """Count a message that is being sent to the robot."""
        ...

    def bridge_failed(self, bridge: str) -> None:
        """Count a message that failed."""
        ...

    def bridge_dropped(self, bridge: str) -> None:
        """Count a notification that was rejected so that Alertmanager retries."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A notification that waits for its verdict."""

    notification: Notification
    since: float
    heard: asyncio.Future[Verdict]

    def tell(self, verdict: Verdict) -> None:
        if not self.heard.done():
            self.heard.set_result(verdict)


class Bridge:
    """Sends the notifications for one robot, within its rate limit."""

    def __init__(
        self,
        settings: BridgeSettings,
        contexts: TlsContexts,
        watcher: BridgeMetrics,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self._contexts = contexts
        self._watcher = watcher
        self._now = now
        self._sleep = sleep
        pace = PACES[settings.kind]
        self._turns = TokenBucket(pace.burst, pace.every)
        self._rest_until = 0.0  # time (of `now`) until which the robot has asked for a pause
        self._waiting: list[_Waiting] = []
        self._news = asyncio.Event()
        self._failing = ""  # cause of the last failure; "" if the last message succeeded
        self._ended = False

    async def deliver(self, notification: Notification) -> Verdict:
        """Queue the notification and return the verdict on its message. A message may have several notifications."""
        if self._ended:
            return STOPPED
        if resting := self._resting():
            self._watcher.bridge_dropped(self.settings.name)
            return resting
        if len(self._waiting) >= MAX_WAITING:
            self._watcher.bridge_dropped(self.settings.name)
            return Verdict(ok=False, text="too many notifications are waiting", retry=robots.BUSY)
        each = _Waiting(notification, self._now(), asyncio.get_running_loop().create_future())
        self._waiting.append(each)
        self._news.set()
        return await each.heard

    async def run(self) -> None:
        """Send the waiting notifications. Runs until cancelled."""
        timeout = aiohttp.ClientTimeout(total=WITHIN)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                await self._news.wait()
                await self._turn(session)

    def end(self, task: asyncio.Task[None]) -> None:
        """Callback for the end of the task of `run`: give all waiting notifications the verdict STOPPED."""
        del task
        self._ended = True
        for each in self._waiting:
            each.tell(STOPPED)
        self._waiting.clear()

    def _resting(self) -> Verdict | None:
        rest = self._rest_until - self._now()
        return Verdict(ok=False, text="the robot has asked for a pause", retry=rest) if rest > 0 else None

    async def _turn(self, session: aiohttp.ClientSession) -> None:
        pause = self._turns.wait(self._now())
        if pause > 0:
            await self._sleep(pause)
        batch = [each for each in self._waiting if not each.heard.done()]
        if resting := self._resting():
            self._turn_away(batch, resting)
        elif batch:
            await self._say(session, batch)
        self._waiting = [each for each in self._waiting if not each.heard.done()]
        if not self._waiting:
            self._news.clear()

    async def _say(self, session: aiohttp.ClientSession, batch: Sequence[_Waiting]) -> None:
        """Send one message. Notifications that do not fit wait for the next one, unless it would be too late."""
        told = (True,) * len(batch)
        try:
            verdict, told = await self._send(session, [each.notification for each in batch])
        except Exception:
            logger.exception("bug: a bridge failed", bridge=self.settings.name)
            verdict = BUG
        for each, inside in zip(batch, told, strict=True):
            if inside or not verdict.ok:
                each.tell(verdict)
        soonest = self._now() + self._turns.wait(self._now())
        late = [each for each in batch if not each.heard.done() and soonest - each.since > PATIENCE]
        self._turn_away(late, CROWDED)

    def _turn_away(self, waiting: Iterable[_Waiting], verdict: Verdict) -> None:
        for each in waiting:
            self._watcher.bridge_dropped(self.settings.name)
            each.tell(verdict)

    async def _send(
        self, session: aiohttp.ClientSession, notifications: Sequence[Notification]
    ) -> tuple[Verdict, tuple[bool, ...]]:
        """Return the verdict, and for each notification whether the message contains it."""
        kind = self.settings.kind
        everybody = (True,) * len(notifications)
        self._turns.take(self._now())
        self._watcher.bridged(self.settings.name)
        try:
            url = (await self.settings.url.read()).reveal()
            secret = (await self.settings.secret.read()).reveal() if self.settings.secret is not None else ""
        except ProbeError as exc:
            return self._judged(Verdict(ok=False, text=exc.text, retry=robots.BUSY)), everybody
        if why := robot_urls.fault(kind, url):
            return self._judged(Verdict(ok=False, text=f"the URL in url_file {why}")), everybody
        composed = await asyncio.to_thread(
            message.compose,
            notifications,
            self.settings.language,
            MARKUPS[kind],
            lambda each: robots.fits(kind, each),
        )
        call = robots.call(kind, url, secret, composed.message, time.time())
        verdict = await self._post(session, call)
        text = robot_urls.masked(kind, verdict.text, call.url, secret, call.signature)[:MAX_WORDS]
        return self._judged(replace(verdict, text=text)), composed.told

    async def _post(self, session: aiohttp.ClientSession, call: robots.Call) -> Verdict:
        """Send a request. The verdict has no text of an exception that may contain the URL, which is secret."""
        context = self._contexts.get(None) if call.url.startswith("https:") else True
        headers = {"Content-Type": "application/json; charset=utf-8"}
        try:
            async with session.post(
                call.url, data=call.body, headers=headers, ssl=context, allow_redirects=False
            ) as answer:
                raw = await answer.content.read(MAX_ANSWER)
                body = None
                with contextlib.suppress(ValueError):
                    body = json.loads(raw)
                found = {name.lower(): value for name, value in answer.headers.items()}
                return robots.judge(self.settings.kind, answer.status, found, body)
        except TimeoutError:
            return Verdict(ok=False, text=f"no answer within {WITHIN:g} s", retry=robots.BUSY)
        except aiohttp.ClientConnectorError as exc:
            why = exc.os_error.strerror or type(exc.os_error).__name__
            return Verdict(ok=False, text=f"cannot connect: {why}", retry=robots.BUSY)
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as exc:
            return Verdict(ok=False, text=type(exc).__name__, retry=robots.BUSY)

    def _judged(self, verdict: Verdict) -> Verdict:
        fields: dict[str, Any] = {"bridge": self.settings.name, "kind": str(self.settings.kind)}
        if not verdict.ok:
            self._watcher.bridge_failed(self.settings.name)
            if self._failing != verdict.cause:
                logger.warning("a robot does not take messages", **fields, err=verdict.text)
        elif self._failing:
            logger.info("a robot takes messages again", **fields)
        if verdict.retry is not None and verdict.retry > robots.BUSY:
            self._rest_until = self._now() + verdict.retry
            logger.warning("a robot is left alone for a while", **fields, seconds=verdict.retry)
        self._failing = "" if verdict.ok else verdict.cause
        return verdict


class Bridges:
    """All configured bridges."""

    def __init__(self, watcher: BridgeMetrics) -> None:
        self._watcher = watcher
        self._contexts = TlsContexts()
        self._found: dict[BridgeSettings, tuple[Bridge, asyncio.Task[None]]] = {}

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. A bridge that has not changed keeps its rate limit. Call on the event loop."""
        wanted = dict.fromkeys(config.bridges)
        for gone in self._found.keys() - wanted.keys():
            self._found.pop(gone)[1].cancel()
        for each in wanted:
            if each not in self._found:
                bridge = Bridge(each, self._contexts, self._watcher)
                task = asyncio.create_task(bridge.run(), name=f"bridge {each.name}")
                task.add_done_callback(bridge.end)
                self._found[each] = bridge, task

    def get(self, name: str) -> Bridge | None:
        return next((bridge for each, (bridge, _) in self._found.items() if each.name == name), None)

    async def close(self) -> None:
        tasks = [task for _, task in self._found.values()]
        self._found.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
