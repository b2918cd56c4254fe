"""A server of ours in threads, so that a test may wait as it likes; it can be gone for a while."""

from __future__ import annotations

import threading
from socketserver import BaseServer
from typing import Self

from tests.servers.process import free_port


class Threaded:
    """A context manager. A subclass says what `listen` makes."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: BaseServer | None = None

    def listen(self) -> BaseServer:
        """A new server that has its port."""
        raise NotImplementedError

    def start(self) -> None:
        self._server = server = self.listen()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Nobody answers there until it is started again."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
