"""Controls a real headless Chromium over its DevTools protocol, to test what users see and what scripts do."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.servers.process import PATIENCE, Server, binary

Json = dict[str, Any]
PHONE = (390, 844)
DESKTOP = (1280, 900)
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40}
HEADLESS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WITHIN = 20.0 * PATIENCE  # seconds for any single step


class BrowserError(Exception):
    """The browser refused a command, or a script in the page raised an exception."""


class Chromium(Server):
    """The browser's process. Use `Browser` to control it."""

    def __init__(self) -> None:
        super().__init__("chromium")
        self.fonts: Path | None = None  # a fontconfig file, so that pictures look the same on every machine

    def argv(self) -> Sequence[str]:
        return [
            "env",
            f"HOME={self.folder}",
            "DBUS_SESSION_BUS_ADDRESS=disabled:",
            *([f"FONTCONFIG_FILE={self.fonts}"] if self.fonts else []),
            binary("chromium", "chromium"),
            *HEADLESS,
            "--disable-dev-shm-usage",
            "--log-level=3",
            "--no-proxy-server",
            "--force-color-profile=srgb",
            "--remote-debugging-port=0",
            f"--user-data-dir={self.folder}/profile",
            "about:blank",
        ]

    def ready(self) -> bool:
        return self._port_file.exists() and len(self._port_file.read_text().splitlines()) == 2

    @property
    def _port_file(self) -> Path:
        return self.folder / "profile" / "DevToolsActivePort"

    @property
    def url(self) -> str:
        port, path = self._port_file.read_text().splitlines()
        return f"ws://127.0.0.1:{port}{path}"


class Browser:
    """One connection to the browser, as an async context manager. Each page has its own cookies and storage."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._pages: dict[str, Page] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(self._chromium.url, max_msg_size=0)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for page in list(self._pages.values()):
            await page.close()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        await self._socket.close()
        await self._session.close()

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if not answer.done():
                    answer.set_result(told)
            elif told.get("sessionId") in self._pages:
                self._pages[told["sessionId"]].happened(told["method"], told["params"])

    async def command(self, method: str, session: str | None = None, /, **params: object) -> Json:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        head: Json = {"id": number, "method": method, "params": params}
        await self._socket.send_json(head | ({"sessionId": session} if session else {}))
        async with asyncio.timeout(WITHIN):
            told = await answer
        if "error" in told:
            raise BrowserError(f"{method}: {told['error'].get('message')}")
        return dict(told.get("result", {}))

    async def page(
        self,
        size: tuple[int, int] = DESKTOP,
        *,
        dark: bool = False,
        scripts: bool = True,
        language: str = "en-US",
        csp: bool = True,
        scale: float = 1.0,
    ) -> Page:
        """Open a new tab. `csp=False` lets a test's own scripts run in pages that forbid them."""
        context = (await self.command("Target.createBrowserContext"))["browserContextId"]
        target = (await self.command("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.command(f"{domain}.enable")
        await page.resize(size, scale)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await page.command("Emulation.setEmulatedMedia", features=[scheme])
        await page.command("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        if not scripts:
            await page.command("Emulation.setScriptExecutionDisabled", value=True)
        if not csp:
            await page.command("Page.setBypassCSP", enabled=True)
        return page

    def forget(self, session: str) -> None:
        self._pages.pop(session, None)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self._events: asyncio.Queue[str] = asyncio.Queue()
        self.complaints: list[str] = []  # messages of the console, of scripts, and of the Content-Security-Policy
        self.dialogs: list[str] = []  # texts of alert() and similar dialogs: a script ran that must not run

    def happened(self, method: str, params: Json) -> None:
        """Store an event."""
        if method == "Page.loadEventFired":
            self._events.put_nowait(method)
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(params["message"])

    async def command(self, method: str, /, **params: object) -> Json:
        return await self._browser.command(method, self._session, **params)

    async def close(self) -> None:
        self._browser.forget(self._session)
        await self._browser.command("Target.disposeBrowserContext", browserContextId=self._context)

    async def resize(self, size: tuple[int, int], scale: float = 1.0) -> None:
        width, height = size
        phone = width < 600
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )

    async def open(self, url: str) -> None:
        """Open a URL and wait until it is loaded."""
        self._drain()
        told = await self.command("Page.navigate", url=url)
        if told.get("errorText"):
            raise BrowserError(f"{url}: {told['errorText']}")
        await self.loaded()

    async def loaded(self) -> None:
        """Wait until the next load has ended."""
        async with asyncio.timeout(WITHIN):
            await self._events.get()

    def _drain(self) -> None:
        while not self._events.empty():
            self._events.get_nowait()

    async def run(self, script: str) -> Any:
        """Return the value of an expression in the page. A promise is awaited."""
        told = await self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise BrowserError(json.dumps(told["exceptionDetails"])[:2000])
        return told["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(WITHIN):
            while not await self.run(script):  # noqa: ASYNC110 - the condition becomes true in another process
                await asyncio.sleep(0.02)

    async def press(self, key: str) -> None:
        text = {"Enter": "\r", " ": " "}.get(key, "")
        known: Json = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        await self.command("Input.dispatchKeyEvent", type="keyDown", **known, **({"text": text} if text else {}))
        await self.command("Input.dispatchKeyEvent", type="keyUp", **known)

    async def type(self, text: str) -> None:
        await self.command("Input.insertText", text=text)

    async def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the visible part, or of the whole page."""
        told = await self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(told["data"])
