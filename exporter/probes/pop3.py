"""The pop3 probe: logs in once and reads the size of the maildrop. It never fetches or deletes a mail."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.model import Endpoint, FactName, Login, Phase
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.probes.context import Context
from exporter.probes.login import log_in, open_pop3


@dataclass(frozen=True, slots=True)
class Settings:
    """A POP3 server and the credential for it."""

    endpoint: Endpoint
    login: Login


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Greeting, CAPA, STLS, login with exactly one mechanism, STAT, QUIT."""
    async with await dial(settings.endpoint, context.resolver, context.contexts, trace) as wire:
        session = await open_pop3(wire, settings.endpoint, context, trace)
        await log_in(session, settings.endpoint, settings.login, context, trace, wire=wire)
        with trace.phase(Phase.FOLDERS):
            messages, size = await session.stat()
        trace.fact(FactName.MAILDROP_MESSAGES, messages)
        trace.fact(FactName.MAILDROP_BYTES, size)
        with trace.phase(Phase.LOGOUT):
            await session.quit()
