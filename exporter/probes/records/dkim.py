"""DKIM key records (RFC 6376 section 3.6.1): the public key with which receivers verify a domain's signatures.

    s1._domainkey.example.com.  TXT  "v=DKIM1; k=rsa; p=MIGfMA0GCSq…"

A signature names its selector (`s1`) and its domain, and the receiver looks up this record. `p` is the key in base64;
an empty `p` revokes it. `k` is rsa (the default) or ed25519 (RFC 8463). `t=y` means that the domain is only testing.
RSA keys under 1,024 bits are not accepted (RFC 8301).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from exporter.model import bounds
from exporter.probes.records import tags
from exporter.probes.records.errors import RecordError, shown

_SECTION = "RFC 6376 section 3.6.1"
MIN_RSA_BITS = 1024
MAX_KEY = 8192  # bytes of `p`


@dataclass(frozen=True, slots=True)
class DkimKey:
    """One key record. A revoked key has 0 bits."""

    algorithm: str  # rsa or ed25519
    bits: int
    testing: bool
    services: tuple[str, ...]

    @property
    def revoked(self) -> bool:
        return self.bits == 0

    @property
    def weak(self) -> bool:
        return self.algorithm == "rsa" and 0 < self.bits < MIN_RSA_BITS


def parse(text: str) -> DkimKey:
    """Parse a key record. Raises RecordError."""
    found = tags.parse(text, "RFC 6376 section 3.2")
    if "v" in found:
        if next(iter(found)) != "v":
            raise RecordError(_SECTION, "the tag v is not the first one")
        if found["v"] != "DKIM1":
            raise RecordError(_SECTION, f"v={shown(found['v'])}: the version must be DKIM1")
    if "p" not in found:
        raise RecordError(_SECTION, "there is no key: the tag p is missing")
    algorithm = found.get("k", "rsa").lower()
    if algorithm not in ("rsa", "ed25519"):
        raise RecordError(_SECTION, f"k={shown(algorithm)}: the key type must be rsa or ed25519")
    services = _words(found.get("s", "*"))
    if not {"*", "email"} & set(services):
        raise RecordError(_SECTION, f"s={shown(found['s'])}: the key is not for e-mail")
    hashes = _words(found.get("h", "sha256"))
    if "sha256" not in hashes:
        raise RecordError("RFC 8301 section 3.1", f"h={shown(found['h'])} leaves out sha256")
    flags = _words(found.get("t", ""))
    return DkimKey(algorithm, _bits(algorithm, found["p"]), "y" in flags, services)


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in value.split(":") if word.strip())


def _bits(algorithm: str, value: str) -> int:
    packed = "".join(value.split())
    if not packed:
        return 0
    if len(packed) > MAX_KEY:
        raise RecordError(_SECTION, f"p is longer than {MAX_KEY} bytes")
    try:
        key = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise RecordError(_SECTION, f"p is not base64: {exc}") from exc
    if algorithm == "ed25519":
        if len(key) != 32:
            raise RecordError("RFC 8463 section 3", f"an ed25519 key has 32 bytes, not {len(key)}")
        return 256
    return _rsa_bits(key)


def _rsa_bits(key: bytes) -> int:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(key)  # SubjectPublicKeyInfo, or the bare RSAPublicKey that the RFC describes
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise RecordError(_SECTION, "p is base64, but no RSA public key in it: cut off, perhaps") from exc
    if not isinstance(public, RSAPublicKey):
        raise RecordError(_SECTION, "p holds a key of another type than k says")
    if public.public_numbers().e.bit_length() > bounds.DKIM_EXPONENT_BITS:
        raise RecordError(_SECTION, f"the exponent of the RSA key has more than {bounds.DKIM_EXPONENT_BITS} bits")
    return public.key_size
