"""A real dovecot:

IMAP, POP3, LMTP, SASL for postfix, quota, SPECIAL-USE, and a certificate for each loopback address.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from tests.servers import dovecot_conf_23, dovecot_conf_24
from tests.servers.certs import Authority, Pem
from tests.servers.dovecot_conf import JUNK, Templates
from tests.servers.process import Server, accepts, binary, free_port, user_id

# dovecot treats a connection between two equal addresses as secure and accepts plain-text logins on it
GOOD = "127.0.0.1"
EXPIRED = "127.0.0.2"
WRONG_NAME = "127.0.0.3"
SELF_SIGNED = "127.0.0.4"
NOT_YET_VALID = "127.0.0.5"
CHAINLESS = "127.0.0.6"
SECURE_ONLY = "127.0.0.7"  # a valid certificate through an intermediate, and LOGINDISABLED outside TLS
HOST = "mail.example.test"  # the name in the certificates
PASSWORD = "p4ss word"  # the space finds code that does not quote folder names


@dataclass(slots=True)
class User:
    """The settings of one account in dovecot."""

    password: str = PASSWORD
    quota: str = "100M"
    quota_messages: int = 0  # 0: no limit
    refused_because: str = ""  # IMAP and POP3 logins are refused with this text; SASL for postfix still works


def certificates(authority: Authority) -> dict[str, Pem]:
    """One certificate for each loopback address."""
    return {
        GOOD: authority.good(HOST, "localhost", GOOD),
        EXPIRED: authority.expired(HOST, "localhost", EXPIRED),
        WRONG_NAME: authority.wrong_name(),
        SELF_SIGNED: authority.self_signed(HOST, "localhost"),
        NOT_YET_VALID: authority.not_yet_valid(HOST, "localhost", NOT_YET_VALID),
        CHAINLESS: authority.chainless(HOST, "localhost", CHAINLESS),
        SECURE_ONLY: authority.chained(HOST, "localhost", SECURE_ONLY),
    }


@cache
def templates() -> Templates:
    """Return the configuration for the installed version of dovecot."""
    said = subprocess.run([_dovecot(), "--version"], capture_output=True, text=True, check=True).stdout
    return dovecot_conf_23.TEMPLATES if said.startswith("2.3.") else dovecot_conf_24.TEMPLATES


def _dovecot() -> str:
    return binary("dovecot", "dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sieve dovecot-auth-lua")


class Dovecot(Server):
    """IMAP and POP3 on every address above at the ports `imap`, `imaps`, `pop3`, `pop3s`; LMTP and SASL on 127.0.0.1.

    Each account is a small file that dovecot reads at every login, so that a change has effect at once. With
    `tokeninfo`, a URL to which an access token is appended, it accepts XOAUTH2, OAUTHBEARER and SCRAM-SHA-256.
    """

    def __init__(
        self,
        authority: Authority,
        users: Mapping[str, User],
        *,
        settings: str = "",
        tokeninfo: str = "",
        certs: Mapping[str, Pem] | None = None,
    ) -> None:
        super().__init__("dovecot")
        self._binary = _dovecot()
        self._templates = templates()
        self._doveadm = binary("doveadm", "dovecot-core")
        self.imap, self.imaps, self.pop3, self.pop3s = free_port(), free_port(), free_port(), free_port()
        self.lmtp, self.sasl = free_port(), free_port()
        self.authority = authority
        self.certs = dict(certs or certificates(authority))
        self.users: dict[str, User] = {}
        self._vmail = user_id("vmail")
        (self.folder / "users").mkdir()
        mail = self.folder / "mail"
        mail.mkdir()
        os.chown(mail, *self._vmail)
        sieve = self.folder / "sieve"
        sieve.mkdir()
        (sieve / "junk.sieve").write_text(JUNK)
        os.chown(sieve, *self._vmail)  # folder of the compiled script
        self.log.chmod(0o666)  # dovecot-lda, which postfix runs as vmail, also writes there
        for name, user in users.items():
            self.add_user(name, user)
        files = dict(self._templates.files)
        if tokeninfo:
            settings += self._templates.tokens.format(me=self, url=tokeninfo)
            files |= self._templates.token_files
        for file, text in files.items():
            (self.folder / file).write_text(text.format(me=self, url=tokeninfo))
        (self.folder / "dovecot.conf").write_text(self._configuration() + settings)

    def argv(self) -> list[str]:
        return [self._binary, "-F", "-c", str(self.folder / "dovecot.conf")]

    def ready(self) -> bool:
        return accepts(self.imap) and accepts(self.lmtp) and accepts(self.sasl)

    def add_user(self, name: str, user: User | None = None) -> None:
        """Create or replace an account."""
        user = user or User()
        self.users[name] = user
        uid, gid = self._vmail
        home = str(self.folder / "mail" / name)
        login = {"password": "{PLAIN}" + user.password}
        if user.refused_because:
            login |= {"nologin": "y", "reason": user.refused_because}
        self._write(f"passdb-{name}", login)
        limits = self._templates.quota(user.quota, user.quota_messages)
        self._write(f"userdb-{name}", {"home": home, "uid": str(uid), "gid": str(gid)} | limits)

    def remove_user(self, name: str) -> None:
        """Remove the account. Its mail stays."""
        del self.users[name]
        for kind in ("passdb", "userdb"):
            (self.folder / "users" / f"{kind}-{name}").unlink()

    def set_password(self, name: str, password: str) -> None:
        self.add_user(name, replace(self.users[name], password=password))

    def set_quota(self, name: str, quota: str, messages: int = 0) -> None:
        """Set the quota, in dovecot's format: 100M, 10K. 0 messages means no limit."""
        self.add_user(name, replace(self.users[name], quota=quota, quota_messages=messages))

    def refuse(self, name: str, because: str) -> None:
        """Refuse IMAP and POP3 logins with this text. "" allows them again."""
        self.add_user(name, replace(self.users[name], refused_because=because))

    def sieve(self, name: str, script: str) -> None:
        """Set the Sieve script for the mail delivered to this user."""
        home = self.folder / "mail" / name
        home.mkdir(exist_ok=True)
        file = home / ".dovecot.sieve"
        file.write_text(script)
        for path in (home, file):
            os.chown(path, *self._vmail)

    def deliver(self, name: str, message: bytes, folder: str = "INBOX") -> None:
        """Put a message into a folder."""
        self.doveadm("save", "-u", name, "-m", folder, stdin=message)

    def count(self, name: str, folder: str = "INBOX") -> int:
        """Return the number of messages in a folder."""
        words = self.doveadm("mailbox", "status", "-u", name, "messages", folder)
        return int(words.rpartition("=")[2])

    def messages(self, name: str, folder: str = "INBOX") -> str:
        """Return all messages of a folder as text."""
        return self.doveadm("fetch", "-u", name, "text", "mailbox", folder)

    def empty(self, name: str) -> None:
        """Remove all messages of all folders."""
        self.doveadm("expunge", "-u", name, "mailbox", "*", "all")

    def reset(self, users: Mapping[str, User]) -> None:
        """Set exactly these accounts, without mail."""
        for name in set(self.users) - set(users):
            self.remove_user(name)
        for name, user in users.items():
            if self.users.get(name) != user:
                self.add_user(name, user)
            home = self.folder / "mail" / name
            (home / ".dovecot.sieve").unlink(missing_ok=True)
            if (home / "mdbox").exists():
                self.empty(name)

    def doveadm(self, *words: str, stdin: bytes = b"") -> str:
        return self.run(self._doveadm, "-c", str(self.folder / "dovecot.conf"), *words, stdin=stdin)

    def _write(self, name: str, fields: Mapping[str, str]) -> None:
        made = self.folder / "new"
        made.write_text(self._templates.account(fields))
        made.chmod(0o644)
        made.rename(self.folder / "users" / name)

    def _configuration(self) -> str:
        main = self._templates.main.format(
            me=self, listen=", ".join(self.certs), default=self.certs[GOOD], uid=self._vmail[0]
        )
        return main + "".join(
            self._templates.certificate.format(address=address, pem=pem) for address, pem in self.certs.items()
        )
