"""Builds an SSLContext from the TLS part of the web configuration.

Certificates and keys are passed as bytes, so that what was checked is exactly what is used.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.config.problems import KeyPath
from exporter.web.config.go_names import CIPHERS, CURVES
from exporter.web.config.schema import TlsServer

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1_2,
    "TLS11": ssl.TLSVersion.TLSv1_2,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_ORDER = tuple(_VERSIONS)
_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class TlsError(Exception):
    """The TLS settings cannot be used. `key` is the key that is wrong."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


def faults(tls: TlsServer) -> Iterator[tuple[KeyPath, str]]:
    """Yield the errors in combinations of keys that are valid separately: (key, message)."""
    for name in ("cert", "key", "client_ca"):
        if getattr(tls, name) is not None and getattr(tls, f"{name}_file") is not None:
            yield (name,), f"{name} and {name}_file exclude each other"
    written = tls.model_fields_set
    if written and not written & {"cert", "cert_file"}:
        yield (), "cert_file is missing: without a certificate nothing is encrypted"
    if written and not written & {"key", "key_file"}:
        yield (), "key_file is missing: the private key of the certificate"
    authority = next((key for key in ("client_ca_file", "client_ca") if getattr(tls, key) is not None), None)
    if tls.client_auth_type == "NoClientCert" and authority:
        yield (authority,), "is not used without client_auth_type: RequireAndVerifyClientCert"
    if tls.client_allowed_sans is not None and tls.client_auth_type != "RequireAndVerifyClientCert":
        yield ("client_allowed_sans",), "is not used without client_auth_type: RequireAndVerifyClientCert"
    if _ORDER.index(tls.max_version) < _ORDER.index("TLS12"):
        yield ("max_version",), "must be TLS12 or TLS13: OpenSSL no longer supports older versions"
    elif _ORDER.index(tls.max_version) < _ORDER.index(tls.min_version):
        yield ("max_version",), "is older than min_version: nobody could connect"
    elif tls.max_version == "TLS12" and tls.cipher_suites and not _ciphers(tls):
        yield ("cipher_suites",), "contains only suites of TLS 1.3, but max_version is TLS12: nobody could connect"


def doubts(tls: TlsServer) -> Iterator[tuple[KeyPath, str]]:
    """Yield warnings, (key, message), where the server differs from the file. It is never less strict."""
    if tls.min_version in ("TLS10", "TLS11"):
        yield ("min_version",), "TLS 1.2 is the oldest supported version"
    if len(tls.curve_preferences) > 1:
        first = tls.curve_preferences[0]
        yield ("curve_preferences",), f"Python's TLS supports one curve: only {first} is offered"
    if tls.client_auth_type != "NoClientCert" and tls.client_ca is None and tls.client_ca_file is None:
        yield (
            ("client_auth_type",),
            "no client_ca_file: certificates of every authority that this system trusts are accepted",
        )


def build(tls: TlsServer, cert: bytes, key: bytes, authorities: bytes | None) -> ssl.SSLContext:
    """Return the context of the server. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Set explicitly, so that all Python versions verify in the same way. As in Go, an intermediate CA may be trusted.
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    if tls.cipher_suites:
        if chosen := _ciphers(tls):
            context.set_ciphers(":".join(chosen))
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.curve_preferences:
        context.set_ecdh_curve(CURVES[tls.curve_preferences[0]])
    _load(context, cert, key, written_as(tls, "cert"), written_as(tls, "key"))
    context.verify_mode = _AUTH[tls.client_auth_type]
    if context.verify_mode is not ssl.CERT_NONE:
        if authorities is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        else:
            _trust(context, authorities, written_as(tls, "client_ca"))
    return context


def ended(cert: bytes) -> str:
    """Return the day on which the certificate expired, or "". It is only a warning: clients refuse the certificate."""
    from cryptography import x509

    found = _CERTIFICATE.search(cert)
    try:
        last = x509.load_pem_x509_certificate(found.group()).not_valid_after_utc if found else None
    except ValueError:
        return ""
    return f"{last:%Y-%m-%d}" if last and last.timestamp() < time.time() else ""


def written_as(tls: TlsServer, name: str) -> str:
    """Return `cert` or `cert_file`, whichever the file contains."""
    return name if getattr(tls, name) is not None else f"{name}_file"


def _ciphers(tls: TlsServer) -> list[str]:
    return [CIPHERS[each] for each in tls.cipher_suites if each in CIPHERS]


def _load(context: ssl.SSLContext, cert: bytes, key: bytes, cert_key: str, key_key: str) -> None:
    if not _CERTIFICATE.search(cert):
        raise TlsError(cert_key, "contains no certificate in PEM format")
    if b"PRIVATE KEY-----" not in key:
        raise TlsError(key_key, "contains no private key in PEM format")
    if b"ENCRYPTED" in key:
        raise TlsError(key_key, "is encrypted, and mailprobe cannot ask for its password: store it unencrypted")
    try:
        with _file(cert) as cert_path, _file(key) as key_path:
            context.load_cert_chain(cert_path, key_path, password=lambda: "")
    except ssl.SSLError as exc:
        if "MISMATCH" in (exc.reason or ""):
            raise TlsError(key_key, f"is not the key of the certificate in {cert_key}") from exc
        raise TlsError(cert_key, f"cannot be used with its key: {_words(exc)}") from exc


def _trust(context: ssl.SSLContext, authorities: bytes, key: str) -> None:
    found = b"\n".join(_CERTIFICATE.findall(authorities))
    if not found:
        raise TlsError(key, "contains no certificate in PEM format")
    try:
        context.load_verify_locations(cadata=found.decode("ascii"))
    except ssl.SSLError as exc:
        raise TlsError(key, f"cannot be used: {_words(exc)}") from exc


@contextmanager
def _file(content: bytes) -> Iterator[str]:
    """Yield the path of a file in memory. Python's ssl needs a file, and a key must not be written to /tmp."""
    number = os.memfd_create("web.config", os.MFD_CLOEXEC)
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _words(exc: ssl.SSLError) -> str:
    return (exc.reason or "not what OpenSSL can read").lower().replace("_", " ")
