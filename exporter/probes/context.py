"""The capabilities that a probe is given. Everything it may touch is in here, or in its settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from exporter.credentials.access_tokens import AccessTokens
from exporter.credentials.guard import LoginGuard
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.state.store import Mailbag, Notes


@dataclass(frozen=True, slots=True)
class Context:
    """What every probe of a configuration shares: the network, the logins, and what is remembered."""

    resolver: Resolver
    contexts: TlsContexts
    logins: LoginGuard  # may a password be sent, and what came of it
    tokens: AccessTokens
    mailbag: Mailbag
    notes: Notes
    signing_key: bytes  # for the tokens of round-trip mails; made on the first start, kept in the state
    now: Callable[[], float] = time.time  # Unix time, seconds
