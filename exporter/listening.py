"""Where the daemon listens: addresses to sockets, and in words what stands in the way."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from aiohttp import web

from exporter.web.server import Runner, build
from exporter.web.view import AppView

GRACE = 2.0  # seconds for HTTP requests under way when stopping


class StartError(Exception):
    """The daemon cannot start; the message says what and where."""


class Listener:
    """The web server on its addresses."""

    def __init__(self, view: AppView, addresses: Sequence[tuple[str | None, int]]) -> None:
        self._addresses = addresses
        self._runner = Runner(build(view), shutdown_timeout=GRACE)

    async def start(self) -> None:
        """Listen on all of them or none. Raises StartError."""
        await self._runner.setup()
        try:
            for host, port in self._addresses:
                await self._listen(host, port)
        except BaseException:
            await self._runner.cleanup()
            raise

    async def _listen(self, host: str | None, port: int) -> None:
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as exc:
            shown = listen_name(host or "", port)
            if exc.errno == errno.EADDRINUSE:
                raise StartError(
                    f"cannot listen on {shown}: the port is in use, perhaps by another mailprobe; "
                    "choose another with --web.listen-address"
                ) from exc
            raise StartError(f"cannot listen on {shown}: {exc.strerror or exc}") from exc

    async def close(self) -> None:
        await self._runner.cleanup()

    @property
    def ports(self) -> tuple[int, ...]:
        """Those listened on; port 0 in the flags has become a real one here."""
        return tuple(address[1] for address in self._runner.addresses)

    def __str__(self) -> str:
        return ",".join(listen_name(*address[:2]) for address in self._runner.addresses)


def listen_name(host: str, port: int) -> str:
    """As one writes it in a URL (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
