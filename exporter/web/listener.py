"""Opens the listening sockets of --web.listen-address, with error messages that say what prevents it."""

from __future__ import annotations

import errno
import ipaddress
import platform
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from exporter.model.logger import logger_of
from exporter.web.access.auth import Admission
from exporter.web.access.control_socket import ControlSite
from exporter.web.access.tls_site import GuardedSite, bind
from exporter.web.bridge.routes import FindBridge
from exporter.web.config.reloader import Keeper
from exporter.web.server import Runner, build
from exporter.web.view import VIEW, AppView

logger = logger_of(__name__)

GRACE = 2.0  # seconds for running HTTP requests to finish when stopping
OPEN_TO_ALL = "anyone who can reach this address can read the pages, including mail addresses: see --web.config.file"
IN_THE_CLEAR = "passwords of the web pages are sent unencrypted: tls_server_config is missing in --web.config.file"


class StartError(Exception):
    """The daemon cannot start. The message says what failed and where."""


class Listener:
    """The web server on its addresses, and on a Unix socket for the command line.

    `told` is called with the reason when a changed web configuration is refused, and with None when it is used again.
    """

    def __init__(
        self,
        view: AppView,
        addresses: Sequence[tuple[str | None, int]],
        *,
        passed: Callable[[], list[socket.socket]] | None = None,
        web_config: Path | None = None,
        control: Path | None = None,
        bridges: FindBridge | None = None,
        told: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self._addresses = addresses
        self._passed = passed  # returns listening sockets to use instead of the addresses
        self._control = control
        self._app = build(view, bridges)
        self._runner = Runner(self._app, shutdown_timeout=GRACE)
        self._keeper = Keeper(web_config, told=told, tls_changed=self._let_go) if web_config else None
        self._admission: Admission | None = None

    async def start(self) -> None:
        """Listen on all addresses, or on none. Raises StartError, ConfigError."""
        try:
            if self._keeper is not None:
                await self._keeper.open()
                self._admission = Admission(self._keeper)
                self._admission.attach(self._app)
            await self._runner.setup()
            if self._passed is not None:
                await self._take_over(self._passed())
            else:
                for host, port in self._addresses:
                    await self._listen(host, port)
            if self._control is not None:
                await self._listen_for_command_line(self._control)
        except BaseException:
            await self.close()
            raise
        self._warn()

    async def _listen(self, host: str | None, port: int) -> None:
        try:
            if self._keeper is not None:
                await GuardedSite(self._runner, bind(host, port), self._keeper).start()
            else:
                await web.TCPSite(self._runner, host, port).start()
        except OSError as exc:
            shown = listen_name(host or "", port)
            if exc.errno == errno.EADDRINUSE:
                raise StartError(
                    f"cannot listen on {shown}: the port is in use, perhaps by another mailprobe; "
                    "choose another with --web.listen-address"
                ) from exc
            raise StartError(f"cannot listen on {shown}: {exc.strerror or exc}") from exc

    async def _take_over(self, sockets: list[socket.socket]) -> None:
        if self._keeper is not None:
            await GuardedSite(self._runner, sockets, self._keeper).start()
            return
        for each in sockets:
            await web.SockSite(self._runner, each).start()

    async def _listen_for_command_line(self, path: Path) -> None:
        try:
            await ControlSite(self._runner, path).start()
        except OSError as exc:
            why = exc.strerror or str(exc)
            logger.warning("cannot create the control socket", path=str(path), err=why)

    def _warn(self) -> None:
        settings = self._keeper.settings if self._keeper is not None else None
        seen = [listen_name(*each) for each in self._places() if not ipaddress.ip_address(each[0]).is_loopback]
        if seen and (settings is None or settings.open_to_all):
            logger.warning(OPEN_TO_ALL, listen=",".join(seen))
        elif seen and settings is not None and settings.tls is None:
            logger.warning(IN_THE_CLEAR, listen=",".join(seen))

    async def reread(self) -> str | None:
        """Check the web configuration for changes now. Returns why it is refused, or None."""
        if self._keeper is None:
            return None
        await self._keeper.now()
        return self._keeper.error

    def _let_go(self) -> None:
        if self._admission is not None and self._runner.server is not None:
            self._admission.let_go(self._runner.server.connections)

    async def close(self) -> None:
        await self._runner.cleanup()
        if self._admission is not None:
            self._admission.close()
        if self._keeper is not None:
            self._keeper.close()

    @property
    def scheme(self) -> str:
        """`https` if there is a certificate, else `http`."""
        return "https" if self._keeper is not None and self._keeper.settings.tls is not None else "http"

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that it listens on. Port 0 in the flags is replaced by the port that the system chose."""
        return tuple(port for _, port in self._places())

    @property
    def url(self) -> str:
        """The URL of the pages, from the first address. If that means all addresses, the host name of this machine."""
        host, port = self._places()[0]
        if ipaddress.ip_address(host).is_unspecified:
            host = platform.node() or "localhost"
        return f"{self.scheme}://{listen_name(host, port)}{self._app[VIEW].route_prefix.path}"

    def _places(self) -> list[tuple[str, int]]:
        """Return IP addresses and ports, without the control socket, whose address is a path."""
        return [(each[0], each[1]) for each in self._runner.addresses if isinstance(each, tuple)]

    def __str__(self) -> str:
        return ",".join(listen_name(*each) for each in self._places())


def without_login(url: str) -> str:
    """Return the URL without user and password, so that it can be shown."""
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"


def listen_name(host: str, port: int) -> str:
    """Return host and port as written in a URL (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
