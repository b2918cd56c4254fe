"""Chooses the login mechanism of POP3 and checks the arguments of USER and PASS. No I/O.

One run makes at most one login attempt, so the choice is made before anything is sent.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.net.sasl.mechanisms import TOKEN_MECHANISMS, named


def sasl(capabilities: AbstractSet[str] | None) -> frozenset[str]:
    """Return the mechanisms of the SASL line of CAPA (RFC 5034), in upper case."""
    lines = (line.split() for line in capabilities or ())
    return frozenset(name for words in lines if words and words[0] == "SASL" for name in words[1:])


def choose(capabilities: AbstractSet[str] | None, auth: str, *, encrypted: bool) -> str:
    """Return PLAIN (AUTH, RFC 5034), USER (USER and PASS, RFC 1939), or the mechanism that `auth` names.

    `auth`: see `model.Login`. Raises ProbeError if the server does not offer such a login. Without CAPA, USER is used.
    """
    offered = sasl(capabilities)
    tls_first = not encrypted and capabilities is not None and "STLS" in capabilities
    mechanism = named(auth, offered, tls_first=tls_first)
    if mechanism is not None:
        return mechanism
    user = capabilities is None or "USER" in capabilities
    if "PLAIN" in offered and (auth == "plain" or (auth == "auto" and encrypted)):
        return "PLAIN"
    # Some servers accept USER without listing it in CAPA. `auth: login` says that the user knows this; it is allowed
    # only with TLS.
    if auth != "plain" and (user or (auth == "login" and encrypted)):
        return "USER"
    if "PLAIN" in offered and auth == "auto":
        return "PLAIN"
    text = f"the server offers no password login ({auth}): {_told(capabilities)}"
    if tls_first:
        raise ProbeError(Reason.TLS_REQUIRED, text)
    if not user and offered and offered <= set(TOKEN_MECHANISMS):
        raise ProbeError(Reason.OAUTH_REQUIRED, text)
    raise ProbeError(Reason.AUTH_MISSING, text)


def _told(capabilities: AbstractSet[str] | None) -> str:
    if capabilities is None:
        return "it does not support CAPA"
    found = sorted(line for line in capabilities if line == "USER" or line.startswith("SASL"))
    return f"CAPA has {', '.join(found)}" if found else "CAPA has neither USER nor SASL"


def argument(word: str, what: str) -> str:
    """Check a user name or password as the argument of a command.

    Raises ProbeError(config), without the value itself.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ProbeError(Reason.CONFIG, f"the {what} is not valid Unicode") from None
    if any(mark in word for mark in "\r\n\0"):
        raise ProbeError(Reason.CONFIG, f"the {what} contains a line break")
    return word
