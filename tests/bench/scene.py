"""A mail domain with many mailboxes on real servers, as a configuration file and as blackbox_exporter's modules."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Self

from tests.servers.certs import Authority
from tests.servers.dns import Authoritative, Resolver
from tests.servers.dovecot import EXPIRED, GOOD, HOST, PASSWORD, SELF_SIGNED, WRONG_NAME, Dovecot, User
from tests.servers.opendkim import SELECTOR, Key
from tests.servers.postfix import Postfix
from tests.servers.world import DKIM_NAME, DOMAIN, zones

MAILBOXES = 100  # several accounts, because the login guard allows only a few logins of one account at the same time

HEAD = """\
resolvers: ["{resolver}"]
defaults: {{timeout: 10s, ca_file: {ca_file}}}
limits: {{per_host: 1000, logins_per_host_per_minute: 100000}}
domains: [{{name: {domain}, dkim_selectors: [{selector}]}}]
mailboxes:
"""
MAILBOX = """\
- name: user{number}
  address: user{number}@{domain}
  password: {password}
  imap: {{host: m{number}.{domain}, port: {imaps}, security: tls}}
  smtp: {{host: m{number}.{domain}, port: {submission}, security: starttls}}
"""


class Scene:
    """Each mailbox has its own host name for the same address, so that mailprobe treats them as different servers."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.authority = authority = Authority()
            stack.callback(authority.close)
            names = (HOST, f"*.{DOMAIN}", GOOD)
            good = authority.good(*names)
            certs = dict.fromkeys((GOOD, EXPIRED, WRONG_NAME, SELF_SIGNED), good)
            users = {f"user{number}@{DOMAIN}": User() for number in range(MAILBOXES)}
            self.dovecot = stack.enter_context(Dovecot(authority, users, certs=certs))
            self.postfix = stack.enter_context(Postfix(self.dovecot))
            records = zones(Key().record)
            zone = records[DOMAIN]
            zone.records = [*zone.records, f"* A {GOOD}"]
            self.resolver = stack.enter_context(Resolver(stack.enter_context(Authoritative({DOMAIN: zone}))))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def config(self) -> str:
        """Return a configuration with every mailbox (imap and smtp) and the domain."""
        head = HEAD.format(
            resolver=self.resolver.address, ca_file=self.authority.ca_file, domain=DOMAIN, selector=SELECTOR
        )
        return head + "".join(
            MAILBOX.format(
                number=number,
                domain=DOMAIN,
                password=json.dumps(PASSWORD),
                imaps=self.dovecot.imaps,
                submission=self.postfix.submission,
            )
            for number in range(MAILBOXES)
        )


__all__ = ["DKIM_NAME", "MAILBOXES", "Scene"]
