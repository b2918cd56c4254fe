"""Builds the Context of probes from a state, as the daemon does it."""

from __future__ import annotations

import time
from collections.abc import Callable

from exporter.credentials.access_tokens import AccessTokens
from exporter.credentials.guard import LoginGuard
from exporter.credentials.token_store import TokenStore
from exporter.model.settings import GuardSettings
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.probes.context import Context
from exporter.state.store import State


def context_over(
    state: State,
    resolver: Resolver | None = None,
    *,
    guard: GuardSettings | None = None,
    store: TokenStore | None = None,
    now: Callable[[], float] = time.time,
) -> Context:
    """Return a Context with its own login guard, which stores its records in `state`."""
    resolver, contexts, logins = resolver or Resolver(), TlsContexts(), LoginGuard(state, guard or GuardSettings())
    tokens = AccessTokens(resolver, contexts, logins, store)
    return Context(resolver, contexts, logins, tokens, state.mailbag, state.notes, state.signing_key, now)
