"""Looks at a silent port a second time, with TLS: a server that waits for a handshake never greets.

The first connection goes on waiting, so a server that is only slow is not misjudged and no time is lost. The second one
is closed after the handshake: no command and no credential is ever sent on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exporter.model import Endpoint, Security
from exporter.model.advice import Advice
from exporter.model.errors import Garbage, ProbeError
from exporter.model.trace import Trace
from exporter.net.dial import connect_again
from exporter.net.tls import TlsContexts
from exporter.net.wire import Wire

SILENCE = 5.0  # seconds without a greeting until the second look; half of the run's time if that is less


@asynccontextmanager
async def second_look(wire: Wire, endpoint: Endpoint, contexts: TlsContexts, trace: Trace) -> AsyncIterator[None]:
    """Wait for the greeting in this block. If the port speaks TLS from the start, `trace.silence` says so."""
    if endpoint.security is Security.TLS:
        yield
        return
    looks: list[asyncio.Task[None]] = []
    before = trace.arrived_at

    def begin() -> None:
        if trace.arrived_at == before:
            looks.append(loop.create_task(_look(wire, endpoint, contexts.unverified(), trace)))

    loop = asyncio.get_running_loop()
    timer = loop.call_later(min(SILENCE, trace.patience / 2), begin)
    try:
        yield
    finally:
        timer.cancel()
        for look in looks:
            look.cancel()
            await asyncio.wait([look])


async def _look(wire: Wire, endpoint: Endpoint, contexts: TlsContexts, trace: Trace) -> None:
    before = trace.arrived_at
    try:
        async with await connect_again(wire, endpoint, contexts, Trace()):
            pass
    except (OSError, ProbeError, Garbage) as exc:
        trace.said("#", f"still no greeting; a second connection finds no TLS either: {exc}")
        return
    text = "no greeting, and on a second connection a TLS handshake succeeded: this port speaks TLS from the start"
    trace.said("#", text)
    if trace.arrived_at == before:
        trace.if_silent(Garbage(text, wrong_protocol=True, advice=Advice.TLS_AT_ONCE))
