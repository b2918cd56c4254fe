"""All receivers of the shipped configuration as one web server: pager, chat, digest, WeCom, dead man's switch."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.alertmanager.threaded import Threaded
from tests.servers.process import PATIENCE, ServerError

Json = Any


@dataclass(frozen=True, slots=True)
class Message:
    """One request that arrived at one path, and its token."""

    place: str
    body: Json
    token: str
    at: float = field(default_factory=time.monotonic)

    @property
    def text(self) -> str:
        """Return the text that a person reads, if the receiver is a chat."""
        if self.place == "wecom":
            return str(self.body["text"]["content"])
        return "\n".join(f"{each['title']}\n{each['text']}" for each in self.body["attachments"])

    @property
    def brief(self) -> str:
        """Return a short form for error messages of tests."""
        if "alerts" not in self.body:
            return self.text
        return ", ".join(f"{each['status']} {each['labels']['alertname']}" for each in self.body["alerts"])

    def alerts(self, status: str) -> list[Json]:
        """Return the alerts of a webhook's message."""
        return [each for each in self.body["alerts"] if each["status"] == status]


class Channels(Threaded):
    """A context manager; `url` has a path for each receiver. Messages are kept while it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self._news = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def at(self, place: str) -> list[Message]:
        with self._news:
            return [each for each in self.messages if each.place == place]

    def wait_for(self, place: str, wanted: Callable[[Message], bool], seconds: float = 60) -> Message:
        """Return the first matching message at a path, including earlier ones."""
        deadline = time.monotonic() + PATIENCE * seconds
        with self._news:
            while True:
                for each in self.messages:
                    if each.place == place and wanted(each):
                        return each
                left = deadline - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    came = "\n".join(each.brief for each in self.messages if each.place == place)
                    raise ServerError(f"no such message at {place} within {seconds:g} s; came:\n{came}")

    def _take(self, message: Message) -> None:
        with self._news:
            self.messages.append(message)
            self._news.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer WeCom's request for a token."""
                asked = parse_qs(urlsplit(self.path).query)
                self._answer({"errcode": 0, "access_token": f"token-of-{asked['corpid'][0]}"})

            def do_POST(self) -> None:
                url = urlsplit(self.path)
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                token = self.headers.get("Authorization", "") or parse_qs(url.query).get("access_token", [""])[0]
                take(Message(url.path.strip("/").partition("/")[0], body, token))
                self._answer({"errcode": 0, "ok": True})  # success, in the format of WeCom and of Slack

            def _answer(self, body: Json) -> None:
                text = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
                pass

        return Handler

    def listen(self) -> BaseServer:
        server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        server.daemon_threads = True
        return server
