"""A server in threads, so that a test may block. It can be stopped and started again."""

from __future__ import annotations

import threading
from socketserver import BaseServer
from typing import Self

from tests.servers.process import free_port


class Threaded:
    """A context manager. A subclass creates the server in `listen`."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: BaseServer | None = None

    def listen(self) -> BaseServer:
        """Return a new server on the same port."""
        raise NotImplementedError

    def start(self) -> None:
        self._server = server = self.listen()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Stop the server: until it is started again, connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
