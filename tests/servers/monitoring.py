"""Real Prometheus, Alertmanager and blackbox_exporter, and a webhook that collects Alertmanager's notifications."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Self

from aiohttp import web

from tests.servers.process import PATIENCE, Server, ServerError, binary, free_port, wait_until

Json = Any


def get(url: str) -> bytes:
    """Return a page of a server on this machine, without any proxy of the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5 * PATIENCE) as answer:
        return bytes(answer.read())


class HttpServer(Server):
    """A server that reports over HTTP whether it is ready."""

    ready_path = "/-/ready"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        try:
            get(self.url + self.ready_path)
        except (OSError, urllib.error.HTTPError):
            return False
        return True

    def json(self, path: str, **query: str) -> Json:
        return json.loads(get(f"{self.url}{path}?{urllib.parse.urlencode(query)}"))


class Prometheus(HttpServer):
    """Prometheus with this `prometheus.yml` and these rule files (`rule_files: [rules/*.yml]`), checked by promtool."""

    def __init__(self, config: str, rules: Mapping[str, str] | None = None) -> None:
        super().__init__("prometheus")
        self._binary = binary("prometheus", "prometheus")
        (self.folder / "rules").mkdir()
        for name, text in (rules or {}).items():
            (self.folder / "rules" / name).write_text(text)
        self.config = self.folder / "prometheus.yml"
        self.config.write_text(config)
        self.run(binary("promtool", "prometheus"), "check", "config", str(self.config))

    def argv(self) -> list[str]:
        return [
            self._binary,
            f"--config.file={self.config}",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            # An alert that fires before Prometheus knows its Alertmanager would be sent again only after a minute.
            "--rules.alert.resend-delay=1s",
        ]

    def query(self, expression: str) -> list[dict[str, Json]]:
        """Return an instant vector: [{"metric": {…}, "value": [time, "1"]}, …]."""
        result: list[dict[str, Json]] = self.json("/api/v1/query", query=expression)["data"]["result"]
        return result

    def alerts(self) -> list[dict[str, Json]]:
        """Return the pending and firing alerts."""
        found: list[dict[str, Json]] = self.json("/api/v1/alerts")["data"]["alerts"]
        return found

    def wait_for(self, expression: str, seconds: float = 30) -> list[dict[str, Json]]:
        """Return the result of a query as soon as it is not empty."""
        wait_until(lambda: bool(self.query(expression)), seconds, f"{expression} has an answer")
        return self.query(expression)


class Alertmanager(HttpServer):
    """Alertmanager with this `alertmanager.yml`, checked by amtool."""

    def __init__(self, config: str) -> None:
        super().__init__("alertmanager")
        self._binary = binary("prometheus-alertmanager", "prometheus-alertmanager")
        self.config = self.folder / "alertmanager.yml"
        self.config.write_text(config)
        self.run(binary("amtool", "prometheus-alertmanager"), "check-config", str(self.config))

    def argv(self) -> list[str]:
        return [
            self._binary,
            f"--config.file={self.config}",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def alerts(self) -> list[dict[str, Json]]:
        found: list[dict[str, Json]] = self.json("/api/v2/alerts")
        return found


class Blackbox(HttpServer):
    """blackbox_exporter, for comparison; its process is `pid`."""

    ready_path = "/-/healthy"

    def __init__(self, config: str) -> None:
        super().__init__("blackbox")
        self._binary = binary("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
        self.config = self.folder / "blackbox.yml"
        self.config.write_text(config)

    def argv(self) -> list[str]:
        return [self._binary, f"--config.file={self.config}", f"--web.listen-address=127.0.0.1:{self.port}"]


class Webhook:
    """Receives Alertmanager's notifications in the event loop of the test. An async context manager."""

    def __init__(self) -> None:
        self.port = free_port()
        self.notifications: list[Json] = []
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def wait_for(self, wanted: Callable[[Json], bool], seconds: float = 60) -> Json:
        """Return the first matching alert (`status`, `labels`, `annotations` …) of all notifications."""
        try:
            async with asyncio.timeout(PATIENCE * seconds), self._news:
                while True:
                    for notification in self.notifications:
                        for alert in notification["alerts"]:
                            if wanted(alert):
                                return alert
                    await self._news.wait()
        except TimeoutError:
            raise ServerError(f"no such alert within {seconds:g} s; came: {self.notifications}") from None

    async def _receive(self, request: web.Request) -> web.Response:
        notification = await request.json()
        async with self._news:
            self.notifications.append(notification)
            self._news.notify_all()
        return web.Response()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/", self._receive)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner:
            await self._runner.cleanup()
