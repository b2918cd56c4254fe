"""An SMTP client session (RFC 5321, 4954, 3207), built on aiosmtplib's protocol over a Wire.

Step "probe" of the flow: the smtp and roundtrip probes call these methods in order: greeting, EHLO, STARTTLS, login,
send, QUIT. Each failure is raised as an exception that carries the server's complete reply. A password is sent only
after TLS, unless the endpoint is configured as plain, and only once per run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import PERIOD_REGEX, normalize_message_line_endings
from aiosmtplib.response import SMTPResponse

from exporter.model import Command, Endpoint, Phase, Secret, Service
from exporter.model.errors import Garbage, ProbeError, Refusal, StartTlsUnavailable
from exporter.model.reasons import Reason
from exporter.model.text import clean
from exporter.model.trace import Trace
from exporter.net.dial import secure
from exporter.net.mask import SHOWN
from exporter.net.sasl import mechanisms as sasl
from exporter.net.smtp.protocol import SmtpProtocol
from exporter.net.tls import TlsContexts
from exporter.net.wire import Wire

MAX_COMMAND = 512  # bytes of a command line (RFC 5321 section 4.5.3.1.4)


class SmtpSession:
    """One SMTP session. The caller opens the phases, except those of `starttls`.

    `ehlo_name` is our name in EHLO and HELO, by default our address as a literal.
    `timeout` limits each command, in seconds; with None only the deadline of the run applies. A 4xx or 5xx reply raises
    Refusal with all its lines. A lost connection raises ServerClosed with the last lines, or the socket's error.
    """

    def __init__(self, wire: Wire, trace: Trace, *, timeout: float | None = None, ehlo_name: str | None = None) -> None:
        self._wire = wire
        self._trace = trace
        self._timeout = timeout
        self._ehlo_name = ehlo_name
        self._protocol = SmtpProtocol(trace)
        # Wire implements the part of Transport that the protocol calls.
        self._protocol.connection_made(cast("asyncio.Transport", wire))
        wire.attach(self._protocol)
        self.greeting = ""
        self.extensions: Mapping[str, str] = {}  # lower-case keyword → parameters
        self.mechanisms: frozenset[str] = frozenset()  # upper case
        self.handed_over_at: float | None = None  # time.perf_counter() when `send` wrote the final dot

    @property
    def size_limit(self) -> int | None:
        """The SIZE that EHLO announced, in bytes (RFC 1870). None if the server has no fixed limit (0)."""
        size = self.extensions.get("size", "").strip()
        return int(size) or None if size.isascii() and size.isdigit() and len(size) < 16 else None

    async def greet(self) -> None:
        """Read the greeting."""
        reply = await self._protocol.read_response(self._timeout)
        self.greeting = reply.message
        self._expect(reply, 2)

    async def ehlo(self) -> None:
        """Send EHLO and store the extensions. HELO follows only if EHLO is refused with 5xx (RFC 5321 section 3.2)."""
        name = self._our_name()
        self.extensions, self.mechanisms = {}, frozenset()
        reply = await self._command(b"EHLO", name)
        if 500 <= reply.code <= 599:
            try:
                helo = await self._command(b"HELO", name)
            except ConnectionError as exc:
                if getattr(exc, "text", ""):
                    raise
                raise self._unwelcome(reply) from exc  # the words of the refused EHLO say why it closed
            self._expect(helo, 2)
            return
        self._expect(reply, 2)
        extensions, mechanisms = parse_esmtp_extensions("\n".join(line[4:] for line in reply.message.split("\n")))
        self.extensions = extensions
        self.mechanisms = frozenset(name.upper() for name in mechanisms)

    async def starttls(self, endpoint: Endpoint, contexts: TlsContexts) -> None:
        """Upgrade to TLS, as phases `starttls` and `tls`. The caller must send EHLO again."""
        with self._trace.phase(Phase.STARTTLS):
            if "starttls" not in self.extensions:
                raise StartTlsUnavailable(f"EHLO offers: {' '.join(self.extensions) or 'nothing'}")
            reply = await self._command(b"STARTTLS")
            if reply.code == 421:
                raise self._unwelcome(reply)
            if reply.code // 100 != 2:
                raise StartTlsUnavailable(reply.message, quoted=True)
            # Nothing received before TLS may be read as if it had arrived inside TLS (RFC 3207 section 6).
            self._protocol.forget()
            self.extensions, self.mechanisms = {}, frozenset()
        async with asyncio.timeout(self._timeout):
            await secure(self._wire, endpoint, contexts.get(endpoint.ca_file), self._trace)

    def choose_mechanism(self, auth: str, *, encrypted: bool) -> str:
        """Return the one mechanism of this run. `auth`: see `model.Login`.

        Raises ProbeError: auth_missing, oauth_required, or tls_required if the server offers AUTH only after STARTTLS.
        """
        tls_first = not self.mechanisms and not encrypted and "starttls" in self.extensions
        named = sasl.named(auth, self.mechanisms, tls_first=tls_first)
        if named is not None:
            return named
        automatic = ("PLAIN", "LOGIN") if encrypted else ("LOGIN", "PLAIN")
        wanted = automatic if auth == "auto" else (auth.upper(),)
        for mechanism in wanted:
            if mechanism in self.mechanisms:
                return mechanism
        if tls_first:
            raise ProbeError(Reason.TLS_REQUIRED, "the server offers AUTH only after STARTTLS")
        if self.mechanisms and self.mechanisms <= set(sasl.TOKEN_MECHANISMS):
            raise ProbeError(Reason.OAUTH_REQUIRED, f"the server offers only AUTH {' '.join(sorted(self.mechanisms))}")
        offered = f"only AUTH {' '.join(sorted(self.mechanisms))}" if self.mechanisms else "no AUTH"
        raise ProbeError(Reason.AUTH_MISSING, f"{' or '.join(wanted)} is wanted, the server offers {offered}")

    async def login(self, username: str, secret: Secret, mechanism: str) -> None:
        """Authenticate with exactly this mechanism. A second attempt would count as a second wrong password.

        `secret` is the password, or the access token if the mechanism takes one.
        """
        word = secret.reveal()
        exchange = sasl.Exchange(mechanism, username, word)
        mask = self._protocol.mask
        mask.learn(username, word, *exchange.credentials)
        # RFC 4954 section 4: an initial response must fit into a command line, and tokens seldom do.
        first = exchange.first(MAX_COMMAND - len(f"AUTH {mechanism} \r\n"))
        words = [b"AUTH", mechanism.encode()]
        if first is None:
            reply = await self._command(*words)
        else:
            reply = await self._command(*words, first.encode(), shown=f"AUTH {mechanism} {SHOWN}", credential=True)
        while reply.code == 334:
            response = await exchange.reply_in_turn(reply.message[4:].strip())
            if response is None:
                reply = await self._command(b"*")  # RFC 4954 section 4: cancels the exchange; the server answers 501
                break
            reply = await self._command(response.encode(), shown=exchange.shown, credential=True)
        if reply.code >= 400 and exchange.error:
            told = clean(mask.hide(exchange.error))
            raise Refusal(Service.SMTP, str(reply.code), f"{reply.message}\n{told}", Command.AUTH)
        self._expect(reply, 2, Command.AUTH)
        exchange.verify()

    async def send(
        self, sender: str, recipient: str, message: bytes, *, handing_over: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Submit one message.

        Silence or a lost connection after the final dot raises ProbeError(submission_uncertain).

        `handing_over` is awaited before any of the message is sent, after the server's answer to DATA. If it raises,
        nothing was sent, and the connection can only be closed.
        """
        self.handed_over_at = None
        options = []
        if "size" in self.extensions:
            options.append(b"SIZE=%d" % len(message))
        if not (sender + recipient).isascii() and "smtputf8" in self.extensions:
            options.append(b"SMTPUTF8")
        self._expect(await self._command(b"MAIL", f"FROM:<{sender}>".encode(), *options), 2, Command.MAIL)
        self._expect(await self._command(b"RCPT", f"TO:<{recipient}>".encode()), 2, Command.RCPT)
        self._expect(await self._command(b"DATA"), 3, Command.DATA)
        if handing_over is not None:
            await handing_over()
        text = PERIOD_REGEX.sub(b"..", normalize_message_line_endings(message))
        self._trace.said(">", f"(message of {len(text)} bytes)")
        self._protocol.write(text + b".\r\n")
        self.handed_over_at = time.perf_counter()
        try:
            reply = await self._protocol.read_response(self._timeout)
        except (TimeoutError, OSError, Garbage) as exc:
            why = "no reply in time" if isinstance(exc, TimeoutError) else str(exc)
            raise ProbeError(Reason.SUBMISSION_UNCERTAIN, f"after the whole message was sent: {why}") from exc
        self._expect(reply, 2, Command.MESSAGE)

    async def rset(self) -> None:
        self._expect(await self._command(b"RSET"), 2)

    async def quit(self) -> None:
        """Send QUIT. A server that closes without a reply is fine too. The caller closes the Wire."""
        try:
            await self._command(b"QUIT")
        except ConnectionError as exc:
            self._trace.said("#", f"connection closed at QUIT: {exc}")

    # -- internal -------------------------------------------------------------------------------------------------

    async def _command(self, *words: bytes, shown: str | None = None, credential: bool = False) -> SMTPResponse:
        self._protocol.credential_next = credential
        self._trace.said(">", b" ".join(words).decode("utf-8", "replace") if shown is None else shown)
        return await self._protocol.execute_command(*words, timeout=self._timeout)

    def _expect(self, reply: SMTPResponse, kind: int, command: Command | None = None) -> None:
        """Raise unless the first digit of the code is `kind`: a client decides by it (RFC 5321 section 4.2)."""
        if reply.code // 100 != kind:
            raise self._unwelcome(reply, command)

    @staticmethod
    def _unwelcome(reply: SMTPResponse, command: Command | None = None) -> Exception:
        if reply.code >= 400:
            return Refusal(Service.SMTP, str(reply.code), reply.message, command)
        return Garbage(f"the reply does not fit the command: {reply.message}")

    def _our_name(self) -> bytes:
        """Return the configured name, else our address literal (RFC 5321 section 4.1.3), which is always valid."""
        if self._ehlo_name is not None:
            return self._ehlo_name.encode("ascii")
        address = str(self._wire.get_extra_info("socket").getsockname()[0]).partition("%")[0]
        return (f"[IPv6:{address}]" if ":" in address else f"[{address}]").encode()
