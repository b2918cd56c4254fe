"""Chooses the login mechanism of IMAP and prepares the arguments of LOGIN. No I/O.

One run makes at most one login attempt, so the choice is made before anything is sent.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.net.imap import writer
from exporter.net.sasl import mechanisms as sasl


def choose(offered: AbstractSet[str], auth: str, *, encrypted: bool) -> str:
    """Return PLAIN (AUTHENTICATE, RFC 4616), LOGIN (the command), or the mechanism that `auth` names.

    `auth`: see `model.Login`. Raises ProbeError if the server does not offer such a login.
    """
    mechanisms = frozenset(name.removeprefix("AUTH=") for name in offered if name.startswith("AUTH="))
    named = sasl.named(auth, mechanisms, tls_first=not encrypted and "STARTTLS" in offered)
    if named is not None:
        return named
    plain = "AUTH=PLAIN" in offered
    login = "LOGINDISABLED" not in offered
    if plain and (auth == "plain" or (auth == "auto" and encrypted)):
        return "PLAIN"
    if login and auth != "plain":
        return "LOGIN"
    told = " ".join(sorted(name for name in offered if name.startswith("AUTH=") or name == "LOGINDISABLED"))
    text = f"the server offers no password login ({auth}): {told or 'no AUTH= capability'}"
    if not encrypted and not login:
        raise ProbeError(Reason.TLS_REQUIRED, text)
    if not login and not plain and offered & {"AUTH=XOAUTH2", "AUTH=OAUTHBEARER"}:
        raise ProbeError(Reason.OAUTH_REQUIRED, text)
    raise ProbeError(Reason.AUTH_MISSING, text)


def arguments(username: str, password: str) -> tuple[str | bytes, str | bytes]:
    """Return user name and password as LOGIN takes them: quoted, or bytes for a literal. Raises ProbeError(config)."""
    try:
        username.encode()
        password.encode()
        return writer.string(username), writer.string(password)
    except ValueError:  # its text may contain a part of the password
        text = "the user name or the password contains a line break or is not valid Unicode"
        raise ProbeError(Reason.CONFIG, text) from None
