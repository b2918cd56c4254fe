"""A daemon with many mailboxes on one server: all log in to one account."""

from __future__ import annotations

from tests.servers.daemon import Daemon
from tests.servers.world import ALICE, MailWorld

CONFIG = """\
resolvers: ["{world.resolver}"]
defaults:
  interval: {{login: 3s, tls: 2s, dns: 60s}}
  timeout: 20s
  recheck: 1s
  ca_file: {world.ca_file}
limits: {{logins_per_host_per_minute: 6000, per_host: 20}}
"""
MAILBOX = """\
  - name: box{number:02}
    address: {address}
    password_file: secrets/alice
    imap: {{host: mail.example.test, port: {imaps}, security: tls}}
    smtp: off
"""


def crowd(world: MailWorld, boxes: int, more: str) -> Daemon:
    """Return a daemon with the mailboxes box00, box01 …

    `more`: further keys of the configuration, as YAML that ends with a newline.
    """
    text = CONFIG.format(world=world) + more + "mailboxes:\n"
    text += "".join(MAILBOX.format(number=number, address=ALICE, imaps=world.imaps) for number in range(boxes))
    return Daemon(text, {"alice": world.users[ALICE]})
