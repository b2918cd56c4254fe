"""A TCP proxy on loopback that holds back what the server says: so a kill falls between any two steps of a dialogue."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self


class SlowProxy:
    """A context manager. Each piece of the server's words arrives `delay` seconds late; ours arrive at once."""

    def __init__(self, to: int, delay: float) -> None:
        self.port = 0  # known once it runs
        self._to = to
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        clients = asyncio.all_tasks() - {asyncio.current_task()}
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await asyncio.sleep(0.1)  # transports close their sockets in the next turn of the loop

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends = [writer]
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._to)
            open_ends.append(server_writer)
            await asyncio.gather(_pass_on(reader, server_writer, 0.0), _pass_on(server_reader, writer, self._delay))
        except (OSError, asyncio.CancelledError):
            pass  # a client was killed, or the test is over
        finally:
            for each in open_ends:
                each.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()
    writer.close()
