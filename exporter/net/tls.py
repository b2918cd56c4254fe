"""TLS settings for connections, and the facts read from a server's certificates.

TlsContexts gives the ssl.SSLContext for a CA file; the note_* functions write version, cipher and certificate dates as
facts into the Trace. A context that does not verify must never be used to send a credential.
"""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

from exporter.model import FactName
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace


class TlsContexts:
    """One shared context per CA file. Building a context costs 24 ms of CPU, using a shared one 1 ms."""

    def __init__(self) -> None:
        self._made: dict[tuple[Path | None, int, bool], ssl.SSLContext] = {}

    def get(self, ca_file: Path | None = None, *, verify: bool = True) -> ssl.SSLContext:
        """Return the context for a CA file (None: the CA certificates of the system). A changed file is read again.

        Raises ProbeError(local_error) that names a CA file which cannot be read.
        """
        try:
            stamp = ca_file.stat().st_mtime_ns if ca_file else 0
            key = (ca_file, stamp, verify)
            found = self._made.get(key)
            if found is None:
                found = _build(ca_file, verify)
                self._made = {k: v for k, v in self._made.items() if (k[0], k[2]) != (ca_file, verify)}
                self._made[key] = found
        except (OSError, ssl.SSLError) as exc:
            why = exc.strerror if isinstance(exc, OSError) and exc.strerror else "no certificate in it"
            raise ProbeError(Reason.LOCAL_ERROR, f"ca_file {ca_file}: {why}") from exc
        return found

    def unverified(self) -> TlsContexts:
        """Return contexts that accept any certificate.

        Only to inspect a certificate that failed; never send a credential.
        """
        return _Unverified(self)


class _Unverified(TlsContexts):
    def __init__(self, contexts: TlsContexts) -> None:
        super().__init__()
        self._contexts = contexts

    def get(self, ca_file: Path | None = None, *, verify: bool = False) -> ssl.SSLContext:  # noqa: ARG002
        return self._contexts.get(None, verify=verify)


def _build(ca_file: Path | None, verify: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Set explicitly: Python 3.13 adds VERIFY_X509_STRICT and VERIFY_X509_PARTIAL_CHAIN by default, 3.11 does not. The
    # same server must give the same result on both.
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    # A server that asks for renegotiation would make a write wait for a read. TLS 1.3 has no renegotiation.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # A name is looked for in subjectAltName alone, as phones, browsers and Go programs do (RFC 9525 section 6.3).
    context.hostname_checks_common_name = False
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca_file:
        context.load_verify_locations(cafile=str(ca_file))
    else:
        context.load_default_certs()
    return context


def chain(tls: ssl.SSLSocket) -> list[bytes]:
    """Return the peer's certificates in DER, leaf first.

    The verified chain if there is one, else the chain that the server sent.
    """
    return sent_chain(tls) if tls.context.verify_mode is ssl.CERT_NONE else built_chain(tls)


def built_chain(tls: ssl.SSLSocket) -> list[bytes]:
    """Return the chain that OpenSSL built to verify the certificate, leaf first, in DER; also after it has failed."""
    return _read(tls, "get_verified_chain")


def sent_chain(tls: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the server sent, leaf first, in DER; also after they have failed to verify."""
    return _read(tls, "get_unverified_chain")


def _read(tls: ssl.SSLSocket, method: str) -> list[bytes]:
    if sys.version_info >= (3, 13):
        return list(getattr(tls, method)())
    # Public only from Python 3.13. The object inside SSLSocket has had both methods since 3.10.
    found = getattr(tls._sslobj, method)()  # type: ignore[attr-defined]  # noqa: SLF001
    return [certificate.public_bytes(2) for certificate in found or []]  # 2 = DER


def note_session(tls: ssl.SSLSocket, trace: Trace) -> None:
    """Write TLS version and cipher as facts."""
    trace.fact(FactName.TLS_VERSION, tls.version() or "")
    cipher = tls.cipher()
    trace.fact(FactName.TLS_CIPHER, cipher[0] if cipher else "")


def note_certificates(tls: ssl.SSLSocket, trace: Trace) -> None:
    """Write the facts of the leaf certificate and the earliest expiry of its chain.

    An unreadable chain gives no fact.
    """
    from exporter.net.certificate import parse

    try:
        found = [parse(der) for der in chain(tls)]
    except ValueError as exc:
        trace.said("#", f"a certificate of the chain cannot be read: {exc}")
        return
    if not found:
        return
    leaf = found[0]
    trace.fact(FactName.CERT_SUBJECT, leaf.subject)
    trace.fact(FactName.CERT_ISSUER, leaf.issuer)
    trace.fact(FactName.CERT_NAMES, " ".join(leaf.names))
    trace.fact(FactName.CERT_FINGERPRINT, leaf.fingerprint)
    trace.fact(FactName.CERT_NOT_BEFORE, leaf.not_before)
    trace.fact(FactName.CERT_NOT_AFTER, leaf.not_after)
    trace.fact(FactName.CHAIN_NOT_AFTER, min(each.not_after for each in found))
