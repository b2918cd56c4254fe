"""The mail world in which every probe succeeds: one domain, its users, its zone, and the addresses of its servers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.servers.dns import Zone, txt
from tests.servers.dovecot import EXPIRED, GOOD, HOST, SELF_SIGNED, WRONG_NAME, Dovecot, User
from tests.servers.opendkim import SELECTOR
from tests.servers.postfix import Postfix

DOMAIN = "example.test"
ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"
CAROL = f"carol@{DOMAIN}"  # close to its quota
DKIM_NAME = f"{SELECTOR}._domainkey"


def users() -> dict[str, User]:
    return {ALICE: User(), BOB: User(password="correct-horse"), CAROL: User(password='qu"o\\te', quota="20K")}


def zones(dkim_key: str) -> dict[str, Zone]:
    """Return the zones.

    `example.test` passes every check; `plain.test` is not signed; `bogus.test` is signed with a key that nobody trusts.
    """
    hosts = {"mail": GOOD, "expired": EXPIRED, "wrong-name": WRONG_NAME, "self-signed": SELF_SIGNED}
    good = [
        "@ MX 10 mail",
        *(f"{name} A {address}" for name, address in hosts.items()),
        txt("@", "v=spf1 ip4:127.0.0.1 -all"),
        txt("_dmarc", "v=DMARC1; p=quarantine; rua=mailto:postmaster@example.test"),
        txt(DKIM_NAME, dkim_key),
    ]
    return {
        DOMAIN: Zone(good, signed=True),
        "plain.test": Zone(["@ MX 10 mail", "mail A 127.0.0.1", txt("@", "v=spf1 a -all")]),
        "bogus.test": Zone(["@ MX 10 mail", "mail A 127.0.0.1"], bogus=True),
    }


@dataclass(frozen=True, slots=True)
class MailWorld:
    """The addresses of the servers of `example.test`. Only `resolver` resolves the host names."""

    domain: str
    host: str
    users: dict[str, str]  # address → password
    ca_file: Path
    resolver: str  # "127.0.0.1:port", validating
    imap: int  # STARTTLS
    imaps: int
    pop3: int  # STLS
    pop3s: int
    submission: int  # STARTTLS
    submissions: int  # TLS from the first byte
    dkim_selector: str


def gather(dovecot: Dovecot, postfix: Postfix, resolver: str) -> MailWorld:
    return MailWorld(
        DOMAIN,
        HOST,
        {name: user.password for name, user in dovecot.users.items()},
        dovecot.authority.ca_file,
        resolver,
        dovecot.imap,
        dovecot.imaps,
        dovecot.pop3,
        dovecot.pop3s,
        postfix.submission,
        postfix.submissions,
        SELECTOR,
    )
