"""A submission server (RFC 6409) built on aiosmtpd: login, then delivery into a MailStore with realistic headers."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
import weakref
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from exporter.demo.listener import ADDRESS
from exporter.demo.mailstore import MailStore

SIZE_LIMIT = 10 * 1024 * 1024  # bytes; announced as SIZE (RFC 1870)
SILENCE = 60.0  # seconds without a command

Sign = Callable[[bytes, str], bytes]
"""(message, sender's domain) → its DKIM-Signature field, with the line end."""


class SmtpServer:
    """One listening socket: TLS from the start, or with `starttls` after STARTTLS, which AUTH then requires."""

    def __init__(
        self, store: MailStore, context: ssl.SSLContext, name: str, *, starttls: bool = False, sign: Sign | None = None
    ) -> None:
        self.port = 0  # known once it listens
        self._store = store
        self._context = context
        self._name = name
        self._starttls = starttls
        self._sign = sign
        self._server: asyncio.Server | None = None
        self._open: weakref.WeakSet[SMTP] = weakref.WeakSet()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._starttls:
            self._server = await loop.create_server(self._connected, ADDRESS, 0)
        else:
            self._server = await loop.create_server(
                self._connected, ADDRESS, 0, ssl=self._context, ssl_shutdown_timeout=1
            )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is None:
            return
        self._server.close()
        for protocol in list(self._open):
            if isinstance(protocol.transport, asyncio.WriteTransport):
                protocol.transport.abort()
        await self._server.wait_closed()

    def _connected(self) -> SMTP:
        protocol = SMTP(
            _Postman(self._store, self._name, self._sign),
            hostname=self._name,
            ident="mailprobe demo",
            data_size_limit=SIZE_LIMIT,
            timeout=SILENCE,
            tls_context=self._context if self._starttls else None,
            # With implicit TLS, aiosmtpd does not know that the connection is encrypted.
            auth_require_tls=self._starttls,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )
        self._open.add(protocol)
        return protocol

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
    ) -> AuthResult:
        """Check PLAIN and LOGIN. A refusal becomes 535 5.7.8."""
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        username, password = (word.decode("utf-8", "surrogateescape") for word in (data.login, data.password))
        known = self._store.login(username, password) is not None
        return AuthResult(success=known, handled=False, auth_data=username if known else None)


class _Postman:
    """The hooks of aiosmtpd: who may send, to whom, and how the mail is delivered."""

    _ids = itertools.count(1)

    def __init__(self, store: MailStore, name: str, sign: Sign | None) -> None:
        self._store = store
        self._name = name
        self._sign = sign

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: Sequence[str]
    ) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if address.lower() != str(session.auth_data).lower():
            return "553 5.7.1 Sender address rejected: not owned by the user who logged in"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Sequence[str]
    ) -> str:
        mailbox = self._store.find(address)
        if mailbox is None:
            return "550 5.1.1 User unknown here"
        if not mailbox.has_room(1):
            return f"552 5.2.2 {mailbox.address}: mailbox is full"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        number = f"{next(self._ids):08X}"
        sender = str(envelope.mail_from)
        signature = self._sign(raw, sender.rpartition("@")[2]) if self._sign is not None else b""
        for address in envelope.rcpt_tos:
            mailbox = self._store.find(address)
            if mailbox is not None:
                passed = self._received(session, number, address) + signature + raw
                self._store.deliver(mailbox, self._final(sender, address, passed, signed=bool(signature)))
        return f"250 2.0.0 OK queued as {number}"

    def _received(self, session: Session, number: str, recipient: str) -> bytes:
        """Return the Received field of the submission (RFC 5321 section 4.4)."""
        client = f"{session.host_name} (localhost [{_address(session.peer)}])"
        path = f"from {client}\r\n\tby {self._name} with ESMTPSA id {number}\r\n\tfor <{recipient}>"
        return f"Received: {path}; {formatdate(time.time())}\r\n".encode()

    def _final(self, sender: str, recipient: str, raw: bytes, *, signed: bool) -> Callable[[], bytes]:
        """Return the function that adds the receiver's header fields when the mail arrives."""

        def arrive() -> bytes:
            local, _, domain = recipient.rpartition("@")
            receiver, origin = f"mx.{domain}", sender.rpartition("@")[2]
            checks = f"spf=pass smtp.mailfrom={sender}; dkim=pass header.d={origin}; dmarc=pass header.from={origin}"
            hop = f"from {self._name} (localhost [{ADDRESS}])\r\n\tby {receiver} with LMTP"
            lines = (
                f"Return-Path: <{sender}>",
                f"Delivered-To: {local}@{domain}",
                f"Authentication-Results: {receiver}; {checks if signed else 'none'}",
                f"Received: {hop}; {formatdate(time.time())}",
            )
            return "".join(f"{line}\r\n" for line in lines).encode() + raw

        return arrive


def _address(peer: Any) -> str:
    return str(peer[0]) if isinstance(peer, tuple) and peer else ADDRESS
