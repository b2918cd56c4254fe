"""The IMAP protocol: aioimaplib's `IMAP4ClientProtocol` with its reading part replaced.

It sends one command at a time over a `Wire` and collects the responses. Every fault becomes an exception.

Used as they are: the states, the `Commands` table (which command is allowed in which state; `Abort` where it is not),
`new_tag`, `connection_made`, and the attributes `loop`, `transport`, `state` and `pending_sync_command`.

Overridden, and why:

- `data_received`: the original calls itself once per line, scans its buffer again and again, has no size limits, and
  formats every line for its log. Ours reads in a loop, within limits (`reader`), and masks what it writes down.
- `connection_lost`: the original wakes no pending command, and the server's last words are lost.
- `_continuation`: ours also answers in AUTHENTICATE and sends literals piece by piece.
- `capabilities`: upper case, and empty as soon as they no longer hold (STARTTLS, login).

Not used: `execute`, `send` and the command methods. They format each line, with the password in it, for the log. They
wait in turn where a command is pending instead of failing, have neither STARTTLS nor AUTHENTICATE PLAIN, do not quote
the user name, and search by SEARCH. `begin`, `finish` and `say` take their place. A BYE as greeting raises in a task
that nobody awaits; `greet` raises it to the caller.

tests/net/imap/test_seam.py pins all that is used or overridden.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence

from aioimaplib.aioimaplib import AUTH, LOGOUT, NONAUTH, Abort, Commands, IMAP4ClientProtocol

from exporter.model import Service
from exporter.model.errors import Garbage, Refusal, ServerClosed
from exporter.model.text import clean
from exporter.model.trace import Trace
from exporter.net.imap import parser
from exporter.net.imap.alerts import Alerts
from exporter.net.imap.capabilities import capability_words
from exporter.net.imap.reader import Reader, Response
from exporter.net.imap.transcript import MaskedTranscript
from exporter.net.mask import SHOWN, Mask
from exporter.net.sasl.mechanisms import Exchange
from exporter.net.text import decode, garbage, is_binary
from exporter.net.wire import Wire

MAX_WARNINGS = 10
BYE_GRACE = 0.5  # seconds to wait for a tagged NO, which explains a BYE better
_STATUS = (b"OK ", b"NO ", b"BAD", b"BYE")
_DATA = frozenset((b"LIST", b"STAT", b"FLAG", b"QUOT"))  # starts of responses that only the caller of the command needs


class Asked:
    """A command in progress. `answer` gets the text of the tagged OK, or the exception that ended the command."""

    __slots__ = ("answer", "name", "tag", "untagged")

    def __init__(self, name: str, tag: str, loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.tag = tag
        self.untagged: list[Response] = []
        self.answer: asyncio.Future[str] = loop.create_future()


class ImapProtocol(IMAP4ClientProtocol):  # type: ignore[misc]  # aioimaplib ships no types
    """Sends one command at a time over a Wire. Responses are raw; NO, BAD, BYE and a lost connection are exceptions."""

    def __init__(self, wire: Wire, trace: Trace) -> None:
        super().__init__(asyncio.get_running_loop())
        self.mask = Mask()
        self.greeting = b""
        self.exists = 0  # messages in the selected folder, as last announced
        self.news = False  # messages have arrived since the session last asked
        self.capabilities: frozenset[str] = frozenset()  # upper case; empty while unknown
        self.pending_sync_command: Asked | None = None
        self.exchange: Exchange | None = None  # of the AUTHENTICATE in progress
        self._trace = trace
        self._transcript = MaskedTranscript(trace, self.mask)
        self._reader = Reader()
        self._rest: deque[bytes] = deque()  # pieces of the command that are still to be sent, one per `+`
        self._warnings: list[str] = trace.asides  # untagged NO, BAD and [ALERT] during the current command
        self._alerts = Alerts(trace, self.mask)
        self._bye = ""
        self._deaf = False  # ignore plain text between the reply to STARTTLS and the handshake
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None  # waits for the greeting, or for an event in IDLE
        self._grace: asyncio.TimerHandle | None = None
        self._computing: asyncio.Task[None] | None = None  # the answer to a challenge
        self.connection_made(wire)
        wire.attach(self)

    # -- called by the session ----------------------------------------------------------------------------------------

    async def greet(self) -> bytes:
        """Wait for the greeting. Raises Refusal("BYE"), Garbage, ServerClosed."""
        if not self.greeting and self._failure is None:
            await self._wait()
        if self._failure is not None:
            raise self._failure
        return self.greeting

    def begin(self, name: str, tag: str, pieces: Sequence[bytes], shown: str | None = None) -> Asked:
        """Send a command; `finish` waits for its answer.

        The first piece is the command line, each further piece is sent after a `+`. `shown` replaces the line in the
        transcript.
        """
        if self._failure is not None:
            raise self._failure
        if self.pending_sync_command is not None or self.state not in Commands[name].valid_states:
            raise Abort(f"{name} in state {self.state}")
        self._reader.restart()
        self._warnings.clear()
        self._rest.extend(pieces[1:])
        command = self.pending_sync_command = Asked(name, tag, self.loop)
        self.say(pieces[0], shown)
        return command

    async def finish(self, command: Asked) -> tuple[str, list[Response]]:
        """Return the text of the tagged OK and the untagged responses.

        Raises Refusal, ServerClosed, Garbage, OSError.
        """
        try:
            text = await command.answer
        except asyncio.CancelledError:
            self.give_up(command)
            raise
        else:
            self._warnings.clear()
            return text, command.untagged
        finally:
            self.pending_sync_command = None
            self.exchange = None
            self._rest.clear()

    def give_up(self, command: Asked) -> None:
        """Abandon a command. Its answer may still arrive, so the session must not be used again."""
        self._fail(ServerClosed(f"given up while {command.name} was under way"))
        self.pending_sync_command = None

    async def announced(self, seconds: float) -> bool:
        """During IDLE: return True as soon as messages arrive, False after `seconds` or when the command ends."""
        over = False  # a flag and not the clock: uvloop's timer may fire a rounding error early

        def end() -> None:
            nonlocal over
            over = True
            self._wake()

        timer = self.loop.call_later(seconds, end)
        try:
            while not self.news and self.idling and not over:
                await self._wait()
        finally:
            timer.cancel()
        return self.news

    @property
    def idling(self) -> bool:
        """Tell whether the current command has no answer yet."""
        return self.pending_sync_command is not None and not self.pending_sync_command.answer.done()

    def say(self, line: bytes, shown: str | None = None) -> None:
        if shown is None:
            self._transcript.asked(line)
        else:
            self._trace.said(">", shown)
        self.transport.write(line)

    def listen(self) -> None:
        """Read again after the change to TLS. What was received before it is forgotten (RFC 3501 section 6.2.1)."""
        self._reader.drop()
        self.capabilities = frozenset()
        self._deaf = False

    # -- called by the Wire -------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._trace.said("#", f"{len(data)} bytes in plain text after the reply to STARTTLS are ignored")
            return
        if self._failure is not None:
            return
        try:
            self._read(data)
        except Garbage as exc:
            self._fail(exc)
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        last = b"" if self._deaf else self._reader.unfinished()
        self._reader.drop()
        if self._failure is not None:
            return
        if last:
            self._transcript.heard(last)
        if self._bye:
            self._fail(Refusal(Service.IMAP, "BYE", self._bye))
        elif isinstance(exc, Garbage):
            self._fail(exc)
        elif last and not self.greeting and not last.startswith(b"*"):
            self._fail(garbage(last, "IMAP"))
        elif last or self._warnings:
            self._fail(ServerClosed("\n".join([*self._warnings, *([self._transcript.shown(last)] if last else [])])))
        elif exc is not None and not isinstance(exc, ssl.SSLEOFError):
            self._fail(exc)
        else:
            self._fail(ServerClosed())

    # -- reading --------------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        lines = self._reader.whole_lines(data)
        responses = self._reader.feed(data) if lines is None else iter([(line,) for line in lines])
        # Before the login each line is looked at.
        logged_in = self.greeting and self.state != NONAUTH
        told = lines is not None and logged_in and self._transcript.whole_lines(data, len(lines))
        command = self.pending_sync_command
        for response in responses:
            if not told:
                self._transcript.response(response)
            line = response[0]
            if command is not None and line[2:6] in _DATA and line[:2] == b"* ":
                command.untagged.append(response)
                continue
            self._take(response, line)
            if self._deaf or self._failure is not None:
                dropped = self._reader.drop() + sum(len(each[0]) + 2 for each in (responses if lines else ()))
                if dropped:
                    self._trace.said("#", f"{dropped} bytes that followed are ignored")
                return
        if not self.greeting:
            self._check_beginning()
        if command is None or not command.answer.done():
            self.transport.acknowledge()

    def _take(self, response: Response, line: bytes) -> None:
        if not self.greeting:
            self._welcome(line)
        elif line[:2] == b"* ":
            self._untagged(response, line)
        elif line[:1] == b"+":
            self._continuation(line)
        else:
            self._tagged(line)

    def _welcome(self, line: bytes) -> None:
        star, _, rest = line.partition(b" ")
        kind, _, text = decode(rest).partition(" ")
        if star != b"*" or kind.upper() not in ("OK", "PREAUTH", "BYE", "NO", "BAD"):
            raise garbage(line, "IMAP")
        self.greeting = line
        if kind.upper() in ("OK", "PREAUTH"):
            self.state = NONAUTH if kind.upper() == "OK" else AUTH
            self._note_capabilities(text)
            self._wake()
        else:
            self._fail(Refusal(Service.IMAP, kind.upper(), f"{kind.upper()} {text}"))

    def _check_beginning(self) -> None:
        """Fail early on binary data (TLS, for example), which may never contain the line end that we wait for."""
        beginning = self._reader.unfinished()[:80]
        if len(beginning) >= 3 and is_binary(beginning):
            self._transcript.heard(beginning)
            raise garbage(beginning, "IMAP")

    def _untagged(self, response: Response, line: bytes) -> None:
        kind = line[2:6].upper()
        if kind[:3] in _STATUS:
            self._status(line, kind)
        elif kind == b"CAPA":
            self.capabilities = capability_words(self.mask.hide(decode(line[13:])))
        elif kind[:1].isdigit():
            self._counted(line)
        if self.pending_sync_command is not None:
            self.pending_sync_command.untagged.append(response)

    def _status(self, line: bytes, kind: bytes) -> None:
        if kind[:3] == b"BYE":
            self._bye = self._transcript.shown(line[2:])
            if self.state != LOGOUT:
                failure = Refusal(Service.IMAP, "BYE", self._bye)
                self._grace = self.loop.call_later(BYE_GRACE, self._fail, failure)
        elif (kind[:3] != b"OK " or line[5:12].upper() == b"[ALERT]") and len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(self._transcript.shown(line))
        self._alerts.note(line[2:])

    def _counted(self, line: bytes) -> None:
        if line[-7:].upper() == b" EXISTS":
            exists = parser.number(line[2:-7]) or 0
            self.news = self.news or exists != self.exists  # some servers repeat the count with every answer
            self.exists = exists
            self._wake()
        elif self.exists and line[-8:].upper() == b" EXPUNGE":
            self.exists -= 1

    def _tagged(self, line: bytes) -> None:
        command = self.pending_sync_command
        tag, _, rest = line.partition(b" ")
        text = decode(rest)
        result = text[:4].partition(" ")[0].upper()
        if command is None or tag != command.tag.encode() or result not in ("OK", "NO", "BAD"):
            raise Garbage(f"not an answer to what was asked: {self._transcript.shown(line)}")
        if self._grace is not None:
            self._grace.cancel()
        self._alerts.note(rest)
        if result == "OK":
            self._note_capabilities(text[3:])
            self._deaf = command.name == "STARTTLS"
            if not command.answer.done():
                command.answer.set_result(text)
            self._wake()
        else:
            words = [self.mask.hide(text), *self._warnings]
            if self.exchange is not None and self.exchange.error:
                words.append(clean(self.mask.hide(self.exchange.error)))
            self._end(command, Refusal(Service.IMAP, result, "\n".join(words)))

    def _continuation(self, line: bytes) -> None:
        command = self.pending_sync_command
        if command is None or not (self._rest or command.name in ("IDLE", "AUTHENTICATE")):
            raise Garbage(f"asked to go on where nothing is left to say: {self._transcript.shown(line)}")
        if self._rest:
            self.say(self._rest.popleft(), SHOWN if command.name == "LOGIN" else None)
            if command.name == "LOGIN":
                self._trace.credential_sent = True
        elif command.name == "IDLE":
            self._wake()
        else:
            self._respond(line)

    def _respond(self, line: bytes) -> None:
        """Do the next step of AUTHENTICATE.

        After the last step, `*` cancels; the server answers BAD (RFC 3501 section 6.2.2).
        """
        if self._computing is not None:
            raise Garbage(f"asked again before it was answered: {self._transcript.shown(line)}")
        exchange = self.exchange
        challenge = decode(line[1:]).strip()
        if exchange is not None and exchange.slow:
            self._computing = self.loop.create_task(self._compute(exchange, challenge, line))
        else:
            self._answer(exchange, exchange.reply(challenge) if exchange is not None else None, line)

    async def _compute(self, exchange: Exchange, challenge: str, line: bytes) -> None:
        """What would hold the event loop is computed in a thread. The command may have ended meanwhile."""
        try:
            response = await asyncio.to_thread(exchange.reply, challenge)
        except Exception as exc:
            self._fail(exc if isinstance(exc, Garbage) else Garbage(f"{exchange.name}: {type(exc).__name__}"))
            self.transport.abort()
        else:
            if self.exchange is exchange and self.idling and self._failure is None:
                self._answer(exchange, response, line)
        finally:
            self._computing = None

    def _answer(self, exchange: Exchange | None, response: str | None, line: bytes) -> None:
        if exchange is None or response is None:
            if len(self._warnings) < MAX_WARNINGS:
                self._warnings.append(self._transcript.shown(line))
            self.say(b"*\r\n")
        else:
            self.say(f"{response}\r\n".encode(), exchange.shown)
            self._trace.credential_sent = True

    def _note_capabilities(self, text: str) -> None:
        if text[:12].upper() == "[CAPABILITY ":
            self.capabilities = capability_words(self.mask.hide(parser.code(text)[1]))

    # -- ending ---------------------------------------------------------------------------------------------------

    async def _wait(self) -> None:
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end(self, command: Asked, exc: Exception) -> None:
        if not command.answer.done():
            command.answer.set_exception(exc)
            command.answer.exception()  # marks the exception as retrieved: nobody may be waiting any more
        self._wake()

    def _fail(self, exc: Exception) -> None:
        if self._failure is not None:
            return
        self._failure = exc
        if self._grace is not None:
            self._grace.cancel()
        if self.pending_sync_command is not None:
            self._end(self.pending_sync_command, exc)
        self._wake()
