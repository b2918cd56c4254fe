"""Mailboxes in memory: folders, messages with UIDs and flags, a quota, and what becomes of mail that is sent there."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

MAX_MESSAGES = 1000  # of a folder; the oldest go first, so that a demo that runs for days does not grow
EPOCH = 1_700_000_000  # UIDVALIDITY of every folder: this world does not survive a restart anyway


@dataclass(slots=True, eq=False)
class Message:
    """One message of one folder."""

    uid: int
    raw: bytes
    at: float  # INTERNALDATE, Unix time in seconds
    flags: set[str] = field(default_factory=set)

    def header(self, names: Iterable[str]) -> bytes:
        """These fields, as they are written, and the empty line after them."""
        wanted = {name.lower().encode() for name in names}
        kept, take = [], False
        for line in self.raw.partition(b"\r\n\r\n")[0].split(b"\r\n"):
            if line[:1] not in (b" ", b"\t"):
                take = line.partition(b":")[0].strip().lower() in wanted
            if take:
                kept.append(line + b"\r\n")
        return b"".join(kept) + b"\r\n"


class Folder:
    """Messages in the order of their UIDs. `watchers` are set whenever it changes."""

    def __init__(self, name: str, flag: str = "") -> None:
        self.name = name  # as people read it
        self.flag = flag  # of SPECIAL-USE (RFC 6154), or nothing
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
    """One account. `delay`, `junked` and `lost` are what happens to mail on its way in."""

    address: str
    password: str
    folders: tuple[Folder, ...]
    quota: int = 100 * 1024 * 1024  # bytes
    delay: float = 0.0  # seconds until a mail is there
    junked: bool = False  # a mail is filed as junk: into the second folder
    lost: bool = False  # a mail is accepted and never seen again

    @property
    def used(self) -> int:
        return sum(folder.size for folder in self.folders)

    def has_room(self, size: int) -> bool:
        return self.used + size <= self.quota

    def folder(self, name: str) -> Folder | None:
        """INBOX in any case (RFC 3501 section 5.1), every other name exactly."""
        for folder in self.folders:
            if folder.name == name or (folder.name == "INBOX" and name.upper() == "INBOX"):
                return folder
        return None


class MailStore:
    """All accounts, and the mail that is on its way to them."""

    def __init__(self, mailboxes: Iterable[Mailbox] = ()) -> None:
        self.mailboxes = {mailbox.address.lower(): mailbox for mailbox in mailboxes}
        self._under_way: set[asyncio.Task[None]] = set()

    def find(self, address: str) -> Mailbox | None:
        return self.mailboxes.get(address.lower())

    def login(self, username: str, password: str) -> Mailbox | None:
        """The mailbox, or None: unknown user and wrong password look alike from outside."""
        mailbox = self.find(username)
        expected = mailbox.password if mailbox is not None else ""
        right = hmac.compare_digest(expected.encode(), password.encode("utf-8", "surrogateescape"))
        return mailbox if right else None

    def deliver(self, mailbox: Mailbox, arrive: Callable[[], bytes]) -> None:
        """Take responsibility for a mail; `arrive` gives its final form when its mailbox's fate lets it in."""
        if mailbox.lost:
            return
        task = asyncio.get_running_loop().create_task(self._arrive(mailbox, arrive))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _arrive(self, mailbox: Mailbox, arrive: Callable[[], bytes]) -> None:
        await asyncio.sleep(mailbox.delay)
        mailbox.folders[1 if mailbox.junked else 0].add(arrive())

    async def close(self) -> None:
        """Forget what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
