"""The mail server of docs/install.md: mail.example.com on the well-known ports, with a certificate."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from exporter.demo.certificates import Authority
from exporter.demo.imap_server import ImapServer
from exporter.demo.mailstore import Folder, Mailbox, MailStore
from exporter.demo.smtp_server import SmtpServer

HOST = "mail.example.com"
ADDRESS = "127.0.0.77"  # a separate address, on which the well-known ports are free
IMAPS, SUBMISSION = 993, 587
START = 20.0  # seconds


@contextlib.contextmanager
def mail_server(address: str, password: str, ca_file: Path) -> Iterator[None]:
    """Run a server with one mailbox. `ca_file` gets the authority to trust."""
    started: Future[asyncio.Event] = Future()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        over = asyncio.Event()
        loops.append(asyncio.get_running_loop())
        authority = Authority()
        authority.write(ca_file)
        context = authority.good(HOST)
        store = MailStore([Mailbox(address, password, (Folder("INBOX"), Folder("Junk", "\\Junk")))])
        async with (
            ImapServer(store, context) as imap,
            SmtpServer(store, context, HOST, starttls=True) as smtp,
            _forward(IMAPS, imap.port),
            _forward(SUBMISSION, smtp.port),
        ):
            started.set_result(over)
            await over.wait()

    def live() -> None:
        try:
            asyncio.run(serve())
        except BaseException as exc:
            if started.done():
                raise
            started.set_exception(exc)

    thread = threading.Thread(target=live, name="mail server", daemon=True)
    thread.start()
    over = started.result(START)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join(START)


@contextlib.asynccontextmanager
async def _forward(port: int, to: int):
    """Forward a well-known port of ADDRESS to the port of the server."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    server = await asyncio.start_server(connected, ADDRESS, port)
    try:
        yield
    finally:
        server.close()
