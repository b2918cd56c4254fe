"""The smtp probe: checks that the mailbox's owner can log in to send mail. It sends nothing."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.model import Endpoint, FactName, Login, Phase
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.probes.context import Context
from exporter.probes.login import log_in, open_smtp


@dataclass(frozen=True, slots=True)
class Settings:
    """A submission server and the credential for it."""

    endpoint: Endpoint
    login: Login


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Greeting, EHLO, STARTTLS, AUTH with exactly one mechanism, RSET, QUIT."""
    async with await dial(settings.endpoint, context.resolver, context.contexts, trace) as wire:
        session = await open_smtp(wire, settings.endpoint, context, trace)
        trace.fact(FactName.CAPABILITIES, " ".join(session.extensions).upper())
        if session.size_limit is not None:
            trace.fact(FactName.SMTP_SIZE_LIMIT, session.size_limit)
        await log_in(session, settings.endpoint, settings.login, context, trace, wire=wire)
        with trace.phase(Phase.LOGOUT):
            await session.rset()
            await session.quit()
