"""A small IMAP server (RFC 3501, SASL-IR, IDLE, SPECIAL-USE, UIDPLUS, QUOTA, ID) on top of a MailStore."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Self

from exporter.demo import imap_data
from exporter.demo.imap_syntax import BadCommand, Command, plain_response, quoted, read_command, read_line, words
from exporter.demo.imap_view import View
from exporter.demo.listener import Listener
from exporter.demo.mailstore import Folder, Mailbox, MailStore
from exporter.net import utf7

AUTOLOGOUT = 1800.0  # seconds without a command (RFC 3501 section 5.4)


class No(Exception):
    """The tagged answer is NO, with this text."""


class ImapServer:
    """One listening socket: TLS from the start, or with `starttls` after STARTTLS, which a login then requires."""

    def __init__(self, store: MailStore, context: ssl.SSLContext, *, starttls: bool = False) -> None:
        self._store = store
        self._context = context
        self._listener = Listener(self._serve, None if starttls else context)

    @property
    def port(self) -> int:
        return self._listener.port

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._listener.__aexit__(*exc)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _Session(reader, writer, self._store, self._context).run()


class _Session:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        store: MailStore,
        context: ssl.SSLContext,
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.store = store
        self.context = context
        self.encrypted = writer.get_extra_info("ssl_object") is not None
        self.upgrade = False  # start TLS after the answer to STARTTLS was sent
        self.mailbox: Mailbox | None = None
        self.view: View | None = None  # of the selected folder
        self.over = False

    async def run(self) -> None:
        self.send(f"* OK [CAPABILITY {self.capabilities}] mailprobe demo IMAP server ready")
        while not self.over:
            await self.writer.drain()
            try:
                async with asyncio.timeout(AUTOLOGOUT):
                    command = await read_command(self.reader, lambda: self.send("+ go on"))
                    if command is None:
                        return
                    self.send(f"{command.tag} {await self.answer(command)}")
            except BadCommand as exc:
                self.send(f"* BYE {exc.text}" if exc.fatal else f"{exc.tag} BAD {exc.text}")
                self.over = exc.fatal
            except TimeoutError:
                self.send("* BYE autologout: idle for too long")
                self.over = True
            if self.upgrade:
                await self.writer.drain()
                await self.writer.start_tls(self.context)
                self.encrypted, self.upgrade = True, False
        await self.writer.drain()

    async def answer(self, command: Command) -> str:
        state, handler = COMMANDS.get(command.name, ("", _Session.nothing))
        if not state:
            return "BAD this command is not known here"
        if state != "any" and (self.mailbox is None) != (state == "before"):
            return f"BAD {command.name} is not allowed now"
        try:
            text = await handler(self, command)
        except No as exc:
            return f"NO {exc}"
        except BadCommand as exc:
            if exc.fatal:
                raise
            return f"BAD {exc.text}"
        if self.view is not None and command.name not in ("FETCH", "STORE"):
            self.send(*self.view.news())
        return f"OK {text or command.name + ' completed'}"

    def send(self, *lines: str | bytes) -> None:
        for line in lines:
            self.writer.write((line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line) + b"\r\n")

    @property
    def capabilities(self) -> str:
        always = "IMAP4rev1 ID IDLE LITERAL+ SASL-IR SPECIAL-USE UIDPLUS QUOTA"
        if self.mailbox is not None:
            return always
        return f"{always} AUTH=PLAIN" if self.encrypted else f"{always} STARTTLS LOGINDISABLED"

    # -- any state ----------------------------------------------------------------------------------------------

    async def capability(self, _: Command) -> str:
        self.send(f"* CAPABILITY {self.capabilities}")
        return ""

    async def nothing(self, _: Command) -> str:
        return ""

    async def identify(self, _: Command) -> str:
        self.send('* ID ("name" "mailprobe demo")')
        return ""

    async def logout(self, _: Command) -> str:
        self.over, self.view = True, None
        self.send("* BYE see you")
        return ""

    # -- logging in ---------------------------------------------------------------------------------------------

    async def starttls(self, _: Command) -> str:
        if self.encrypted:
            raise BadCommand("TLS is active already")
        self.upgrade = True
        return "begin TLS"

    async def login(self, command: Command) -> str:
        return self.admit(*command.strings(2))

    async def authenticate(self, command: Command) -> str:
        match command.args:
            case (str(mechanism), str(initial)) if mechanism.upper() == "PLAIN":
                response = initial
            case (str(mechanism),) if mechanism.upper() == "PLAIN":
                self.send("+ ")
                await self.writer.drain()
                response = (await read_line(self.reader)).decode("ascii", "replace").strip()
            case _:
                raise No("only PLAIN is known here")
        return self.admit(*plain_response(response))

    def admit(self, username: str, password: str) -> str:
        if not self.encrypted:
            raise No("[PRIVACYREQUIRED] STARTTLS first")
        self.mailbox = self.store.login(username, password)
        if self.mailbox is None:
            raise No("[AUTHENTICATIONFAILED] invalid user name or password")
        return f"[CAPABILITY {self.capabilities}] logged in"

    # -- folders ------------------------------------------------------------------------------------------------

    @property
    def own(self) -> Mailbox:
        if self.mailbox is None:
            raise BadCommand("log in first")
        return self.mailbox

    @property
    def selected(self) -> View:
        if self.view is None:
            raise BadCommand("no folder is selected")
        return self.view

    def find(self, name: str) -> Folder:
        folder = self.own.folder(utf7.decode(name))
        if folder is None:
            raise No("[NONEXISTENT] there is no such folder")
        return folder

    async def list(self, command: Command) -> str:
        self.send(*imap_data.listed(self.own.folders, *command.strings(2)))
        return ""

    async def status(self, command: Command) -> str:
        match command.args:
            case (str(name), items):
                self.send(imap_data.status(self.find(name), items))
            case _:
                raise BadCommand("STATUS takes a folder and a list")
        return ""

    async def select(self, command: Command) -> str:
        self.view = None
        (name,) = command.strings(1)
        folder, read_only = self.find(name), command.name == "EXAMINE"
        self.send(*imap_data.opened(folder, read_only=read_only))
        self.view = View(folder, read_only=read_only)
        return f"[{'READ-ONLY' if read_only else 'READ-WRITE'}] open"

    async def close(self, _: Command) -> str:
        if not self.selected.read_only:
            self.selected.expunge(self.selected.messages)
        self.view = None
        return ""

    async def quota(self, command: Command) -> str:
        (name,) = command.strings(1)
        if command.name == "GETQUOTAROOT":
            self.find(name)
            self.send(f'* QUOTAROOT {quoted(name)} "user"')
        elif name != "user":
            raise No("there is no such quota root")
        self.send(imap_data.quota(self.own))
        return ""

    # -- messages -----------------------------------------------------------------------------------------------

    async def fetch(self, command: Command) -> str:
        view = self.selected
        found, rest = imap_data.pick(command, view.messages)
        names = imap_data.item_names(command, rest)
        for number, message in found:
            told = b" ".join([imap_data.item(name, message, read_only=view.read_only) for name in names])
            self.send(b"* %d FETCH (%b)" % (number, told))
            await self.writer.drain()
        return ""

    async def store_flags(self, command: Command) -> str:
        match imap_data.pick(command, self.writable().messages):
            case (found, (str(name), given)):
                action, _, silent = name.upper().partition(".")
                changed = {flag[:60] for flag in words(given)}
                for number, message in found:
                    imap_data.change_flags(message, action, changed)
                    if silent != "SILENT":
                        self.send(b"* %d FETCH (UID %d %b)" % (number, message.uid, imap_data.flags(message)))
            case _:
                raise BadCommand("STORE takes a set, an item and flags")
        return ""

    async def expunge(self, command: Command) -> str:
        view = self.writable()
        named = [message for _, message in imap_data.pick(command, view.messages)[0]] if command.args else view.messages
        view.expunge(named)
        return ""

    def writable(self) -> View:
        if self.selected.read_only:
            raise No("[NOPERM] the folder is open for reading only")
        return self.selected

    async def idle(self, _: Command) -> str:
        """IDLE (RFC 2177): send news as they come, until the client sends DONE."""
        view, changed = self.selected, asyncio.Event()
        view.folder.watchers.add(changed)
        done = asyncio.ensure_future(read_line(self.reader))
        try:
            self.send("+ idling")
            while not done.done():
                changed.clear()
                self.send(*view.news())
                await self.writer.drain()
                change = asyncio.ensure_future(changed.wait())
                try:
                    await asyncio.wait({done, change}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    change.cancel()
            if done.result().strip().upper() != b"DONE":
                raise BadCommand("DONE is expected")
        finally:
            view.folder.watchers.discard(changed)
            done.cancel()
            await asyncio.gather(done, return_exceptions=True)
        return ""


COMMANDS: dict[str, tuple[str, Callable[[_Session, Command], Awaitable[str]]]] = {
    "CAPABILITY": ("any", _Session.capability),
    "NOOP": ("any", _Session.nothing),
    "ID": ("any", _Session.identify),
    "LOGOUT": ("any", _Session.logout),
    "STARTTLS": ("before", _Session.starttls),
    "LOGIN": ("before", _Session.login),
    "AUTHENTICATE": ("before", _Session.authenticate),
    "LIST": ("after", _Session.list),
    "STATUS": ("after", _Session.status),
    "SELECT": ("after", _Session.select),
    "EXAMINE": ("after", _Session.select),
    "GETQUOTAROOT": ("after", _Session.quota),
    "GETQUOTA": ("after", _Session.quota),
    "CLOSE": ("after", _Session.close),
    "CHECK": ("after", _Session.nothing),
    "FETCH": ("after", _Session.fetch),
    "UID FETCH": ("after", _Session.fetch),
    "STORE": ("after", _Session.store_flags),
    "UID STORE": ("after", _Session.store_flags),
    "EXPUNGE": ("after", _Session.expunge),
    "UID EXPUNGE": ("after", _Session.expunge),
    "IDLE": ("after", _Session.idle),
}
"""Each command's handler, and when it is allowed: at any time, before the login, or after it."""
