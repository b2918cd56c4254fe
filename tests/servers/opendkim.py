"""A real opendkim: signs mail of the users, verifies incoming mail, and adds Authentication-Results."""

from __future__ import annotations

import base64
import os
import signal
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.servers.process import Server, binary, user_id

SELECTOR = "s1"


class Key:
    """A DKIM key: the record to publish, and the private part in PEM."""

    def __init__(self, bits: int = 2048) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
        self.private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )


class OpenDkim(Server):
    """A milter on a Unix socket, with these lines in its configuration.

    Over TCP each mail would be delayed twice by 40 ms.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("opendkim")
        self._binary = binary("opendkim", "opendkim")
        self.user = user_id("opendkim")
        self.socket = self.folder / "s" / "milter"
        self.socket.parent.mkdir()
        self.socket.parent.chmod(0o755)
        os.chown(self.socket.parent, *self.user)
        (self.folder / "opendkim.conf").write_text(CONFIGURATION.format(me=self) + "\n".join(lines) + "\n")

    def argv(self) -> list[str]:
        return [self._binary, "-f", "-x", str(self.folder / "opendkim.conf")]

    def ready(self) -> bool:
        return self.socket.exists()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        super().stop(signal.SIGKILL)  # it has no state, and SIGTERM takes long
        self.socket.unlink(missing_ok=True)


class Signer(OpenDkim):
    """Signs the mail that postfix submits as ORIGINATING."""

    def __init__(self, domain: str, key: Key) -> None:
        super().__init__(*SIGNING.format(domain=domain, selector=SELECTOR).splitlines())
        private = self.folder / "private.pem"
        private.write_bytes(key.private)
        private.chmod(0o600)
        os.chown(private, *self.user)
        (self.folder / "internal").write_text("192.0.2.1\n")  # no client is trusted for its address
        with (self.folder / "opendkim.conf").open("a") as file:
            file.write(f"KeyFile {private}\nInternalHosts file:{self.folder}/internal\n")


class Verifier(OpenDkim):
    """Verifies signatures with a resolver, and names itself `host` in Authentication-Results.

    Debian's build parses the resolver's configuration again for each mail, in threads, and its parser is not
    thread-safe: after a collision opendkim refuses each mail, or it crashes. Tests must send one mail at a time.
    """

    def __init__(self, host: str, resolver: str) -> None:
        super().__init__("Mode v", f"AuthservID {host}", "AlwaysAddARHeader yes")
        address, _, port = resolver.rpartition(":")
        file = self.folder / "resolver.conf"
        file.write_text(FORWARD.format(address=address, port=port))
        with (self.folder / "opendkim.conf").open("a") as configuration:
            configuration.write(f"ResolverConfiguration {file}\n")


class Milters(NamedTuple):
    """The milters for a postfix."""

    signer: Signer
    verifier: Verifier


CONFIGURATION = """
UserID opendkim
UMask 000
Socket local:{me.socket}
Syslog no
"""

SIGNING = """\
Mode s
Domain {domain}
Selector {selector}
Canonicalization relaxed/relaxed
OversignHeaders From
MacroList daemon_name|ORIGINATING
RequireSafeKeys no"""

FORWARD = """\
server:
  do-not-query-localhost: no
  local-zone: "test." transparent
forward-zone:
  name: "."
  forward-addr: {address}@{port}
"""
