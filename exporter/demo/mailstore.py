"""Mailboxes in memory: folders, messages with UIDs and flags, a quota, and the delivery of new mail."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MAX_MESSAGES = 1000  # per folder; the oldest are removed, so that a demo running for days does not grow
EPOCH = 1_700_000_000  # UIDVALIDITY of every folder; nothing here survives a restart


@dataclass(slots=True, eq=False)
class Message:
    """One message of one folder."""

    uid: int
    raw: bytes
    at: float  # INTERNALDATE, Unix time in seconds
    flags: set[str] = field(default_factory=set)

    def header(self, names: Iterable[str]) -> bytes:
        """Return these fields as they were written, and the empty line after them."""
        wanted = {name.lower().encode() for name in names}
        kept, take = [], False
        for line in self.raw.partition(b"\r\n\r\n")[0].split(b"\r\n"):
            if line[:1] not in (b" ", b"\t"):
                take = line.partition(b":")[0].strip().lower() in wanted
            if take:
                kept.append(line + b"\r\n")
        return b"".join(kept) + b"\r\n"


class Folder:
    """Messages in the order of their UIDs. `watchers` are set whenever the folder changes."""

    def __init__(self, name: str, flag: str = "") -> None:
        self.name = name  # as people read it
        self.flag = flag  # of SPECIAL-USE (RFC 6154), or ""
        self.uidvalidity = EPOCH
        self.uidnext = 1
        self.messages: list[Message] = []
        self.watchers: set[asyncio.Event] = set()

    def add(self, raw: bytes, *, at: float | None = None, flags: Iterable[str] = ()) -> None:
        self.messages.append(Message(self.uidnext, raw, time.time() if at is None else at, set(flags)))
        self.uidnext += 1
        del self.messages[:-MAX_MESSAGES]
        self._changed()

    def remove(self, gone: Iterable[Message]) -> None:
        left = set(gone)
        self.messages = [message for message in self.messages if message not in left]
        self._changed()

    @property
    def size(self) -> int:
        return sum(len(message.raw) for message in self.messages)

    def _changed(self) -> None:
        for watcher in self.watchers:
            watcher.set()


@dataclass(slots=True, eq=False)
class Mailbox:
    """One account. `delay`, `junked` and `lost` control what happens to incoming mail."""

    address: str
    password: str
    folders: tuple[Folder, ...]
    quota: int = 100 * 1024 * 1024  # bytes
    delay: float = 0.0  # seconds until a mail arrives
    junked: bool = False  # mail goes to junk, the second folder
    lost: bool = False  # mail is accepted but never appears

    @property
    def used(self) -> int:
        return sum(folder.size for folder in self.folders)

    def has_room(self, size: int) -> bool:
        return self.used + size <= self.quota

    def folder(self, name: str) -> Folder | None:
        """INBOX in any case (RFC 3501 section 5.1), other names exactly."""
        for folder in self.folders:
            if folder.name == name or (folder.name == "INBOX" and name.upper() == "INBOX"):
                return folder
        return None


class MailStore:
    """All accounts, and the mail on its way to them."""

    def __init__(self, mailboxes: Iterable[Mailbox] = ()) -> None:
        self.mailboxes = {mailbox.address.lower(): mailbox for mailbox in mailboxes}
        self._under_way: set[asyncio.Task[None]] = set()

    def find(self, address: str) -> Mailbox | None:
        return self.mailboxes.get(address.lower())

    def login(self, username: str, password: str) -> Mailbox | None:
        """Return the mailbox, or None for an unknown user or a wrong password (a client cannot tell which)."""
        mailbox = self.find(username)
        expected = mailbox.password if mailbox is not None else ""
        right = hmac.compare_digest(expected.encode(), password.encode("utf-8", "surrogateescape"))
        return mailbox if right else None

    def deliver(self, mailbox: Mailbox, arrive: Callable[[], bytes]) -> None:
        """Accept a mail for delivery. `arrive` returns its final form when it reaches the mailbox."""
        if mailbox.lost:
            return
        task = asyncio.get_running_loop().create_task(self._arrive(mailbox, arrive))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _arrive(self, mailbox: Mailbox, arrive: Callable[[], bytes]) -> None:
        await asyncio.sleep(mailbox.delay)
        mailbox.folders[1 if mailbox.junked else 0].add(arrive())

    async def close(self) -> None:
        """Drop the mail that is still on its way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
