"""A real opendkim: signs what the users submit, verifies what arrives, and says so in Authentication-Results."""

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
    """A milter on a unix socket (over TCP each mail would wait twice 40 ms), with these lines in its configuration."""

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
        super().stop(signal.SIGKILL)  # it has no state, and takes its time on SIGTERM
        self.socket.unlink(missing_ok=True)


class Signer(OpenDkim):
    """Signs what postfix submits as ORIGINATING."""

    def __init__(self, domain: str, key: Key) -> None:
        super().__init__(*SIGNING.format(domain=domain, selector=SELECTOR).splitlines())
        private = self.folder / "private.pem"
        private.write_bytes(key.private)
        private.chmod(0o600)
        os.chown(private, *self.user)
        (self.folder / "internal").write_text("192.0.2.1\n")  # nobody is trusted by its address
        with (self.folder / "opendkim.conf").open("a") as file:
            file.write(f"KeyFile {private}\nInternalHosts file:{self.folder}/internal\n")


class Verifier(OpenDkim):
    """Verifies against a resolver, and says so as `host`.

    Debian's build reads the resolver's configuration anew for every mail, in threads, by a parser that two threads
    spoil for good: from then on each mail is refused, or it dies. Whoever uses it sends one mail at a time.
    """

    def __init__(self, host: str, resolver: str) -> None:
        super().__init__("Mode v", f"AuthservID {host}", "AlwaysAddARHeader yes")
        address, _, port = resolver.rpartition(":")
        file = self.folder / "resolver.conf"
        file.write_text(FORWARD.format(address=address, port=port))
        with (self.folder / "opendkim.conf").open("a") as configuration:
            configuration.write(f"ResolverConfiguration {file}\n")


class Milters(NamedTuple):
    """What a postfix needs of them."""

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
