"""An IMAP client session for monitoring (RFC 3501, 9051): one method for each step, one exception for each fault.

Step "probe" of the flow: the imap and roundtrip probes call these methods in order. Every method may raise Refusal (NO,
BAD, BYE), ServerClosed, Garbage, OSError, ssl.SSLError, and TimeoutError if `timeout` is set. Reading must not change
the mailbox: EXAMINE and BODY.PEEK are used. SEARCH is never used, because some large providers answer it wrongly.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from aioimaplib.aioimaplib import AUTH, LOGOUT, SELECTED

from exporter import __version__
from exporter.model import Endpoint, Phase, Secret, bounds
from exporter.model.errors import Garbage, ProbeError, Refusal, StartTlsUnavailable
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net import utf7
from exporter.net.dial import secure
from exporter.net.imap import auth as imap_auth
from exporter.net.imap import parser, writer
from exporter.net.imap.folders import Folder
from exporter.net.imap.parser import Fetched, Quota, Selected, Status
from exporter.net.imap.protocol import ImapProtocol
from exporter.net.imap.reader import MAX_LITERAL, Response
from exporter.net.mask import SHOWN
from exporter.net.sasl.mechanisms import Exchange
from exporter.net.text import decode
from exporter.net.tls import TlsContexts
from exporter.net.wire import Wire

Uids = list[int]
Messages = list[Fetched]
T = TypeVar("T")
Responses = list[Response]  # in the class below, `list` is the command

FETCH_BATCH = 50  # messages per command; NetEase resets connections that ask for more
MAX_FOLDERS = 5_000
AT_ONCE = 200  # responses that are read before others get their turn
MAX_QUOTA_ROOTS = 8
_WILD = re.compile(r"[*%]")  # characters of a folder name that LIST reads as a pattern


class ImapSession:
    """One IMAP session. `timeout` limits each command, in seconds; with None only the deadline of the run applies.

    Pass folder names as the server gave them (`Folder.name`); other names that are not ASCII are encoded here.
    """

    def __init__(self, wire: Wire, trace: Trace, *, timeout: float | None = None) -> None:
        self.preauth = False
        self._wire = wire
        self._trace = trace
        self._timeout = timeout
        self._protocol = ImapProtocol(wire, trace)
        self._eight_bit: set[str] = set()  # names that the server lists unencoded, against RFC 3501

    # -- what the server told -----------------------------------------------------------------------------------------

    @property
    def greeting(self) -> str:
        return decode(self._protocol.greeting)

    @property
    def capabilities(self) -> frozenset[str]:
        """Upper case; empty while unknown."""
        return self._protocol.capabilities

    @property
    def is_coremail(self) -> bool:
        """Coremail (NetEase and others) announces SASL-IR but refuses it, and wants an ID before EXAMINE."""
        return "X-CM-EXT-1" in self._protocol.capabilities or b"COREMAIL" in self._protocol.greeting.upper()

    def shown(self, name: str) -> str:
        """Mask a name chosen by the server: a hostile server could use our password as a folder name."""
        return self._protocol.mask.hide(name)

    # -- before the login -----------------------------------------------------------------------------------------

    async def greet(self) -> None:
        async with asyncio.timeout(self._timeout):
            greeting = await self._protocol.greet()
        self.preauth = greeting[:9].upper() == b"* PREAUTH"

    async def capability(self) -> None:
        """Ask for the capabilities, unless the greeting or the reply to the login listed them."""
        if not self._protocol.capabilities:
            await self._ask("CAPABILITY")
            if not self._protocol.capabilities:
                raise Garbage("the answer to CAPABILITY lists no capabilities")

    async def starttls(self, endpoint: Endpoint, contexts: TlsContexts) -> None:
        """Upgrade to TLS (RFC 3501 section 6.2.1).

        Everything received in plain text is forgotten, capabilities included.
        """
        with self._trace.phase(Phase.STARTTLS):
            if self.preauth:
                raise StartTlsUnavailable("the server says PREAUTH, after which no STARTTLS is possible")
            if "STARTTLS" not in self._protocol.capabilities:
                offered = " ".join(sorted(self._protocol.capabilities))
                raise StartTlsUnavailable(f"the server does not offer STARTTLS, only: {offered}")
            try:
                await self._ask("STARTTLS")
            except Refusal as exc:
                if exc.code == "BYE":
                    raise
                raise StartTlsUnavailable(exc.text, quoted=True) from exc
        await secure(self._wire, endpoint, contexts.get(endpoint.ca_file), self._trace)
        self._protocol.listen()

    def choose_mechanism(self, auth: str, *, encrypted: bool) -> str:
        """Return the one mechanism of this run; see `imap_auth.choose`."""
        return imap_auth.choose(self._protocol.capabilities, auth, encrypted=encrypted)

    async def login(self, username: str, secret: Secret, mechanism: str) -> None:
        """Log in with this mechanism and no other. Raises Refusal with the server's complete text.

        `secret` is the password, or the access token if the mechanism takes one.
        """
        word = secret.reveal()
        self._protocol.mask.learn(username, word)
        offered = self._protocol.capabilities
        at_once = "SASL-IR" in offered and not self.is_coremail
        # the capabilities after the login may differ (RFC 3501 section 6.2.3)
        self._protocol.capabilities = frozenset()
        if mechanism == "LOGIN":
            user, quoted = imap_auth.arguments(username, word)
            shown_user = user if isinstance(user, str) else username
            non_sync = "LITERAL+" in offered
            at_first = non_sync or isinstance(user, str)  # else the user name waits for the server's `+`
            shown = f"LOGIN {shown_user} {SHOWN}"
            await self._ask("LOGIN", user, quoted, shown=shown, non_sync=non_sync, credential=at_first)
        else:
            exchange = Exchange(mechanism, username, word)
            self._protocol.mask.learn(username, word, *exchange.credentials)
            first = exchange.first() if at_once else None
            self._protocol.exchange = exchange
            if first is None:
                await self._ask("AUTHENTICATE", mechanism)
            else:
                shown = f"AUTHENTICATE {mechanism} {SHOWN}"
                await self._ask("AUTHENTICATE", mechanism, first, shown=shown, credential=True)
            exchange.verify()
        self._protocol.state = AUTH

    async def id(self) -> None:
        """Identify ourselves to the server (RFC 2971)."""
        await self._ask("ID", f'("name" "mailprobe" "version" "{__version__}")')

    # -- folders --------------------------------------------------------------------------------------------------

    async def list(self) -> tuple[Folder, ...]:
        extended = {"SPECIAL-USE", "LIST-EXTENDED"} <= self._protocol.capabilities
        extra = ["RETURN (SPECIAL-USE)"] if extended else []
        _, untagged = await self._ask("LIST", '""', '"*"', *extra)
        found = await _parsed(parser.folder, _of(untagged, b"LIST")[:MAX_FOLDERS])
        kept = tuple(replace(folder, decoded=self.shown(folder.decoded)) for folder in found if folder is not None)
        self._eight_bit = {folder.name for folder in kept if not folder.name.isascii()}
        return kept

    async def examine(self, folder: str) -> Selected:
        return await self._open("EXAMINE", folder)

    async def select(self, folder: str) -> Selected:
        return await self._open("SELECT", folder)

    async def _open(self, name: str, folder: str) -> Selected:
        self._protocol.state, self._protocol.exists = AUTH, 0
        text, untagged = await self._ask(name, self._mailbox(folder))
        self._protocol.state = SELECTED
        self._protocol.news = False
        codes = dict(parser.code(decode(each[0][5:])) for each in untagged if each[0][:5].upper() == b"* OK ")
        return Selected(
            self._protocol.exists,
            parser.number(codes.get("UIDVALIDITY", "").encode()) or 0,
            parser.number(codes.get("UIDNEXT", "").encode()),
            parser.code(text[3:])[0] == "READ-ONLY" or name == "EXAMINE",
            frozenset(codes.get("PERMANENTFLAGS", "").strip("()").lower().split()),
        )

    async def status(self, folder: str) -> Status:
        _, untagged = await self._ask("STATUS", self._mailbox(folder), "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)")
        for each in _of(untagged, b"STATUS"):
            found = parser.status(each)
            if found is not None:
                return found
        return Status()

    async def statuses(self, folders: Sequence[str]) -> dict[str, Status]:
        """Return MESSAGES and UNSEEN of several folders with one command (RFC 5819).

        {} if the server cannot do this. Only these folders are named, so that the server does not count thousands of
        others. A folder that the server cannot count is missing in the result.
        """
        if not {"LIST-STATUS", "LIST-EXTENDED"} <= self._protocol.capabilities:
            return {}
        names = [self._mailbox(folder) for folder in folders if not _WILD.search(folder)]
        listed = " ".join(name for name in names if isinstance(name, str))
        if not listed:
            return {}
        _, untagged = await self._ask("LIST", '""', f"({listed})", "RETURN (STATUS (MESSAGES UNSEEN))")
        return dict(found for each in _of(untagged, b"STATUS") if (found := parser.named_status(each)) is not None)

    async def quota(self) -> tuple[Quota, ...]:
        """Return the quota roots of INBOX (RFC 9208)."""
        _, untagged = await self._ask("GETQUOTAROOT", "INBOX")
        found = [parser.quota(each) for each in _of(untagged, b"QUOTA")]
        kept = [quota for quota in found if quota is not None][:MAX_QUOTA_ROOTS]
        return tuple(replace(quota, root=self.shown(quota.root)) for quota in kept)

    # -- messages of the selected folder --------------------------------------------------------------------------

    async def newest(self) -> float | None:
        """Return the INTERNALDATE of the last message as Unix time in seconds, or None if the folder is empty."""
        if not self._protocol.exists:
            return None
        for each in await self._fetch("*", "(INTERNALDATE)"):
            at = parser.internal_date(each.items.get(b"INTERNALDATE"))
            if at is not None:
                return at
        return None

    async def uids_from(self, uid: int) -> Uids:
        """Return the UIDs from `uid` on, ascending. Resets the state that `idle` watches."""
        self._protocol.news = False
        found = await self._fetch(f"{uid}:*", "(FLAGS)", prefix="UID")
        # `n:*` always includes the last message, even if its UID is below n (RFC 3501 section 6.4.8).
        return sorted({each.uid for each in found if each.uid is not None and each.uid >= uid})

    async def following_uid(self) -> int:
        """Return what UIDNEXT would be, for servers that do not report it (some of NetEase's)."""
        found = await self._fetch("*", "(UID)") if self._protocol.exists else []
        return max((each.uid for each in found if each.uid is not None), default=0) + 1

    async def fetch_headers(self, uids: Sequence[int], fields: Sequence[str]) -> dict[int, bytes]:
        headers: dict[int, bytes] = {}
        # A stranger makes a field as long as he likes, and one command is answered for many mails.
        item = f"(BODY.PEEK[HEADER.FIELDS ({' '.join(fields)})]<0.{bounds.HEADER_FIELDS}>)"
        for start in range(0, len(uids), FETCH_BATCH):
            batch = ",".join(map(str, uids[start : start + FETCH_BATCH]))
            for each in await self._fetch(batch, item, prefix="UID"):
                body = each.body()
                if each.uid is not None and body is not None:
                    headers[each.uid] = body
        return headers

    async def fetch_message(self, uid: int, limit: int) -> bytes:
        """Return at most `limit` bytes of a message. Only for mail that mailprobe itself has sent."""
        for each in await self._fetch(str(uid), f"(BODY.PEEK[]<0.{min(limit, MAX_LITERAL)}>)", prefix="UID"):
            body = each.body()
            if each.uid == uid and body is not None:
                return body
        raise ProbeError(Reason.MESSAGE_MISSING, f"the message with UID {uid} is gone")

    async def delete(self, uid: int) -> bool:
        """Mark a message as deleted and, with UIDPLUS, expunge only this one (RFC 4315). False: it is only marked."""
        await self._ask("STORE", str(uid), "+FLAGS.SILENT", "(\\Deleted)", prefix="UID")
        if "UIDPLUS" not in self._protocol.capabilities:
            return False
        await self._ask("EXPUNGE", str(uid), prefix="UID")
        return True

    async def idle(self, seconds: float) -> bool:
        """Wait for new messages (RFC 2177). True if some have arrived since the last `uids_from`."""
        if self._protocol.news:
            return True
        tag = self._protocol.new_tag()
        command = self._protocol.begin("IDLE", tag, [f"{tag} IDLE\r\n".encode()])
        try:
            news = await self._protocol.announced(seconds)
        except asyncio.CancelledError:
            self._protocol.say(b"DONE\r\n")
            self._protocol.give_up(command)
            raise
        if self._protocol.idling:
            self._protocol.say(b"DONE\r\n")
        async with asyncio.timeout(self._timeout):
            await self._protocol.finish(command)
        return news

    async def noop(self) -> None:
        await self._ask("NOOP")

    async def _fetch(self, numbers: str, items: str, prefix: str = "") -> Messages:
        _, untagged = await self._ask("FETCH", numbers, items, prefix=prefix)
        fetched = [each for each in untagged if each[0][:60].upper().find(b" FETCH ") > 0]
        return [each for each in await _parsed(parser.fetched, fetched) if each is not None]

    # -- the end --------------------------------------------------------------------------------------------------

    async def logout(self) -> None:
        """Send LOGOUT. A server that closes the connection instead of answering is fine too."""
        self._protocol.state = LOGOUT
        try:
            await self._ask("LOGOUT")
        except (Refusal, ConnectionError) as exc:
            self._trace.said("#", f"at LOGOUT: {exc}")

    # -- commands -------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        name: str,
        *args: str | bytes,
        prefix: str = "",
        shown: str | None = None,
        non_sync: bool = False,
        credential: bool = False,
    ) -> tuple[str, Responses]:
        """Send one command and wait for its answer. An argument of type bytes is sent as a literal.

        `credential`: the command line holds the user name or the secret.
        """
        tag = self._protocol.new_tag()
        start = f"{tag} {prefix} {name}" if prefix else f"{tag} {name}"
        pieces = writer.pieces(start, args, non_sync=non_sync)
        told = f"{tag} {shown}" if shown is not None else None
        async with asyncio.timeout(self._timeout):
            command = self._protocol.begin(name, tag, pieces, told)
            if credential:
                self._trace.credential_sent = True
            return await self._protocol.finish(command)

    def _mailbox(self, name: str) -> str | bytes:
        if name.upper() == "INBOX":
            return "INBOX"
        encoded = name if name.isascii() or name in self._eight_bit else utf7.encode(name)
        try:
            return writer.string(encoded)
        except ValueError as exc:
            raise ProbeError(Reason.FOLDER_MISSING, f"the folder name {self.shown(name)!r}: {exc}") from None


async def _parsed(parse: Callable[[Response], T], responses: Sequence[Response]) -> list[T]:
    """Read many responses in turns: a server that sends thousands must not hold the event loop."""
    found: list[T] = []
    for start in range(0, len(responses), AT_ONCE):
        if start:
            await asyncio.sleep(0)
        found += map(parse, responses[start : start + AT_ONCE])
    return found


def _of(untagged: Sequence[Response], kind: bytes) -> list[Response]:
    start = b"* " + kind + b" "
    return [each for each in untagged if each[0][: len(start)].upper() == start]
