"""A DKIM key for the demo's domains: the DNS record to publish, and signatures made with the key."""

from __future__ import annotations

import base64

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SELECTOR = "s1"
HEADERS = (b"from", b"to", b"subject", b"date", b"message-id")


class DkimKey:
    """A key created at each start."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        self._private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )

    def sign(self, message: bytes, domain: str) -> bytes:
        """Return the DKIM-Signature field (RFC 6376), with its line end."""
        signature = dkim.sign(
            message,
            SELECTOR.encode(),
            domain.encode(),
            self._private,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=list(HEADERS),
            linesep=b"\r\n",
        )
        return bytes(signature)
