"""Certificates, keys and hashes for web configurations."""

from __future__ import annotations

import shutil
from pathlib import Path

import bcrypt
from cryptography.hazmat.primitives import serialization

from tests.servers.certs import Authority, Pem

TLS = """\
tls_server_config:
  cert_file: server.pem
  key_file: server.key
"""
MUTUAL = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
PASSWORD = "correct horse"


def hashed(password: str = PASSWORD, cost: int = 4) -> str:
    """Return a hash with a low cost, so that tests are quick."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


USERS = f"basic_auth_users:\n  ops: {hashed()}\n"
OPS = ("ops", PASSWORD)


class Material:
    """Created once; each test gets copies that it may change."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.server = authority.good("localhost", "127.0.0.1")
        self.other = authority.good("localhost", "127.0.0.1")
        key = serialization.load_pem_private_key(self.server.key.read_bytes(), None)
        self.encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"very-secret"),
        )

    def copy_to(self, folder: Path) -> None:
        for name, pem in (("server", self.server), ("other", self.other)):
            self.place(pem, folder, name)
        (folder / "encrypted.key").write_bytes(self.encrypted)
        shutil.copy(self.authority.ca_file, folder / "ca.pem")

    @staticmethod
    def place(pem: Pem, folder: Path, name: str = "server") -> None:
        shutil.copy(pem.chain, folder / f"{name}.pem")
        shutil.copy(pem.key, folder / f"{name}.key")
