"""The capabilities that a probe is given. Everything it may touch is in here, or in its settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from exporter.credentials.access_tokens import Means, Tokens
from exporter.credentials.guard import LoginGuard
from exporter.model import AccessToken, Login
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.net.oauth.client import Net
from exporter.net.tls import TlsContexts
from exporter.state.store import Mailbag, Notes


@dataclass(frozen=True, slots=True)
class Context:
    """Resolver and TLS trust (the network), logins (may we? what came of it?), mailbag and notes (what we remember)."""

    resolver: Resolver
    contexts: TlsContexts
    logins: LoginGuard
    mailbag: Mailbag
    notes: Notes
    signing_key: bytes  # for the tokens of round-trip mails; made on the first start, kept in the state
    now: Callable[[], float] = time.time  # Unix time, seconds
    tokens: Tokens = field(default_factory=Tokens)

    async def token(self, login: Login, trace: Trace) -> AccessToken | None:
        """The access token for a login, in phase `token`; None where it takes a password. See `Tokens.token`."""
        if login.oauth is None:
            return None
        net = Net(self.resolver, self.contexts, login.oauth.ca_file)
        return await self.tokens.token(login, Means(login.oauth, net, self.logins), trace)
