"""The accounts and servers of the demo, and what is broken on purpose."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

from exporter.demo.certificates import Authority
from exporter.demo.dns_server import DnsServer
from exporter.demo.imap_server import ImapServer
from exporter.demo.listener import ADDRESS
from exporter.demo.mailstore import Folder, Mailbox, MailStore
from exporter.demo.references import References
from exporter.demo.signing import SELECTOR, DkimKey
from exporter.demo.smtp_server import SmtpServer

CONFIG = "config.yaml"
TEMPLATE = "config.yaml.tmpl"  # next to this file
SLOW = 8.0  # seconds that a mail to support needs
FULL = 512 * 1024  # bytes, the quota of archive
HOUR = 3600.0

STORIES = (
    ("sales, wang", "work; wang's folders have Chinese names"),
    ("intern", "the password is wrong; after two refusals the login guard pauses"),
    ("finance", "one certificate has expired, the other is for another name"),
    ("warehouse", "nobody listens on the IMAP server's port"),
    ("archive", "the quota is used up: mail to it is refused (sales-to-archive)"),
    ("sales-to-support", "the mail is late"),
    ("sales-to-marketing", "the mail is filed as junk"),
    ("orders", "the mail is late, then lost"),
    ("globex.example", "has no SPF record"),
    ("hooli.example", "its DNS servers answer SERVFAIL"),
)
"""Target names, and what they demonstrate."""


class Scene:
    """An async context manager that runs the servers. `folder` receives the configuration, secrets and CA file."""

    def __init__(self, folder: Path, *, slow: float = SLOW) -> None:
        self.folder = folder
        self.config = folder / CONFIG
        self._slow = slow
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, exc, trace)

    async def _start(self) -> None:
        authority, key, store = Authority(), DkimKey(), MailStore(_mailboxes(self._slow))
        start = self._running.enter_async_context
        self._running.push_async_callback(store.close)
        good = authority.good("imap.acme.example", "smtp.acme.example", "imap.huaxin.example", "smtp.huaxin.example")
        expired = authority.expired("imap.globex.example")
        submission = SmtpServer(store, good, "smtp.acme.example", starttls=True, sign=key.sign)
        ports = {
            "dns_port": (await start(_dns(key))).port,
            "imap_tls_port": (await start(ImapServer(store, good))).port,
            "imap_starttls_port": (await start(ImapServer(store, good, starttls=True))).port,
            "imap_expired_port": (await start(ImapServer(store, expired))).port,
            "smtp_starttls_port": (await start(submission)).port,
            "smtp_tls_port": (await start(SmtpServer(store, good, "smtp.huaxin.example", sign=key.sign))).port,
            "smtp_wrong_name_port": (await start(SmtpServer(store, good, "smtp.globex.example"))).port,
            "dead_port": self._dead_port(),
        }
        references = await start(References(self.folder))
        ports |= {f"reference_port_{number}": port for number, port in enumerate(references.ports, 1)}
        self._write(authority, store, ports)

    def _dead_port(self) -> int:
        """Return a port that is bound, so that nobody else can use it, but does not listen."""
        sock = self._running.enter_context(socket.socket())
        sock.bind((ADDRESS, 0))
        return int(sock.getsockname()[1])

    def _write(self, authority: Authority, store: MailStore, ports: Mapping[str, int]) -> None:
        authority.write(self.folder / "ca.pem")
        passwords = self.folder / "secrets"
        passwords.mkdir(mode=0o700, exist_ok=True)
        for mailbox in store.mailboxes.values():
            file = passwords / mailbox.address.partition("@")[0]
            file.touch(mode=0o600)
            file.write_text(("an old one" if file.name == "intern" else mailbox.password) + "\n", encoding="utf-8")
        template = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
        text = Template(template).substitute(ports, slow_seconds=f"{self._slow:g}")
        self.config.write_text(text, encoding="utf-8")


def _mailboxes(slow: float) -> list[Mailbox]:
    def english() -> tuple[Folder, ...]:
        return (
            Folder("INBOX"),
            Folder("Junk", "\\Junk"),
            Folder("Sent", "\\Sent"),
            Folder("Drafts", "\\Drafts"),
            Folder("Trash", "\\Trash"),
        )

    def chinese() -> tuple[Folder, ...]:
        # Without SPECIAL-USE, as on many Chinese servers: only the names show the roles.
        return tuple(map(Folder, ("INBOX", "垃圾邮件", "已发送", "草稿箱", "已删除", "客户")))

    found = {
        address: Mailbox(address, secrets.token_urlsafe(12), chinese() if address.startswith("wang@") else english())
        for address in (
            "sales@acme.example",
            "wang@huaxin.example",
            "intern@acme.example",
            "archive@acme.example",
            "support@acme.example",
            "marketing@acme.example",
            "finance@globex.example",
            "warehouse@initech.example",
            "orders@acme.example",
        )
    }
    for age, (sender, subject) in enumerate(
        [("buyer@customer.example", "Request for a quotation"), ("buyer@customer.example", "Re: Samples")], 1
    ):
        for address in ("sales@acme.example", "wang@huaxin.example"):
            raw = _letter(sender, address, subject)
            found[address].folders[0].add(raw, at=time.time() - age * HOUR, flags=("\\Seen",) if age > 1 else ())
    full = found["archive@acme.example"]
    full.quota = FULL
    scan = _letter("scanner@acme.example", full.address, "Scanned documents")
    full.folders[0].add(scan + b"x" * (FULL - len(scan)), flags=("\\Seen",))
    found["support@acme.example"].delay = slow
    found["marketing@acme.example"].junked = True
    found["orders@acme.example"].lost = True
    return list(found.values())


def _letter(sender: str, recipient: str, subject: str) -> bytes:
    return f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()


def _dns(key: DkimKey) -> DnsServer:
    """Every domain's mail records are correct, except the SPF of globex.example and all of hooli.example."""
    zones = ("acme.example", "huaxin.example", "globex.example", "initech.example")
    records: dict[str, dict[str, list[str]]] = {}
    for zone in zones:
        records[zone] = {"MX": [f"10 mx.{zone}."], "TXT": ['"v=spf1 ip4:127.0.0.1 -all"']}
        records[f"_dmarc.{zone}"] = {"TXT": ['"v=DMARC1; p=quarantine"']}
        records[f"{SELECTOR}._domainkey.{zone}"] = {"TXT": [_strings(key.record)]}
        for host in ("mx", "imap", "smtp"):
            records[f"{host}.{zone}"] = {"A": [ADDRESS]}
    records["globex.example"]["TXT"] = ['"nothing about who may send"']
    return DnsServer(zones, records, broken=("hooli.example",))


def _strings(text: str) -> str:
    """Split the text of a TXT record into strings of at most 255 bytes (RFC 1035 section 3.3)."""
    return " ".join(f'"{text[start : start + 250]}"' for start in range(0, len(text), 250))
