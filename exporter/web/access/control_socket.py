"""A Unix socket in the storage folder, for `mailprobe check` and `report` run by the daemon's own user.

Whoever can open it could also read that user's password files, so it needs no login and no certificate: the command
line works on this machine whatever the web configuration requires.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

from aiohttp import web


class ControlSite(web.BaseSite):
    """The control socket. `start` raises OSError if the file system or the length of the path does not allow it."""

    def __init__(self, runner: web.BaseRunner, path: Path) -> None:
        super().__init__(runner)
        self._path = path

    @property
    def name(self) -> str:
        return f"unix:{self._path}"

    async def start(self) -> None:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        listening = _bind(self._path)
        await super().start()
        self._server = await asyncio.get_running_loop().create_unix_server(server, sock=listening)

    async def stop(self) -> None:
        await super().stop()
        with contextlib.suppress(OSError):
            self._path.unlink()


def _bind(path: Path) -> socket.socket:
    """Return the listening socket. Raises OSError."""
    # A killed daemon left it. No other daemon uses it, because we hold the lock of the folder.
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    return made
