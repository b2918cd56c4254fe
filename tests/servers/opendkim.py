"""A real opendkim: signs what the users submit, verifies what arrives, and says so in Authentication-Results."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import Sequence

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
    """A milter on a unix socket (over TCP each mail would wait twice 40 ms).

    Mail that postfix submits as ORIGINATING is signed, all other is verified against the resolver. Debian's build reads
    the resolver's configuration anew for every mail, in threads, and can die of it: few mails at a time, and it starts
    itself again.
    """

    def __init__(self, domain: str, key: Key, resolver: str, *, trust_anchors: Sequence[str] = ()) -> None:
        super().__init__("opendkim")
        self._binary = binary("opendkim", "opendkim")
        host, _, port = resolver.rpartition(":")
        uid, gid = user_id("opendkim")
        self.socket = self.folder / "s" / "milter"
        self.socket.parent.mkdir()
        self.socket.parent.chmod(0o755)
        os.chown(self.socket.parent, uid, gid)
        private = self.folder / "private.pem"
        private.write_bytes(key.private)
        private.chmod(0o600)
        os.chown(private, uid, gid)
        forward = (
            'server:\n  do-not-query-localhost: no\n  local-zone: "test." transparent\nforward-zone:\n  name: "."\n'
        )
        (self.folder / "resolver.conf").write_text(f"{forward}  forward-addr: {host}@{port}\n")
        (self.folder / "internal").write_text("192.0.2.1\n")  # nobody is trusted by its address
        (self.folder / "opendkim.conf").write_text(
            CONFIGURATION.format(me=self, domain=domain, selector=SELECTOR, host=f"mx.{domain}")
        )

    def argv(self) -> list[str]:
        return [self._binary, "-f", "-x", str(self.folder / "opendkim.conf")]

    def ready(self) -> bool:
        return self.socket.exists()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        super().stop(signal.SIGKILL)  # it has no state, and takes its time on SIGTERM
        self.socket.unlink(missing_ok=True)


CONFIGURATION = """
UserID opendkim
UMask 000
Socket local:{me.socket}
Syslog no
Mode sv
Domain {domain}
Selector {selector}
KeyFile {me.folder}/private.pem
Canonicalization relaxed/relaxed
OversignHeaders From
MacroList daemon_name|ORIGINATING
InternalHosts file:{me.folder}/internal
AuthservID {host}
AlwaysAddARHeader yes
ResolverConfiguration {me.folder}/resolver.conf
RequireSafeKeys no
AutoRestart yes
AutoRestartRate 100/1m
"""
