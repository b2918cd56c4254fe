"""The pop3 probe: logs in once and reads the size of the maildrop. It never fetches or deletes a mail."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.model import Endpoint, FactName, Login, Phase, Security
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.pop3.session import Pop3Session
from exporter.probes.context import Context
from exporter.probes.login import log_in


@dataclass(frozen=True, slots=True)
class Settings:
    """A POP3 server and the credential for it."""

    endpoint: Endpoint
    login: Login


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Greeting, CAPA, STLS, login with exactly one mechanism, STAT, QUIT."""
    async with await dial(settings.endpoint, context.resolver, context.contexts, trace) as wire:
        session = Pop3Session(wire, trace)
        with trace.phase(Phase.GREETING):
            await session.greet()
        trace.fact(FactName.GREETING, session.greeting)
        await _capability(session, trace)
        if settings.endpoint.security is Security.STARTTLS:
            await session.stls(settings.endpoint, context.contexts)
            await _capability(session, trace)
        trace.fact(FactName.CAPABILITIES, ", ".join(sorted(session.capabilities or ())))
        encrypted = wire.tls is not None
        if not encrypted and settings.endpoint.security is not Security.PLAIN:
            raise ProbeError(Reason.TLS_REQUIRED, "the connection is not encrypted: no password is sent")
        await log_in(session, settings.login, context, trace, encrypted=encrypted)
        with trace.phase(Phase.FOLDERS):
            messages, size = await session.stat()
        trace.fact(FactName.MAILDROP_MESSAGES, messages)
        trace.fact(FactName.MAILDROP_BYTES, size)
        with trace.phase(Phase.LOGOUT):
            await session.quit()


async def _capability(session: Pop3Session, trace: Trace) -> None:
    with trace.phase(Phase.CAPABILITY):
        await session.capa()
