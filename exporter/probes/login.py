"""Opens a mailbox session: greeting, capabilities, STARTTLS, ID and one login through the login guard.

Used by the imap, pop3, smtp and roundtrip probes. Each step is a phase in the Trace. Only `log_in` sends a password or
an access token: once per run, only if the guard allows it, and never over an unencrypted connection unless the endpoint
is configured as plain.
"""

from __future__ import annotations

from exporter.model import Endpoint, FactName, Login, Phase, Security
from exporter.model.errors import ProbeError, Refusal
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.imap.session import ImapSession
from exporter.net.pop3.session import Pop3Session
from exporter.net.smtp.session import SmtpSession
from exporter.net.wire import Wire
from exporter.probes.context import Context
from exporter.probes.greeting import greet


async def enter_imap(
    wire: Wire,
    endpoint: Endpoint,
    login: Login,
    context: Context,
    trace: Trace,
    *,
    needs_id: bool = False,
    timeout: float | None = None,
) -> ImapSession:
    """Return a logged-in IMAP session on a connected Wire.

    `needs_id`: the provider requires ID (RFC 2971) after login.
    """
    session = ImapSession(wire, trace, timeout=timeout)
    await greet(session, wire, endpoint, context.contexts, trace)
    await _capability(session, trace)
    if endpoint.security is Security.STARTTLS:
        await session.starttls(endpoint, context.contexts)
        await _capability(session, trace)
    needs_id = needs_id or session.is_coremail
    if needs_id and "ID" in session.capabilities:
        await _identify(session, trace)
    trace.fact(FactName.CAPABILITIES, " ".join(sorted(session.capabilities)))
    if session.preauth:  # RFC 3501 section 7.1.4: the server knows the client by other means, and LOGIN is an error
        trace.said("#", "the server says PREAUTH: no password is sent, the login is not tested")
    else:
        await log_in(session, endpoint, login, context, trace, wire=wire)
    await _capability(session, trace, optional=True)
    trace.fact(FactName.CAPABILITIES, " ".join(sorted(session.capabilities)))
    if needs_id:
        await _identify(session, trace)
    return session


async def open_pop3(wire: Wire, endpoint: Endpoint, context: Context, trace: Trace) -> Pop3Session:
    """Do everything before a login: greeting, CAPA and, if configured, STLS and CAPA again."""
    session = Pop3Session(wire, trace)
    await greet(session, wire, endpoint, context.contexts, trace)
    with trace.phase(Phase.CAPABILITY):
        await session.capa()
    if endpoint.security is Security.STARTTLS:
        await session.stls(endpoint, context.contexts)
        with trace.phase(Phase.CAPABILITY):
            await session.capa()
    trace.fact(FactName.CAPABILITIES, ", ".join(sorted(session.capabilities or ())))
    return session


async def open_smtp(
    wire: Wire, endpoint: Endpoint, context: Context, trace: Trace, *, timeout: float | None = None
) -> SmtpSession:
    """Do everything before a login: greeting, EHLO and, if configured, STARTTLS and EHLO again."""
    session = SmtpSession(wire, trace, timeout=timeout, ehlo_name=endpoint.ehlo_name)
    await greet(session, wire, endpoint, context.contexts, trace)
    with trace.phase(Phase.CAPABILITY):
        await session.ehlo()
    if endpoint.security is Security.STARTTLS:
        await session.starttls(endpoint, context.contexts)
        with trace.phase(Phase.CAPABILITY):
            await session.ehlo()
    return session


async def log_in(
    session: ImapSession | Pop3Session | SmtpSession,
    endpoint: Endpoint,
    login: Login,
    context: Context,
    trace: Trace,
    *,
    wire: Wire,
) -> None:
    """Log in once with one mechanism, if the login guard allows it.

    Raises ProbeError(tls_required) without encryption.
    """
    encrypted = wire.tls is not None
    if not encrypted and endpoint.security is not Security.PLAIN:
        with trace.phase(Phase.LOGIN):
            raise ProbeError(Reason.TLS_REQUIRED, "the connection is not encrypted: no password is sent")
    token = await context.tokens.token(login, trace)
    with trace.phase(Phase.LOGIN):
        mechanism = session.choose_mechanism(login.auth, encrypted=encrypted)
        trace.fact(FactName.MECHANISM, mechanism)
        async with context.logins.attempt(login, trace, token) as secret:
            await session.login(login.username, secret, mechanism)


async def _capability(session: ImapSession, trace: Trace, *, optional: bool = False) -> None:
    """Ask for the capabilities if they are unknown. `optional`: a refusal is noted, and what follows decides."""
    if session.capabilities:
        return
    with trace.phase(Phase.CAPABILITY):
        try:
            await session.capability()
        except Refusal as exc:
            if not optional or exc.code == "BYE":
                raise
            trace.said("#", f"CAPABILITY is refused: {exc.text}")


async def _identify(session: ImapSession, trace: Trace) -> None:
    with trace.phase(Phase.ID):
        try:
            await session.id()
        except Refusal as exc:
            if exc.code == "BYE":
                raise
            trace.said("#", f"ID is refused: {exc.text}")
