"""Makes certificates: a valid one and each kind of invalid one, all from one authority that the tests trust."""

from __future__ import annotations

import datetime as dt
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.process import short_folder

DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pem:
    """A server's certificate with its chain, and its key, as files."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a server context, for servers in the process of the test."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


class Authority:
    """A new certificate authority. Clients trust `ca_file`."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or short_folder()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA()
        self.ca_file = self.folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.ca_file))
        self._count = 0

    def good(self, *names: str, days: float = 90) -> Pem:
        """Return a valid certificate. `names` may be host names and IP addresses."""
        now = _now()
        return self._issue(self._ca, names, now - DAY, now + days * DAY)

    def expired(self, *names: str) -> Pem:
        now = _now()
        return self._issue(self._ca, names, now - 30 * DAY, now - DAY)

    def not_yet_valid(self, *names: str) -> Pem:
        now = _now()
        return self._issue(self._ca, names, now + 2 * DAY, now + 30 * DAY)

    def wrong_name(self) -> Pem:
        return self.good("another.invalid")

    def untrusted(self, *names: str) -> Pem:
        """Return a certificate signed by an authority that nobody trusts."""
        now = _now()
        return self._issue(trustme.CA(), names, now - DAY, now + 90 * DAY)

    def chained(self, *names: str) -> Pem:
        """Return a certificate signed by an intermediate, which the server sends too."""
        now = _now()
        return self._issue(self._ca.create_child_ca(), names, now - DAY, now + 90 * DAY)

    def chainless(self, *names: str) -> Pem:
        """Return a certificate signed by an intermediate, which the server does not send."""
        pem = self.chained(*names)
        leaf, end, _ = pem.chain.read_text().partition("-----END CERTIFICATE-----\n")
        pem.chain.write_text(leaf + end)
        return pem

    def self_signed(self, *names: str) -> Pem:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        now = _now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 90 * DAY)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .sign(key, hashes.SHA256())
        )
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._write(certificate.public_bytes(serialization.Encoding.PEM), secret)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _issue(self, ca: trustme.CA, names: tuple[str, ...], not_before: dt.datetime, not_after: dt.datetime) -> Pem:
        leaf = ca.issue_cert(*names, not_before=not_before, not_after=not_after)
        return self._write(b"".join(each.bytes() for each in leaf.cert_chain_pems), leaf.private_key_pem.bytes())

    def _write(self, chain: bytes, key: bytes) -> Pem:
        self._count += 1
        pem = Pem(self.folder / f"{self._count}.pem", self.folder / f"{self._count}.key")
        pem.chain.write_bytes(chain)
        pem.key.write_bytes(key)
        return pem


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)
