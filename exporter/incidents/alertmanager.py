"""Pushes alerts to every configured Alertmanager (API v2), for users without Prometheus.

In: the open incidents. Firing alerts are sent again at each interval, with an `endsAt` in the future, so that a
restart, a slow server or lost requests do not resolve an alert. Only an incident that has ended is sent as resolved.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import aiohttp

from exporter.model import Labels
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import ProbeError
from exporter.model.logger import logger_of
from exporter.model.settings import Alertmanager
from exporter.net.tls import TlsContexts

BATCH = 64  # alerts per request, as in Prometheus
MAX_QUEUED = 10_000  # alerts for one Alertmanager; if there are more, the oldest are dropped
WITHIN = 10.0  # timeout of a request in seconds
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds after a failed request; the pause doubles each time
LEASES = 4  # endsAt is this many intervals in the future
MAX_ANSWER = 2048  # bytes of a response that are read

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class Alert:
    """The current state of one alert. Its labels are its identity."""

    labels: Labels
    annotations: Mapping[str, str] = field(hash=False)
    starts: float  # Unix time
    lease: float  # seconds after which Alertmanager resolves it if it is not sent again
    ends: float = 0.0  # Unix time; 0 while it is firing
    url: str = ""

    def __post_init__(self) -> None:
        """Check the labels, since one invalid label makes Alertmanager reject the whole batch. Raises ValueError."""
        names = dict(self.labels)
        wrong = [name for name in names if not _LABEL.fullmatch(name) or name.startswith("__")]
        if not names.get("alertname") or wrong or len(names) != len(self.labels):
            raise ValueError(f"invalid labels of an alert: {self.labels}")

    def body(self, now: float) -> dict[str, Any]:
        """Return the JSON object to send at `now` (Unix time)."""
        starts = min(self.starts, now)
        ends = max(self.ends, starts + 0.001) if self.ends else now + self.lease
        body: dict[str, Any] = {
            "labels": {name: value for name, value in self.labels if value},
            "annotations": dict(self.annotations),
            "startsAt": _time(starts),
            "endsAt": _time(ends),
        }
        return body | ({"generatorURL": self.url} if self.url else {})


def lease(interval: float, resend: float) -> float:
    """Return the seconds after which an alert that is checked every `interval` seconds expires."""
    return LEASES * max(interval, resend)


class PushMetrics(Protocol):
    """Receives the counts for the metrics about sent alerts."""

    def notified(self, alertmanager: str, alerts: int) -> None:
        """Count the alerts of a request that is being sent."""
        ...

    def notify_failed(self, alertmanager: str, alerts: int) -> None:
        """Count the alerts of a request that failed."""
        ...

    def notify_dropped(self, alertmanager: str, alerts: int) -> None:
        """Count alerts that were dropped because the queue was full."""
        ...


class Pusher:
    """Sends all alerts to each Alertmanager."""

    def __init__(self, watcher: PushMetrics, now: Callable[[], float]) -> None:
        self._watcher = watcher
        self._now = now  # Unix time
        self._contexts = TlsContexts()
        self._couriers: dict[Alertmanager, tuple[_Courier, asyncio.Task[None]]] = {}

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. The queue of an Alertmanager that has not changed is kept. Call on the event loop."""
        wanted = dict.fromkeys(config.push.targets if config.push is not None else ())
        for gone in self._couriers.keys() - wanted.keys():
            self._couriers.pop(gone)[1].cancel()
        for target in wanted:
            if target not in self._couriers:
                courier = _Courier(target, self._contexts, self._watcher, self._now)
                self._couriers[target] = courier, asyncio.create_task(courier.run(), name=f"push to {target.name}")

    def push(self, alerts: Iterable[Alert]) -> None:
        """Queue the alerts for each Alertmanager. A new alert replaces a waiting one with the same labels."""
        every = tuple(alerts)
        for courier, _ in self._couriers.values():
            courier.put(every)

    async def close(self) -> None:
        tasks = [task for _, task in self._couriers.values()]
        self._couriers.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _FailedError(Exception):
    """A request failed. `final`: a retry would fail, too."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


class _Courier:
    """The queue of one Alertmanager, and the loop that sends it."""

    def __init__(
        self, target: Alertmanager, contexts: TlsContexts, watcher: PushMetrics, now: Callable[[], float]
    ) -> None:
        self._target = target
        self._contexts = contexts
        self._watcher = watcher
        self._now = now
        self._waiting: dict[Labels, Alert] = {}
        self._news = asyncio.Event()
        self._failing = False

    def put(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            self._waiting.pop(alert.labels, None)
            self._waiting[alert.labels] = alert
        surplus = len(self._waiting) - MAX_QUEUED
        if surplus > 0:
            for labels in list(self._waiting)[:surplus]:
                del self._waiting[labels]
            self._watcher.notify_dropped(self._target.name, surplus)
        if self._waiting:
            self._news.set()

    async def run(self) -> None:
        """Send the waiting alerts. Runs until cancelled."""
        timeout = aiohttp.ClientTimeout(total=WITHIN)
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                await self._news.wait()
                batch = list(self._waiting.values())[:BATCH]
                self._watcher.notified(self._target.name, len(batch))
                try:
                    await self._send(session, batch)
                except _FailedError as exc:
                    self._watcher.notify_failed(self._target.name, len(batch))
                    self._tell(str(exc))
                    if exc.final:
                        self._done(batch)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
                else:
                    self._done(batch)
                    self._tell("")
                    pause = FIRST_PAUSE

    def _done(self, batch: Iterable[Alert]) -> None:
        for alert in batch:
            if self._waiting.get(alert.labels) is alert:  # else a newer alert replaced it meanwhile
                del self._waiting[alert.labels]
        if not self._waiting:
            self._news.clear()

    def _tell(self, failure: str) -> None:
        if failure and not self._failing:
            logger.warning("Alertmanager does not take alerts", alertmanager=self._target.name, err=failure)
        elif self._failing and not failure:
            logger.info("Alertmanager takes alerts again", alertmanager=self._target.name)
        self._failing = bool(failure)

    async def _send(self, session: aiohttp.ClientSession, batch: Iterable[Alert]) -> None:
        """Send one request. Raises _FailedError."""
        try:
            headers = {"Content-Type": "application/json", **await self._authorization()}
            context = self._contexts.get(self._target.ca_file) if self._target.url.startswith("https:") else True
            now = self._now()
            data = json.dumps([alert.body(now) for alert in batch]).encode()
            url = f"{self._target.url.rstrip('/')}/api/v2/alerts"
            async with session.post(url, data=data, headers=headers, ssl=context, allow_redirects=False) as answer:
                if answer.status == 200:
                    return
                said = ""
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    said = (await answer.content.read(MAX_ANSWER)).decode(errors="replace").strip()
                # A retry would not help: the alert stays invalid, and Alertmanager has accepted the rest of the batch.
                raise _FailedError(f"HTTP {answer.status} {said}".strip(), final=answer.status == 400)
        except TimeoutError:
            raise _FailedError(f"no response within {WITHIN:g} s") from None
        except ProbeError as exc:
            raise _FailedError(exc.text) from None
        except (aiohttp.ClientError, OSError, ssl.SSLError, ValueError) as exc:
            raise _FailedError(_words(exc)) from None

    async def _authorization(self) -> dict[str, str]:
        """Return the Authorization header. Secrets are read each time, so that a changed one needs no reload."""
        if self._target.bearer_token is not None:
            return {"Authorization": f"Bearer {(await self._target.bearer_token.read()).reveal()}"}
        if self._target.password is not None:
            pair = f"{self._target.username}:{(await self._target.password.read()).reveal()}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}


def _words(exc: Exception) -> str:
    """Describe an error. The text of a ValueError is left out, because it may contain a header with a secret."""
    return type(exc).__name__ if isinstance(exc, ValueError) else f"{type(exc).__name__}: {exc}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
