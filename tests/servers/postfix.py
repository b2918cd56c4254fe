"""A real postfix: submission with STARTTLS and with TLS, an MX, delivery into dovecot.

The detail in the recipient's address decides what happens to a mail (`alice+bounced@example.test` belongs to alice):
unknown, greylisted, full, spam and the other words of ACCESS are refused at once; lost is accepted and deleted; held
waits for `release`; bounced is returned to the sender; duplicate is delivered twice; altered gets one more line; junk
is delivered into the junk folder.

If a submission service finds no dovecot for its SASL, it exits, and postfix waits a minute before it starts it again.
`service_throttle_time` makes this a second, otherwise the next test would find no service. A service that keeps its
connection to a restarted dovecot may fail its next login with 454; `max_idle` closes the connection earlier.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Self

from tests.servers.certs import Pem
from tests.servers.dovecot import EXPIRED, GOOD, SELF_SIGNED, WRONG_NAME, Dovecot
from tests.servers.opendkim import Milters
from tests.servers.process import Server, accepts, binary, free_port, user_id

ADDRESSES = (GOOD, EXPIRED, WRONG_NAME, SELF_SIGNED)  # dovecot's certificates are used

QUEUES = [
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "maildrop",
    "private",
    "public",
    "saved",
    "trace",
]


class Postfix(Server):
    """Ports:

    `submission` (STARTTLS, then AUTH), `submissions` (TLS at once), `smtp` (the MX: only our users, no AUTH).
    """

    def __init__(self, dovecot: Dovecot, milters: Milters | None = None, *, domain: str = "example.test") -> None:
        super().__init__("postfix")
        self._binary = binary("master", "postfix")
        self._lda = binary("dovecot-lda", "dovecot-core")
        user_id("postfix")
        self.submission, self.submissions, self.smtp = free_port(), free_port(), free_port()
        self.domain = domain
        self._dovecot = dovecot
        self._knows = 0  # the dovecot process that its connections belong to
        self.config = self.folder / "etc"
        self._make_folders()
        altered = self.folder / "altered"
        altered.write_text(ALTERED.format(lda=self._lda, dovecot=dovecot.folder))
        altered.chmod(0o755)
        (self.config / "access").write_text(ACCESS)
        (self.config / "transport").write_text(TRANSPORT)
        (self.config / "duplicate").write_text(DUPLICATE)
        (self.config / "main.cf").write_text(MAIN.format(me=self, dovecot=dovecot, default=dovecot.certs[GOOD]))
        (self.config / "master.cf").write_text(_master(self, dovecot.certs, milters))
        long_ago = self.log.stat().st_mtime - 60
        os.utime(self.config / "main.cf", (long_ago, long_ago))  # postfix waits until a changed file is two seconds old

    def argv(self) -> list[str]:
        # Not `postfix start`: it takes two seconds, and its shell script would be the process that we stop.
        return [self._binary, "-c", str(self.config), "-d"]

    def ready(self) -> bool:
        return all(accepts(port) for port in (self.submission, self.submissions, self.smtp))

    @property
    def usable(self) -> bool:
        """Return whether it is usable.

        After a restart of dovecot its open connections to dovecot's SASL make a login fail.
        """
        return super().usable and self._knows == self._dovecot.pid

    def start(self) -> Self:
        self._knows = self._dovecot.pid
        return super().start()

    def _make_folders(self) -> None:
        """Create the folders that `postfix check` would create."""
        queue = self.folder / "queue"
        for folder in (self.config, queue, queue / "pid", self.folder / "data", *(queue / name for name in QUEUES)):
            folder.mkdir()
        for folder in (self.folder / "data", *(queue / name for name in QUEUES)):
            folder.chmod(0o700)
            shutil.chown(folder, "postfix")
        for folder, mode in ((queue / "maildrop", 0o1730), (queue / "public", 0o2710)):
            shutil.chown(folder, "postfix", "postdrop")
            folder.chmod(mode)

    def queue(self) -> int:
        """Return how many mails are in the queue, with those on hold."""
        said = self.run(binary("postqueue", "postfix"), "-c", str(self.config), "-j")
        return len(said.splitlines())

    def release(self) -> None:
        """Release the mails on hold."""
        self.run(binary("postsuper", "postfix"), "-c", str(self.config), "-H", "ALL")
        self.run(binary("postqueue", "postfix"), "-c", str(self.config), "-f")

    def empty(self) -> None:
        """Remove all mails from the queue."""
        self.run(binary("postsuper", "postfix"), "-c", str(self.config), "-d", "ALL")


def _master(postfix: Postfix, certs: Mapping[str, Pem], milters: Milters | None) -> str:
    signer = f" -o smtpd_milters=unix:{milters.signer.socket}" if milters else ""
    verifier = f" -o smtpd_milters=unix:{milters.verifier.socket}" if milters else ""
    rows = [f"127.0.0.1:{postfix.smtp} inet n - n - - smtpd {_mx(certs[GOOD])}{verifier}"]
    for address in ADDRESSES:
        chain = f"-o smtpd_tls_chain_files={certs[address].key},{certs[address].chain}"
        rows.append(f"{address}:{postfix.submission} inet n - n - - smtpd {chain} {_submission(postfix)}{signer}")
        wrapped = f"{chain} -o smtpd_tls_wrappermode=yes"
        rows.append(f"{address}:{postfix.submissions} inet n - n - - smtpd {wrapped} {_submission(postfix)}{signer}")
    altered = f"{postfix.folder}/altered ${{user}}@${{domain}}"
    rows.append(f"altered unix - n n - - pipe flags=DR user=vmail argv={altered}")
    return "\n".join(rows) + MASTER


def _submission(postfix: Postfix) -> str:
    """Return the lines of a submission service.

    `inwards` delivers one mail at a time, because the verifier cannot process two at once.
    """
    return (
        "-o syslog_name=submission -o smtpd_sasl_auth_enable=yes -o milter_macro_daemon_name=ORIGINATING"
        f" -o content_filter=inwards:[127.0.0.1]:{postfix.smtp}"
    )


def _mx(pem: Pem) -> str:
    return f"-o syslog_name=mx -o smtpd_tls_chain_files={pem.key},{pem.chain} -o smtpd_recipient_restrictions="


ACCESS = r"""
/\+unknown@/ 550 5.1.1 User unknown in virtual mailbox table
/\+greylisted@/ 450 4.7.1 Greylisted, see you in five minutes
/\+full@/ 552 5.2.2 Mailbox is over quota
/\+spam@/ 554 5.7.1 Message rejected as spam
/\+disabled@/ 550 5.2.1 Mailbox disabled, not accepting messages
/\+nowhere@/ 550 5.1.2 Domain not found
/\+relay@/ 554 5.7.1 Relay access denied
/\+sender@/ 553 5.7.1 Sender address rejected: not owned by user
/\+blocklist@/ 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example.test
/\+ptr@/ 550 5.7.25 Client host rejected: cannot find your reverse hostname
/\+spf@/ 550 5.7.23 SPF validation failed
/\+dkim@/ 550 5.7.20 No passing DKIM signature found
/\+dmarc@/ 550 5.7.26 Rejected by the DMARC policy of the sender's domain
/\+virus@/ 554 5.7.1 Message contains a virus
/\+large@/ 552 5.3.4 Message size exceeds fixed limit
/\+policy@/ 554 5.7.1 Rejected by local policy
/\+loop@/ 554 5.4.6 Too many hops
/\+toomany@/ 452 4.5.3 Error: too many recipients
/\+quickly@/ 450 4.2.1 The user is receiving mail too quickly
/\+defer@/ 451 4.3.0 Temporary lookup failure
/\+odd@/ 554 5.0.0 The moon is in the wrong phase
/\+held@/ HOLD
"""

TRANSPORT = r"""
/\+lost@/ discard:
/\+bounced@/ bounced:
/\+altered@/ altered:
"""

DUPLICATE = r"/^([^+]*)\+duplicate@(.*)$/ ${1}@${2}, ${1}+copy@${2}"

ALTERED = """#!/bin/sh
{{ cat; printf -- '-- \\nScanned by a gateway that means well.\\n'; }} | exec {lda} -c {dovecot}/dovecot.conf -d "$1"
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {me.folder}/queue
data_directory = {me.folder}/data
maillog_file_prefixes = /tmp
maillog_file = {me.log}
inet_protocols = ipv4
myhostname = mail.{me.domain}
mydestination =
mynetworks =
alias_maps =
local_recipient_maps =
local_transport = error:there are no local users
default_transport = error:nothing leaves this machine
disable_dns_lookups = yes
smtpd_peername_lookup = no
recipient_delimiter = +
virtual_mailbox_domains = {me.domain}
virtual_transport = lmtp:inet:127.0.0.1:{dovecot.lmtp}
virtual_alias_maps = regexp:{me.config}/duplicate
transport_maps = regexp:{me.config}/transport
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{dovecot.sasl}
smtpd_sasl_security_options = noanonymous
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_session_cache_database =
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:{me.config}/access
milter_default_action = tempfail
message_size_limit = 10485760
default_process_limit = 200
smtpd_error_sleep_time = 0
service_throttle_time = 1s
max_idle = 1s
smtpd_soft_error_limit = 10000
smtpd_hard_error_limit = 10000
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
"""

MASTER = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
inwards unix - - n - 1 smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
bounced unix - n n - - pipe user=vmail argv=/bin/sh -c {exit 67}
"""
