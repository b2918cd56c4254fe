"""Somebody whose answer shows that our network works: a port that takes connections, and can be gone for a while."""

from __future__ import annotations

import threading
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Self

from tests.servers.process import free_port


class Reference:
    """A context manager."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: ThreadingTCPServer | None = None

    def start(self) -> None:
        server = ThreadingTCPServer(("127.0.0.1", self.port), BaseRequestHandler, bind_and_activate=False)
        server.allow_reuse_address = True
        server.server_bind()
        server.server_activate()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._server = server

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
