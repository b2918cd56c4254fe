"""Serves recorded scrapes over HTTP, sixty times as fast as they were recorded."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer

from tests.alertmanager.threaded import Threaded
from tests.recorded.world import BEGIN, Record

SPEED = 60.0
_TIME = re.compile(r"^(mailprobe_\w+_timestamp_seconds\S* )(\S+)$", re.MULTILINE)


class Replay(Threaded):
    """A context manager. `/NAME/metrics` is what the recording of this name showed at this moment."""

    def __init__(self, records: Mapping[str, Record]) -> None:
        super().__init__()
        self._records = records
        self.began = time.time()

    def second(self, at: float) -> float:
        """Return the second of the stories for a real Unix time."""
        return (at - self.began) * SPEED

    def text(self, name: str) -> str:
        """Return the metrics. Times in them are moved to the present, where the stories happen."""
        scrapes = self._records[name].scrapes
        known = [second for second in scrapes if second <= self.second(time.time())]
        if not known:
            return ""
        return _TIME.sub(
            lambda found: (
                f"{found[1]}{self.began + (float(found[2]) - BEGIN) / SPEED:.3f}" if float(found[2]) else found[0]
            ),
            scrapes[max(known)],
        )

    def listen(self) -> BaseServer:
        replay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = replay.text(self.path.split("/")[1]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Do not write to stderr."""

        return ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
