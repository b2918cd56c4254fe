"""The Context: everything that a probe may use besides its own settings, such as network and stored state.

It is built once by the daemon (or by `mailprobe check`) and shared by all runs. Tests pass one with other parts.
"""

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
    """Network (resolver, TLS contexts), login guard and access tokens, and stored state (mailbag and notes)."""

    resolver: Resolver
    contexts: TlsContexts
    logins: LoginGuard
    mailbag: Mailbag
    notes: Notes
    signing_key: bytes  # signs the tokens of round-trip mails; created at the first start, kept in the state
    now: Callable[[], float] = time.time  # Unix time, seconds
    tokens: Tokens = field(default_factory=Tokens)

    async def token(self, login: Login, trace: Trace) -> AccessToken | None:
        """Return the access token for a login, in phase `token`, or None if it uses a password. See `Tokens.token`."""
        if login.oauth is None:
            return None
        net = Net(self.resolver, self.contexts, login.oauth.ca_file)
        return await self.tokens.token(login, Means(login.oauth, net, self.logins), trace)
