"""Advice: what to do in a case that is known more exactly than its reason."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Advice(StrEnum):
    """A case with a remedy of its own. It is the key of a text in the section `advice`, and never a label."""

    TLS_AT_ONCE = "tls_at_once"  # `security` is starttls or plain, and the port speaks TLS from the start
    PLAIN_AT_FIRST = "plain_at_first"  # `security` is tls, and the port greets in plain text
    LINK_EXPIRED = "link_expired"  # a certificate above the server's own, which the server sends
    ROOT_EXPIRED = "root_expired"  # a certificate above the server's own, out of our list of trusted ones
    NAME_ONLY_IN_CN = "name_only_in_cn"
    WEAK_KEY = "weak_key"
    WEAK_SIGNATURE = "weak_signature"
    UNKNOWN_NAME = "unknown_name"  # the server knows no host of the name that we ask for (SNI)
    CLIENT_CERTIFICATE = "client_certificate"
    HANDSHAKE_REFUSED = "handshake_refused"  # no common version or cipher, or a client certificate is wanted
    LOGINS_UNSETTLED = "logins_unsettled"  # logins pause after answers that neither accept nor refuse the password
    EHLO_NAME = "ehlo_name"  # the server refuses the name that we give in EHLO


def shared(advices: Iterable[Advice | None]) -> Advice | None:
    """Return the advice that all cases have in common; None if they differ, or one has none."""
    found = set(advices)
    return found.pop() if len(found) == 1 else None
