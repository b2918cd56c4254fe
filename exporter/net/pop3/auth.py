"""Logins of POP3: which mechanism, and how the credential is written. No I/O."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.net.sasl.mechanisms import TOKEN_MECHANISMS, named


def sasl(capabilities: AbstractSet[str] | None) -> frozenset[str]:
    """The mechanisms of CAPA's SASL line (RFC 5034), in upper case."""
    lines = (line.split() for line in capabilities or ())
    return frozenset(name for words in lines if words and words[0] == "SASL" for name in words[1:])


def choose(capabilities: AbstractSet[str] | None, auth: str, *, encrypted: bool) -> str:
    """PLAIN (by AUTH, RFC 5034) or USER (USER and PASS, RFC 1939), or what `auth` names: exactly one (`model.Login`).

    Raises ProbeError where the server offers no such login. A server without CAPA is tried with USER.
    """
    offered = sasl(capabilities)
    tls_first = not encrypted and capabilities is not None and "STLS" in capabilities
    mechanism = named(auth, offered, tls_first=tls_first)
    if mechanism is not None:
        return mechanism
    user = capabilities is None or "USER" in capabilities
    if "PLAIN" in offered and (auth == "plain" or (auth == "auto" and encrypted)):
        return "PLAIN"
    # Some servers leave USER out of CAPA and take it: who writes `login` has seen that, but not in the clear.
    if auth != "plain" and (user or (auth == "login" and encrypted)):
        return "USER"
    if "PLAIN" in offered and auth == "auto":
        return "PLAIN"
    text = f"no password login ({auth}) is offered: {_told(capabilities)}"
    if tls_first:
        raise ProbeError(Reason.TLS_REQUIRED, text)
    if not user and offered and offered <= set(TOKEN_MECHANISMS):
        raise ProbeError(Reason.OAUTH_REQUIRED, text)
    raise ProbeError(Reason.AUTH_MISSING, text)


def _told(capabilities: AbstractSet[str] | None) -> str:
    if capabilities is None:
        return "the server has no CAPA"
    found = sorted(line for line in capabilities if line == "USER" or line.startswith("SASL"))
    return f"CAPA has {', '.join(found)}" if found else "CAPA has neither USER nor SASL"


def argument(word: str, what: str) -> str:
    """A user name or password as one argument of a command. Raises ProbeError(config), never with the word itself."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise ProbeError(Reason.CONFIG, f"the {what} is not Unicode text") from None
    if any(mark in word for mark in "\r\n\0"):
        raise ProbeError(Reason.CONFIG, f"the {what} holds a line break")
    return word
