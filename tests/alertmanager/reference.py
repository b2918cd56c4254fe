"""A reference for the check of our own network: a port that accepts connections, and can be closed for a while."""

from __future__ import annotations

from socketserver import BaseRequestHandler, BaseServer, ThreadingTCPServer

from tests.alertmanager.threaded import Threaded


class Reference(Threaded):
    """A context manager."""

    def listen(self) -> BaseServer:
        server = ThreadingTCPServer(("127.0.0.1", self.port), BaseRequestHandler, bind_and_activate=False)
        server.allow_reuse_address = True
        server.server_bind()
        server.server_activate()
        return server
