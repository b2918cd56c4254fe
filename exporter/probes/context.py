"""The Context: everything that a probe may use besides its own settings, such as network and stored state.

It is built once by the daemon (or by `mailprobe check`) and shared by all runs. Tests pass one with other parts.
"""

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
    """What all probes of a configuration share: network, login guard, access tokens and stored state."""

    resolver: Resolver
    contexts: TlsContexts
    logins: LoginGuard  # decides whether a password may be sent, and gets the answer
    tokens: AccessTokens
    mailbag: Mailbag
    notes: Notes
    signing_key: bytes  # signs the tokens of round-trip mails; created at the first start, kept in the state
    now: Callable[[], float] = time.time  # Unix time, seconds
