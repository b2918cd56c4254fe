"""The mail world for the dashboards: two replicas of the real daemon; first everything works, then much is broken.

All programs are real: dovecot, postfix, knot, unbound, the daemon, Prometheus. The queries of the panels are evaluated
at two times, `Scene.healthy` and `Scene.faulty`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

from tests.servers.certs import Authority
from tests.servers.daemon import Daemon
from tests.servers.dns import Authoritative, Resolver, txt
from tests.servers.dovecot import Dovecot, User
from tests.servers.monitoring import Prometheus
from tests.servers.process import Server, free_port, wait_until
from tests.servers.tokens import CLIENT, TokenServer
from tests.servers.world import CAROL, DOMAIN, MailWorld

S = TypeVar("S", bound=Server)
ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "mailprobe.alerts.yml"
DAVE = f"dave@{DOMAIN}"  # his password will be changed
OLGA = f"olga@{DOMAIN}"  # logs in with an access token, on a server that will be stopped
ORSON = f"orson@{DOMAIN}"  # logs in with a password, on the same server
ROOM, MESSAGES = "60K", 40  # password of carol
FILLING = b"From: a@example.test\r\nSubject: filling\r\n\r\n" + b"x" * 76 * 50 + b"\r\n"

HEAD = """\
resolvers: ["{world.resolver}"]
defaults:
  interval: {{login: 2s, tls: 2s, dns: 2s, roundtrip: 2s}}
  timeout: 20s
  recheck: 1s
  ca_file: {world.ca_file}
limits: {{logins_per_host_per_minute: 6000, per_host: 50}}
"""
MAILBOX = """\
  - name: {name}
    address: {name}@example.test
    provider: {provider}
    password_file: secrets/{name}
    imap: {{host: mail.example.test, port: {imaps}, security: tls}}
    smtp: {{host: mail.example.test, port: {world.submissions}, security: tls}}
"""
OTHER = """\
  - name: olga
    address: olga@example.test
    oauth2: {{token_url: "{tokens}", scope: mail, client_id: {client}, refresh_token_file: secrets/olga}}
    imap: {{host: old.example.test, port: {imaps}, security: tls, server_name: mail.example.test}}
    smtp: off
  - name: orson
    address: orson@example.test
    password_file: secrets/orson
    imap: {{host: old.example.test, port: {imaps}, security: tls, server_name: mail.example.test}}
    smtp: off
"""
ENDPOINT = """\
endpoints:
  - {{name: old-pop3, host: mail.example.test, port: {port}, security: tls, protocol: pop3}}
"""
DOMAINS = """\
domains:
  - {{name: example.test, dkim_selectors: [{world.dkim_selector}]}}
"""
ROUTES = """\
routes:
  - {name: alice-to-bob, from: alice, to: bob, late_after: 5s, lost_after: 60s}
"""
ROUTE = (
    "  - {{name: {name}, from: alice, to: {to}, rcpt: {to}+{name}@example.test, late_after: 1s, lost_after: {lost}}}\n"
)
# The detail in the recipient's address selects what postfix does with the mail.
FAULTY_ROUTES = {"lost": "3s", "held": "60s", "junk": "9s", "altered": "9s", "duplicate": "9s", "bounced": "9s",
                 "greylisted": "9s"}  # fmt: skip

STEADY = ("min(min_over_time(up[20s])) == 1", "min(count_over_time(up[20s])) >= 6")
HEALTHY = (
    "min(mailprobe_probe_success) == 1 and count(mailprobe_probe_success) >= 18",
    "min(mailprobe_roundtrip_messages_received_total) >= 2",
    "count(mailprobe_roundtrip_authentication_pass) >= 2",
    "sum(rate(mailprobe_probe_latency_seconds_count[10s])) > 0",
)
FAULTY = (
    'mailprobe_login_suspended{target="dave"} == 1',
    'count(mailprobe_root_cause_info{scope="host",kind="mailbox"}) == 2',
    'mailprobe_root_cause_info{scope="vantage"}',
    "mailprobe_endpoint_up == 0",
    "mailprobe_dns_policy_valid == 0",
    "mailprobe_dns_lookup_success == 0",
    "mailprobe_dns_last_change_timestamp_seconds > 0",
    "mailprobe_config_last_reload_successful == 0",
    "mailprobe_notifications_failed_total > 0",
    "mailprobe_probes_skipped_total > 0",
    "mailprobe_probe_inconclusive == 1",
    'mailprobe_failure_reasons_total{reason="greylisted"} > 0',
    *(
        f"max(mailprobe_roundtrip_messages_{event}_total) > 0"
        for event in ("late", "lost", "misfiled", "altered", "duplicated", "bounced")
    ),
    'ALERTS{alertstate="firing"}',
)

EVERY = 2  # seconds between two scrapes
PROMETHEUS = """\
global: {{scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: 1s}}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: mailprobe
    static_configs: [{{targets: ["127.0.0.1:{first}", "127.0.0.1:{second}"]}}]
"""


class Keeping(Prometheus):
    """A Prometheus that stores exemplars."""

    def argv(self) -> list[str]:
        return [*super().argv(), "--enable-feature=exemplar-storage"]


class TokenThread:
    """The token server in its own event loop, because it must answer while the test blocks."""

    def __init__(self) -> None:
        self.server = TokenServer(free_port())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.__aexit__(*exc), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Scene:
    """Two daemons and a Prometheus over these servers. `close` stops what it started."""

    def __init__(
        self, world: MailWorld, dovecot: Dovecot, names: Authoritative, resolver: Resolver, tokens: TokenServer
    ) -> None:
        self.world, self.dovecot, self.names, self.resolver, self.tokens = world, dovecot, names, resolver, tokens
        self._started: list[Server] = []
        # Connections wait in its queue: nobody accepts them, but the reference counts as reachable.
        self.reference = socket.create_server(("127.0.0.1", free_port()), backlog=1000)
        self._records = list(names.zones[DOMAIN].records)
        dovecot.add_user(DAVE)
        dovecot.set_quota(CAROL, ROOM, MESSAGES)
        for _ in range(4):
            dovecot.deliver(CAROL, FILLING)
        names.change(DOMAIN, [*self._records, "old A 127.0.0.1"])
        self.old = self._start(self._old_server(dovecot.authority))
        self.first = self._start(self._daemon(everything=True))
        self.second = self._start(self._daemon(everything=False))
        self.healthy = self.stopped = self.faulty = 0.0
        config = PROMETHEUS.format(every=EVERY, first=self.first.port, second=self.second.port)
        self.prometheus = self._start(Keeping(config, {"alerts.yml": impatient(ALERTS.read_text())}))

    @property
    def replicas(self) -> tuple[str, str]:
        """Return the values of `instance`."""
        return f"127.0.0.1:{self.first.port}", f"127.0.0.1:{self.second.port}"

    def run(self, quiet: float = 0) -> None:
        """Wait until everything works, store the time, break things, wait for the failures, store the time."""
        self._until_all(HEALTHY)
        time.sleep(quiet)
        self.healthy = self._until_all(HEALTHY)
        self._break()
        for expected in FAULTY:
            self._until(expected)
        # Two more scrapes of both: rates and alerts need more than one sample.
        self._until(f"min(timestamp(up)) > {time.time() + 2 * EVERY}")
        self.faulty = self._until_all(FAULTY)

    def close(self) -> None:
        for server in reversed(self._started):
            server.close()
        self.reference.close()
        self.names.change(DOMAIN, self._records)

    def _until_all(self, expected: Sequence[str]) -> float:
        """Return the time at which all conditions were true, and all scrapes in time: a busy machine may delay them."""
        self._until(" and on () ".join(f"count({each})" for each in (*STEADY, *expected)))
        return time.time()

    def _until(self, expression: str) -> None:
        wait_until(lambda: bool(self.prometheus.query(expression)), 60, f"{expression} is seen by Prometheus")

    def _start(self, server: S) -> S:
        self._started.append(server)
        server.start()
        return server

    def _old_server(self, authority: Authority) -> Dovecot:
        url = f"http://127.0.0.1:{self.tokens.port}/tokeninfo?access_token="
        return Dovecot(authority, {OLGA: User(), ORSON: User()}, tokeninfo=url)

    def _daemon(self, *, everything: bool) -> Daemon:
        secrets = {name.partition("@")[0]: password for name, password in self.world.users.items()}
        secrets |= {"dave": User().password, "orson": User().password}
        flags = ["--web.external-url=http://mailprobe.example.test/"]
        if not everything:
            return Daemon(self._config(everything=False), secrets, flags)
        secrets["olga"] = self.tokens.refresh_token(OLGA)
        return Daemon(self._config(everything=True), secrets, flags)

    def _config(self, *, everything: bool, broken: bool = False) -> str:
        """Return the configuration of a replica. The second has two mailboxes, and a reference that will fail."""
        text = HEAD.format(world=self.world)
        if everything:
            text += f'alertmanager: {{targets: [{{url: "http://127.0.0.1:{free_port()}"}}]}}\n'
        else:
            text += f'vantage: {{references: [{{tcp: "127.0.0.1:{self.reference.getsockname()[1]}"}}], quorum: 1}}\n'
        text += "mailboxes:\n"
        # There are no signatures for migadu's servers: a wrong password has the same reason over IMAP and SMTP.
        given = [("alice", "netease_qiye"), ("bob", "netease_qiye"), ("carol", "migadu"), ("dave", "migadu")]
        for name, provider in given if everything else given[:2]:
            text += MAILBOX.format(name=name, provider=provider, imaps=self.world.imaps, world=self.world)
        if everything:
            text += OTHER.format(tokens=self.tokens.url(), client=CLIENT, imaps=self.old.imaps)
        else:
            text += ENDPOINT.format(port=self.old.pop3s)
        text += DOMAINS.format(world=self.world)
        if broken:
            text += "  - {name: bogus.test}\n"
        if everything:
            text += ROUTES
        if broken:
            text += "".join(
                ROUTE.format(name=name, lost=lost, to="alice" if name == "bounced" else "bob")
                for name, lost in FAULTY_ROUTES.items()
            )
        return text

    def _break(self) -> None:
        self.reference.close()
        self.dovecot.set_password(DAVE, "another")
        for _ in range(11):
            self.dovecot.deliver(CAROL, FILLING)
        self.second.config.write_text("mailboxen: []\n")
        assert self.second.post("/-/reload")[0] == 500
        self.first.config.write_text(self._config(everything=True, broken=True))
        status, said = self.first.post("/-/reload")
        assert status == 200, said
        # Failures before the second replica knows that its network is down would be attributed to the servers.
        wait_until(lambda: self.second.metric("mailprobe_vantage_up") == 0, 30, "the second replica's network is gone")
        self.old.stop()
        self.stopped = time.time()
        without_dmarc = [line for line in self._records if not line.startswith("_dmarc")]
        moved = [line.replace("MX 10", "MX 20") for line in without_dmarc]
        self.names.change(DOMAIN, [*moved, "old A 127.0.0.1", txt("note", "changed")])
        self.resolver.flush()


def impatient(rules: str) -> str:
    """Return the shipped alerts without `for`, because a test cannot wait five minutes."""
    return re.sub(r"^ *(for|keep_firing_for): .*\n", "", rules, flags=re.MULTILINE)
