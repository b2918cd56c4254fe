"""The facts of a certificate, out of its DER bytes. Loads `cryptography` (8 MB): imported when one is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

MAX_NAMES = 20


@dataclass(frozen=True, slots=True)
class Certificate:
    """What we tell about one certificate. Times are Unix time, seconds."""

    subject: str
    issuer: str
    names: tuple[str, ...]  # DNS names of subjectAltName
    common_names: tuple[str, ...]
    not_before: float
    not_after: float
    fingerprint: str  # SHA-256, hex


@lru_cache(maxsize=4096)
def parse(der: bytes) -> Certificate:
    """The facts of a DER certificate. Raises ValueError where it is none."""
    try:
        cert = x509.load_der_x509_certificate(der)
    except x509.InvalidVersion as exc:
        raise ValueError(str(exc)) from exc
    try:
        alternative = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(alternative.get_values_for_type(x509.DNSName)[:MAX_NAMES])
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        names = ()
    return Certificate(
        cert.subject.rfc4514_string(),
        cert.issuer.rfc4514_string(),
        names,
        tuple(str(each.value) for each in cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)),
        cert.not_valid_before_utc.timestamp(),
        cert.not_valid_after_utc.timestamp(),
        cert.fingerprint(hashes.SHA256()).hex(),
    )
