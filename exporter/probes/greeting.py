"""The first words of a mail server, as a phase of a run."""

from __future__ import annotations

from exporter.model import Endpoint, FactName, Phase
from exporter.model.trace import Trace
from exporter.net.imap.session import ImapSession
from exporter.net.pop3.session import Pop3Session
from exporter.net.second_look import second_look
from exporter.net.smtp.session import SmtpSession
from exporter.net.tls import TlsContexts
from exporter.net.wire import Wire


async def greet(
    session: ImapSession | Pop3Session | SmtpSession,
    wire: Wire,
    endpoint: Endpoint,
    contexts: TlsContexts,
    trace: Trace,
) -> None:
    """Read the greeting, and find out why there is none."""
    with trace.phase(Phase.GREETING):
        async with second_look(wire, endpoint, contexts, trace):
            await session.greet()
    trace.fact(FactName.GREETING, session.greeting)
