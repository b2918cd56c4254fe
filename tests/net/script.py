r"""A scripted line server on a socket pair: a test contains the transcript of the dialogue.

S: * OK ready          the server writes a line; consecutive lines are sent in one segment
C: $ NOOP              the client must send this line; `$` stands for its tag, in later `S:` lines too
C= hello               the client must send exactly these bytes, without a line end (a literal)
S= abc\r\n             the server writes these bytes (escapes as in Python)
--                     everything written so far is sent as one segment
TLS                    the server's side of the handshake
CLOSE                  the server closes; at the end of the script it waits until the client closes
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator

from exporter.model.trace import Trace
from exporter.net.wire import Wire


class LoudTrace(Trace):
    """A trace that a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._more = asyncio.Event()

    def said(self, direction: str, text: str | bytes) -> None:
        super().said(direction, text)
        self._more.set()

    def heard(self, lines: bytes, count: int) -> bool:
        self._more.set()
        return super().heard(lines, count)

    async def until(self, words: str) -> None:
        while not any(words in line.text for line in self.lines):
            self._more.clear()
            await self._more.wait()

    @property
    def text(self) -> str:
        return "\n".join(f"{line.direction} {line.text}" for line in self.lines)


class Script:
    """Plays a script on one stream, and reports the line at which it failed."""

    def __init__(self, text: str | bytes, context: ssl.SSLContext | None = None, *, slow: bool = False) -> None:
        self._raw = text if isinstance(text, bytes) else b""
        self._lines = [] if isinstance(text, bytes) else [line.strip() for line in text.splitlines() if line.strip()]
        self._context = context
        self._slow = slow
        self.heard = bytearray()
        self.problem = ""

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._raw:
                await self._flush(bytearray(self._raw), writer)
            await self._play(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError) as exc:
            self.problem = self.problem or f"the client went away: {exc!r}"
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tag = ""
        out = bytearray()
        for number, line in enumerate(self._lines, 1):
            verb, _, text = line.partition(" ")
            if verb not in ("S:", "S="):
                await self._flush(out, writer)
            self.problem = f"line {number}: {line}"
            match verb:
                case "S:":
                    out += text.replace("$", tag).encode() + b"\r\n"
                case "S=":
                    out += text.replace("$", tag).encode().decode("unicode_escape").encode("latin-1")
                case "C:":
                    got = (await reader.readuntil(b"\r\n"))[:-2]
                    self.heard += got + b"\n"
                    if text.startswith("$ "):
                        tag = got.decode().partition(" ")[0]
                    if got.decode() != text.replace("$", tag):
                        self.problem += f"; but got: {got!r}"
                        return
                case "C=":
                    got = await reader.readexactly(len(text.encode()))
                    self.heard += got
                    if got != text.encode():
                        self.problem += f"; but got: {got!r}"
                        return
                case "TLS":
                    assert self._context is not None
                    await writer.start_tls(self._context)
                case "CLOSE":
                    self.problem = ""
                    return
                case "--":
                    await asyncio.sleep(0)
                case _:
                    raise AssertionError(f"not a script line: {line}")
        await self._flush(out, writer)
        self.problem = ""
        with contextlib.suppress(ConnectionError):
            self.heard += await reader.read()

    async def _flush(self, out: bytearray, writer: asyncio.StreamWriter) -> None:
        step = 1 if self._slow else len(out) or 1
        # A client may close after a reply. If it still had something to send, the next read shows it.
        with contextlib.suppress(ConnectionError):
            for start in range(0, len(out), step):
                writer.write(bytes(out[start : start + step]))
                await writer.drain()
                await asyncio.sleep(0)
        out.clear()


@contextlib.asynccontextmanager
async def served(script: Script, trace: Trace) -> AsyncIterator[Wire]:
    """Return a Wire whose other end plays the script. The script must be played to its end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    streams: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = loop.create_future()
    # As the stream of a server: only then start_tls uses the server's side.
    accepted = asyncio.StreamReaderProtocol(asyncio.StreamReader(), lambda *pair: streams.set_result(pair))
    await loop.connect_accepted_socket(lambda: accepted, theirs)
    playing = asyncio.create_task(script.play(*await streams))
    try:
        try:
            async with Wire(ours, "peer", trace) as wire:
                yield wire
        except Exception:
            # the error of the script explains what the client saw afterwards
            assert "but got" not in script.problem, script.problem
            raise
        await asyncio.wait_for(playing, 60)
        assert not script.problem, script.problem
    finally:
        playing.cancel()
        await asyncio.wait([playing])


@contextlib.asynccontextmanager
async def listening(script: Script, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Listen on a port of 127.0.0.1 and play the script to the one client that connects; with `context`, inside TLS."""
    played: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await script.play(reader, writer)
        played.set_result(None)

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        except Exception:
            assert "but got" not in script.problem, script.problem
            raise
        await asyncio.wait_for(played, 60)
        assert not script.problem, script.problem
