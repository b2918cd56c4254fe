"""The capabilities that a probe is given. Everything it may touch is in here, or in its settings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from exporter.guard import Logins
from exporter.net.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.state import Mailbag, Notes


@dataclass(frozen=True, slots=True)
class World:
    """Resolver and TLS trust (the network), logins (may we? what came of it?), mailbag and notes (what we remember)."""

    resolver: Resolver
    contexts: TlsContexts
    logins: Logins
    mailbag: Mailbag
    notes: Notes
    signing_key: bytes  # for the tokens of round-trip mails; made on the first start, kept in the state
    now: Callable[[], float] = time.time  # Unix time, seconds
