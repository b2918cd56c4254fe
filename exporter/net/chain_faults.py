"""What is wrong with a certificate chain, where it shows more than OpenSSL's code does.

OpenSSL tells that "a certificate" has expired, but Python does not say which one of the chain. The chain that OpenSSL
built can still be read after the handshake has failed, so no second connection is needed.
"""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime

from exporter.model.advice import Advice
from exporter.model.errors import CertificateFault
from exporter.net.tls import built_chain, sent_chain

EXPIRED, OTHER_NAME = 10, 62  # X509_V_ERR_* of OpenSSL's x509_vfy.h


def exactly(exc: ssl.SSLCertVerificationError, tls: ssl.SSLSocket, name: str) -> ssl.SSLCertVerificationError:
    """Return the same fault told more exactly, or `exc` itself if the chain does not show more."""
    try:
        match exc.verify_code:
            case code if code == EXPIRED:
                return _expired(built_chain(tls), sent_chain(tls), time.time()) or exc
            case code if code == OTHER_NAME:
                return _only_in_cn(sent_chain(tls), name) or exc
    except ValueError:  # a certificate of the chain cannot be read
        pass
    return exc


def _expired(built: list[bytes], sent: list[bytes], now: float) -> CertificateFault | None:
    """Return which certificate above the server's own has expired. None if it is the server's own, or none is found."""
    from exporter.net.certificate import parse

    found = [parse(der) for der in built]
    if not found or found[0].not_after < now:
        return None
    for depth, each in enumerate(found[1:], 1):
        if each.not_after < now:
            whose = "the server sends it" if built[depth] in sent else "it is one of the trusted certificates here"
            text = (
                f"certificate {depth} above the server's own, {each.subject}, expired on {_day(each.not_after)} "
                f"({whose}); the server's own is valid until {_day(found[0].not_after)}"
            )
            advice = Advice.LINK_EXPIRED if built[depth] in sent else Advice.ROOT_EXPIRED
            return CertificateFault(advice, text, EXPIRED)
    return None


def _only_in_cn(sent: list[bytes], name: str) -> CertificateFault | None:
    """Return a fault if the certificate has the name as its CN, and no host name where RFC 9525 wants it."""
    from exporter.net.certificate import parse

    leaf = parse(sent[0]) if sent else None
    if leaf is None or leaf.names or not any(_covers(each, name) for each in leaf.common_names):
        return None
    text = f"the certificate has the name {name} only as its CN, and not as subjectAltName: {leaf.subject}"
    return CertificateFault(Advice.NAME_ONLY_IN_CN, text, OTHER_NAME)


def _covers(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower(), name.lower()
    first, dot, rest = name.partition(".")
    return pattern == name or bool(first and dot and pattern == f"*.{rest}")


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
