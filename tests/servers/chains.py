"""Makes chains of certificates whose fault is not in the server's own: expired links and roots, weak keys, SHA-1."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
LONG_AGO = dt.timedelta(days=400)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def issue(
    name: str,
    by: Holder | None = None,
    *,
    days: int = 90,
    key: Key | None = None,
    san: str | None = None,
    ca: bool = True,
) -> Holder:
    """Return a certificate for `name`, signed `by` another or by itself, that ends in so many days."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LONG_AGO)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(san)]), critical=False)
    return Holder(builder.sign(by.key if by else key, hashes.SHA256()), key)


def signed_with_sha1(folder: Path, name: str, by: Holder) -> Holder:
    """Return a certificate signed with SHA-1. The library `cryptography` no longer makes one, but `openssl` does."""
    key = ec.generate_private_key(ec.SECP256R1())
    wanted = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    )
    wanted = wanted.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    request = wanted.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "by.pem").write_bytes(by.pem + _key(by))
    command = ["openssl", "x509", "-req", "-copy_extensions", "copyall", "-sha1", "-set_serial", "7"]
    command += ["-CA", "by.pem", "-CAkey", "by.pem"]
    made = subprocess.run(command, cwd=folder, input=request, check=True, capture_output=True).stdout
    return Holder(x509.load_pem_x509_certificate(made), key)


def server(folder: Path, *chain: Holder) -> ssl.SSLContext:
    """Return the context of a server that sends this chain, its own certificate first, however weak it is."""
    (folder / "chain.pem").write_bytes(b"".join(each.pem for each in chain))
    (folder / "key.pem").write_bytes(_key(chain[0]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


def trusted(folder: Path, *roots: Holder) -> Path:
    """Return a CA file."""
    file = folder / "roots.pem"
    file.write_bytes(b"".join(each.pem for each in roots))
    return file


def _key(holder: Holder) -> bytes:
    return holder.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
