"""A small mail world in memory for the round trip: an IMAP server and a submission server that a test controls."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate

PASSWORD = "canary-pa55word"


@dataclass
class Box:
    uidvalidity: int = 7
    uidnext: int = 1
    mails: dict[int, bytes] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)


class MailServers:
    """`deliver` puts a mail into a folder; `on_message` decides what happens to a submitted mail."""

    def __init__(self) -> None:
        self.boxes = {"INBOX": Box(), "Junk": Box(uidvalidity=8), "&W5xO9k0-": Box(uidvalidity=9)}
        self.capabilities = ["IMAP4rev1", "AUTH=PLAIN", "SASL-IR", "IDLE", "UIDPLUS"]
        self.submitted: list[bytes] = []
        self.stamp = 0.0  # Unix time of the servers' clock
        self.on_message: Callable[[bytes], object] = lambda raw: self.deliver("INBOX", raw)
        self.commands: list[str] = []  # capabilities of IMAP, without tags
        self.hides_uidnext = False
        self.pushes = True  # False: IDLE is accepted, and nothing is ever announced
        self.junk = "Junk"
        self.smtp_answers: dict[str, str] = {}  # verb, or "." for the message → the reply to send in its place
        self.hangs_up_after_the_message = False
        self.imap_port = self.smtp_port = 0
        self.polled, self.idled = asyncio.Event(), asyncio.Event()
        self._changed = asyncio.Condition()
        self._announcing: set[asyncio.Task[None]] = set()

    def deliver(self, folder: str, raw: bytes) -> int:
        box = self.boxes[folder]
        uid, box.uidnext = box.uidnext, box.uidnext + 1
        box.mails[uid] = f"Received: from x by mx.example.test; {formatdate(self.stamp)}\r\n".encode() + raw
        task = asyncio.get_running_loop().create_task(self._announce())
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)
        return uid

    async def _announce(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[MailServers]:
        imap = await asyncio.start_server(_guarded(self._imap), "127.0.0.1", 0)
        smtp = await asyncio.start_server(_guarded(self._smtp), "127.0.0.1", 0)
        self.imap_port = imap.sockets[0].getsockname()[1]
        self.smtp_port = smtp.sockets[0].getsockname()[1]
        async with imap, smtp:
            yield self

    # -- IMAP -------------------------------------------------------------------------------------------------------

    async def _imap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(*lines: str | bytes) -> None:
            for line in lines:
                writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

        say(f"* OK [CAPABILITY {' '.join(self.capabilities)}] ready")
        box = Box()
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            tag, _, command = line.partition(" ")
            self.commands.append(command)
            verb = re.match(r"(UID )?\w+", command)
            assert verb is not None, command
            if verb[0] == "NOOP":
                self.polled.set()
            arguments = command[verb.end() + 1 :]
            match verb[0]:
                case "AUTHENTICATE":
                    if base64.b64decode(arguments.split()[1]).split(b"\0")[2].decode() != PASSWORD:
                        say(f"{tag} NO [AUTHENTICATIONFAILED] wrong")
                        continue
                    say(f"* CAPABILITY {' '.join(self.capabilities)}")
                case "LIST":
                    say('* LIST () "/" INBOX', f'* LIST (\\Junk) "/" {self.junk}', '* LIST () "/" "&W5xO9k0-"')
                case "STATUS":
                    name = arguments.split()[0].strip('"')
                    counted = self.boxes[name]
                    uidnext = "" if self.hides_uidnext else f" UIDNEXT {counted.uidnext}"
                    say(f"* STATUS {name} (MESSAGES {len(counted.mails)} UIDVALIDITY {counted.uidvalidity}{uidnext})")
                case "EXAMINE" | "SELECT":
                    box = self.boxes[arguments.strip('"')]
                    say(f"* {len(box.mails)} EXISTS", f"* OK [UIDVALIDITY {box.uidvalidity}] valid")
                    if not self.hides_uidnext:
                        say(f"* OK [UIDNEXT {box.uidnext}] next")
                case "NOOP":
                    say(f"* {len(box.mails)} EXISTS")
                case "UID FETCH":
                    self._fetch(box, arguments, say)
                case "UID STORE":
                    box.deleted.add(int(arguments.split()[0]))
                case "UID EXPUNGE":
                    box.mails.pop(int(arguments), None)
                case "IDLE":
                    await self._idle(box, reader, say)
                case "LOGOUT":
                    say("* BYE", f"{tag} OK bye")
                    return
            say(f"{tag} OK done")

    @staticmethod
    def _fetch(box: Box, arguments: str, say: Callable[..., None]) -> None:
        numbers, _, item = arguments.partition(" ")
        if numbers.endswith(":*"):
            last = max(box.mails, default=0)
            wanted = {uid for uid in box.mails if uid >= int(numbers[:-2])} | ({last} if last else set())
        else:
            wanted = {int(number) for number in numbers.split(",")}
        for sequence, (uid, raw) in enumerate(sorted(box.mails.items()), 1):
            if uid not in wanted:
                continue
            if "HEADER.FIELDS" in item:
                names = item[item.index("FIELDS (") + 8 : item.index(")")].lower().split()
                head = re.sub(rb"\r\n(?=[ \t])", b"\0", raw.partition(b"\r\n\r\n")[0]).split(b"\r\n")
                kept = [line for line in head if line.partition(b":")[0].lower().decode() in names]
                body = b"".join(line.replace(b"\0", b"\r\n") + b"\r\n" for line in kept) + b"\r\n"
                cut = re.search(r"\]<0\.(\d+)>", item)
                body = body[: int(cut[1])] if cut else body
                say(f"* {sequence} FETCH (UID {uid} BODY[HEADER.FIELDS ({' '.join(names)})] {{{len(body)}}}".encode())
                say(body + b")")
            elif "BODY.PEEK[]" in item:
                say(f"* {sequence} FETCH (UID {uid} BODY[]<0> {{{len(raw)}}}".encode())
                say(raw + b")")
            else:
                say(f"* {sequence} FETCH (UID {uid} FLAGS ())")

    async def _idle(self, box: Box, reader: asyncio.StreamReader, say: Callable[..., None]) -> None:
        say("+ idling")
        self.idled.set()

        async def tell() -> None:
            told = -1
            async with self._changed:
                while True:
                    if self.pushes and told != len(box.mails):
                        told = len(box.mails)
                        say(f"* {told} EXISTS")
                    await self._changed.wait()

        telling = asyncio.create_task(tell())
        try:
            assert (await reader.readline()) in (b"DONE\r\n", b"")
        finally:
            telling.cancel()
            await asyncio.wait([telling])

    # -- SMTP -------------------------------------------------------------------------------------------------------

    async def _smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(line.encode() + b"\r\n")

        usual = {"EHLO": "250-me\r\n250-SIZE 10000\r\n250 AUTH PLAIN LOGIN", "AUTH": "235 in", "DATA": "354 go"}
        say("220 mail.example.test ESMTP")
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb = line.partition(" ")[0]
            answer = self.smtp_answers.get(verb, usual.get(verb, "221 bye" if verb == "QUIT" else "250 ok"))
            say(answer)
            if verb == "QUIT":
                return
            if answer.startswith("354"):
                raw = (await reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
                if self.hangs_up_after_the_message:
                    self.submitted.append(raw)
                    self.on_message(raw)
                    return
                answer = self.smtp_answers.get(".", "250 2.0.0 queued")
                if answer.startswith("2"):
                    self.submitted.append(raw)
                    self.on_message(raw)
                say(answer)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _guarded(serve: Serve) -> Serve:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    return guarded
