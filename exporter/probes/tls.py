"""The tls probe: connects to one server, checks TLS, certificate and greeting. It never logs in.

In: an Endpoint. Out: facts about TLS version and certificate. The certificate matters most when it does not verify:
then a second, unverified connection reads its facts and stops after the handshake.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from exporter.model import Endpoint, FactName, Phase, Security, Service
from exporter.model.errors import Garbage, ProbeError, Refusal, StartTlsUnavailable
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.imap.session import ImapSession
from exporter.net.pop3.session import Pop3Session
from exporter.net.smtp.session import SmtpSession
from exporter.net.tls import TlsContexts, note_certificates
from exporter.net.wire import Wire
from exporter.probes.context import Context
from exporter.probes.greeting import greet

GOODBYE = 2.0  # seconds for the answer to QUIT or LOGOUT; a missing answer is not a failure
LOOK = 5.0  # seconds for the second connection

_CERTIFICATE_FACTS = frozenset(
    (
        FactName.TLS_VERSION,
        FactName.TLS_CIPHER,
        FactName.CERT_SUBJECT,
        FactName.CERT_ISSUER,
        FactName.CERT_NAMES,
        FactName.CERT_FINGERPRINT,
        FactName.CERT_NOT_BEFORE,
        FactName.CERT_NOT_AFTER,
        FactName.CHAIN_NOT_AFTER,
    )
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The server to check."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class _Dialogue:
    """The methods that the three mail sessions have in common before a login."""

    session: ImapSession | Pop3Session | SmtpSession
    capability: Callable[[], Awaitable[None]]
    starttls: Callable[[Endpoint, TlsContexts], Awaitable[None]]
    goodbye: Callable[[], Awaitable[None]]


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Connect, do the handshake, read the greeting, quit. Write the certificate's facts even if it is not valid."""
    endpoint = settings.endpoint
    try:
        async with await dial(endpoint, context.resolver, context.contexts, trace) as wire:
            if endpoint.security is Security.TLS:
                _note(wire, trace)
            await _talk(endpoint, wire, context.contexts, trace)
    except ssl.SSLCertVerificationError:
        trace.fact(FactName.CERT_VALID, 0)
        await _look(endpoint, context, trace)
        raise


def _note(wire: Wire, trace: Trace) -> None:
    trace.fact(FactName.CERT_VALID, 1)
    if wire.tls is not None:
        note_certificates(wire.tls, trace)


async def _talk(endpoint: Endpoint, wire: Wire, contexts: TlsContexts, trace: Trace) -> None:
    dialogue = _dialogue(endpoint, wire, trace)
    if dialogue is None:
        return
    await greet(dialogue.session, wire, endpoint, contexts, trace)
    if endpoint.security is Security.STARTTLS:
        with trace.phase(Phase.CAPABILITY):
            await dialogue.capability()
        await dialogue.starttls(endpoint, contexts)
        _note(wire, trace)
    with trace.phase(Phase.LOGOUT):
        try:
            async with asyncio.timeout(GOODBYE):
                await dialogue.goodbye()
        except (OSError, Refusal, Garbage) as exc:
            trace.said("#", f"no proper goodbye: {exc or 'no answer'}")


def _dialogue(endpoint: Endpoint, wire: Wire, trace: Trace) -> _Dialogue | None:
    """Return the session for the protocol. HTTP servers send no greeting, so None: the handshake is enough."""
    match endpoint.protocol:
        case Service.IMAP:
            imap = ImapSession(wire, trace)
            return _Dialogue(imap, imap.capability, imap.starttls, imap.logout)
        case Service.SMTP:
            smtp = SmtpSession(wire, trace, ehlo_name=endpoint.ehlo_name)
            return _Dialogue(smtp, smtp.ehlo, smtp.starttls, smtp.quit)
        case Service.POP3:
            pop3 = Pop3Session(wire, trace)
            return _Dialogue(pop3, pop3.capa, pop3.stls, pop3.quit)
        case Service.HTTPS:
            return None


async def _look(endpoint: Endpoint, context: Context, trace: Trace) -> None:
    """Read the facts of a certificate that did not verify. Uses its own Trace, so the run's transcript is unchanged."""
    trace.said("#", "a second connection, without verification, only to read the certificate")
    aside = Trace()
    contexts = context.contexts.unverified()
    try:
        async with asyncio.timeout(LOOK), await dial(endpoint, context.resolver, contexts, aside) as wire:
            if endpoint.security is Security.STARTTLS:
                await _talk(endpoint, wire, contexts, aside)
            elif wire.tls is not None:
                note_certificates(wire.tls, aside)
    except (OSError, Garbage, Refusal, StartTlsUnavailable, ProbeError) as exc:
        trace.said("#", f"it could not be read: {exc}")
    for fact in aside.facts:
        if fact.name in _CERTIFICATE_FACTS:
            trace.fact(fact.name, fact.value, *fact.labels)
