"""The world for all faults: mail servers, DNS, three daemons, Prometheus and Alertmanager with the shipped files."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.alertmanager.channels import Channels
from tests.alertmanager.quick import quick_config, quick_rules
from tests.alertmanager.reference import Reference
from tests.servers.certs import Authority, Pem
from tests.servers.daemon import Daemon
from tests.servers.dns import Authoritative, Resolver, Zone, txt
from tests.servers.dovecot import EXPIRED, GOOD, PASSWORD, SELF_SIGNED, WRONG_NAME, Dovecot, User
from tests.servers.monitoring import Alertmanager, Prometheus
from tests.servers.postfix import Postfix

SOON = WRONG_NAME  # the address of the server whose certificate expires in three days
BOXES = ("sender", "refused", "folder", "full", "throttled", "unreadable", "late", "junk", "altered", "twice")
HOSTED = ("hosted1", "hosted2")  # on the server that will be stopped
FOLDER = "Walk"
TARGETS = len(BOXES) + len(HOSTED)

NAMES = {"host": GOOD, "port": GOOD, "expired": GOOD, "untrusted": GOOD, "expiring": GOOD}
RECORDS = [
    "@ MX 10 mail",
    "mail A 127.0.0.1",
    txt("@", "v=spf1 ip4:127.0.0.1 -all"),
    txt("_dmarc", "v=DMARC1; p=reject"),
]
DOMAINS = ("dead.test", "nomx.test", "nospf.test")

MAIN = """\
resolvers: ["{resolver}"]
defaults:
  interval: {{login: 2s, tls: 2s, dns: 3s, roundtrip: 3s}}
  timeout: 20s
  recheck: 1s
  ca_file: {ca_file}
limits: {{logins_per_host_per_minute: 6000, per_host: 20}}
login_guard: {{first_pause: 2s, longest_pause: 2s, refusals_per_day: 1000}}
domains: [{{name: dead.test}}, {{name: nomx.test}}, {{name: nospf.test}}]
endpoints:
  - {{name: port, host: port.walk.test, port: {pop3s}, security: tls, protocol: pop3}}
  - {{name: expired, host: expired.walk.test, port: {certified}, security: tls, protocol: imap}}
  - {{name: untrusted, host: untrusted.walk.test, port: {certified}, security: tls, protocol: imap}}
  - {{name: expiring, host: expiring.walk.test, port: {certified}, security: tls, protocol: imap}}
routes:
  - {{name: to-late, from: sender, to: late, late_after: 8s, lost_after: 20s}}
  - {{name: to-junk, from: sender, to: junk, late_after: 30s, lost_after: 60s}}
  - {{name: to-altered, from: sender, to: altered, rcpt: "altered@example.test", late_after: 30s, lost_after: 60s}}
  - {{name: to-twice, from: sender, to: twice, rcpt: "twice@example.test", late_after: 30s, lost_after: 60s}}
mailboxes:
"""
MAILBOX = """\
  - name: {name}
    address: {name}@example.test
    password_file: secrets/{name}
    imap: {{host: {host}, port: {port}, security: tls, folders: [{folders}]}}
    smtp: {smtp}
"""
SMALL = """\
resolvers: ["{resolver}"]
defaults: {{interval: {{tls: 2s}}, timeout: 20s, recheck: 1s, ca_file: {ca_file}}}
alertmanager: {{targets: [{{url: "{push}"}}], resend: 1s}}
endpoints: [{{name: host, host: host.walk.test, port: {port}, security: tls, protocol: imap}}]
{more}
"""
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules/*.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
"""
JOB = """\
  - job_name: {job}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class World:
    """The running servers. Everything works when it is created; `making` breaks it."""

    def __init__(  # noqa: PLR0917  # one of each server
        self,
        authority: Authority,
        dovecot: Dovecot,
        postfix: Postfix,
        authoritative: Authoritative,
        resolver: Resolver,
        folder: Path,
    ) -> None:
        self.dovecot, self.authoritative, self.resolver = dovecot, authoritative, resolver
        self._stack = contextlib.ExitStack()
        self._lock: sqlite3.Connection | None = None
        self._serve_names()
        for name in BOXES:
            dovecot.add_user(f"{name}@example.test")
        dovecot.doveadm("mailbox", "create", "-u", "folder@example.test", FOLDER)
        dovecot.deliver("full@example.test", b"Subject: large\r\n\r\n" + b"0123456789abcde\n" * 6000)
        start = self._stack.enter_context
        self.hosted = start(
            Dovecot(authority, {f"{name}@example.test": User() for name in HOSTED}, certs=self._certs(authority))
        )
        self.certified = start(Dovecot(authority, {}, certs=self._certs(authority)))
        self.reference = start(Reference())
        self.channels, self.push = start(Channels()), start(Channels())
        self.main = start(self._main(postfix))
        more = f'vantage: {{references: [{{tcp: "127.0.0.1:{self.reference.port}"}}]}}'
        self.offline = start(self._small(self.channels.url + "/push", more))
        self.spoilt = start(self._small(self.push.url))
        self.alertmanager = start(Alertmanager(quick_config(self.channels.url, folder, bridge=True)))
        jobs = (("mailprobe", self.main), ("offline", self.offline), ("spoilt", self.spoilt))
        config = PROMETHEUS.format(alertmanager=self.alertmanager.port)
        config += "".join(JOB.format(job=job, port=daemon.port) for job, daemon in jobs)
        # An hour of the rules is ten seconds here, otherwise a test would wait three minutes until a junk folder is
        # forgotten.
        self.prometheus = start(Prometheus(config, {"alerts.yml": quick_rules(hour=10)}))

    def close(self) -> None:
        self.unlock()
        self._stack.close()

    def firing(self) -> set[str]:
        return {each["labels"]["alertname"] for each in self.prometheus.alerts() if each["state"] == "firing"}

    def point(self, name: str, address: str) -> None:
        """Let a name of walk.test resolve to another address."""
        self._names[name] = address
        self.authoritative.change("walk.test", _walk(self._names))
        self.resolver.flush()

    def rewrite(self, old: str, new: str) -> None:
        """Change the configuration of the main daemon and reload it."""
        text = self.main.config.read_text()
        assert text.count(old) == 1
        self.main.config.write_text(text.replace(old, new))
        status, said = self.main.post("/-/reload")
        assert status == 200, said

    def lock(self) -> None:
        """Hold the lock of a daemon's state file."""
        (file,) = (self.offline.folder / "data").glob("*.db")
        self._lock = sqlite3.connect(file, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _serve_names(self) -> None:
        self._names = dict(NAMES)
        self.authoritative.add("walk.test", Zone(_walk(self._names)))
        for name in DOMAINS:
            self.authoritative.add(name, Zone(RECORDS))
        self.resolver.flush()

    def _certs(self, authority: Authority) -> dict[str, Pem]:
        names = [f"{name}.walk.test" for name in NAMES]
        return {
            GOOD: authority.good(*names),
            EXPIRED: authority.expired(*names),
            SELF_SIGNED: authority.self_signed(*names),
            SOON: authority.good(*names, days=3),
        }

    def _main(self, postfix: Postfix) -> Daemon:
        text = MAIN.format(
            resolver=self.resolver.address,
            ca_file=self.dovecot.authority.ca_file,
            pop3s=self.hosted.pop3s,
            certified=self.certified.imaps,
        )
        smtp = f"{{host: mail.example.test, port: {postfix.submissions}, security: tls}}"
        for name in BOXES:
            folders = f"INBOX, {FOLDER}" if name == "folder" else "INBOX"
            text += MAILBOX.format(
                name=name, host="mail.example.test", port=self.dovecot.imaps, folders=folders,
                smtp=smtp if name == "sender" else "off",
            )  # fmt: skip
        for name in HOSTED:
            text += MAILBOX.format(
                name=name, host="host.walk.test", port=self.hosted.imaps, folders="INBOX", smtp="off"
            )
        return Daemon(text, dict.fromkeys((*BOXES, *HOSTED), PASSWORD))

    def _small(self, push: str, more: str = "") -> Daemon:
        text = SMALL.format(
            resolver=self.resolver.address,
            ca_file=self.dovecot.authority.ca_file,
            push=push,
            port=self.certified.imaps,
            more=more,
        )
        return Daemon(text, {})


def _walk(names: dict[str, str]) -> Sequence[str]:
    """Records with a TTL of one second, so that a change has effect at once."""
    return [f"{name} 1 A {address}" for name, address in names.items()]


@contextlib.contextmanager
def running(world: World) -> Iterator[World]:
    try:
        yield world
    finally:
        world.close()
