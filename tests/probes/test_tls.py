"""Tests of the tls probe: the dialogue of each protocol, and the facts of valid and invalid certificates."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from exporter.model import Endpoint, FactName, Phase, Security, Service
from exporter.model.errors import Garbage, Refusal, ServerClosed, StartTlsUnavailable
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.probes.context import Context
from exporter.probes.tls import Settings, probe
from tests.net.peers import peer
from tests.servers.certs import Authority
from tests.servers.world import MailWorld

HOST = "127.0.0.1"
GREETINGS = {
    Service.IMAP: b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
    Service.SMTP: b"220 mail.example.test ESMTP\r\n",
    Service.POP3: b"+OK ready\r\n",
}
UPGRADES = {Service.IMAP: "STARTTLS", Service.SMTP: "STARTTLS", Service.POP3: "STLS"}


class Server:
    """A mail server that knows how to greet, say what it can, upgrade, and part. `heard` are the commands."""

    def __init__(self, service: Service, upgrade: ssl.SSLContext | None = None, *, mute: bool = False) -> None:
        self.service = service
        self.upgrade = upgrade
        self.mute = mute  # says nothing to a goodbye
        self.heard: list[str] = []
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(GREETINGS[self.service])
        while line := (await reader.readline()).decode().strip():
            tag, _, words = line.partition(" ") if self.service is Service.IMAP else ("", "", line)
            verb = words.split()[0].upper()
            self.heard.append(verb)
            if verb in ("LOGOUT", "QUIT") and self.mute:
                continue
            writer.write(self.answer(verb, tag))
            if verb == UPGRADES[self.service] and self.upgrade:
                await writer.start_tls(self.upgrade)
            if verb in ("LOGOUT", "QUIT"):
                return

    def answer(self, verb: str, tag: str) -> bytes:
        match self.service, verb:
            case Service.IMAP, "LOGOUT":
                return b"* BYE\r\n" + tag.encode() + b" OK\r\n"
            case Service.IMAP, _:
                return tag.encode() + b" OK\r\n"
            case Service.SMTP, "EHLO":
                return b"250-mail.example.test\r\n250 " + (b"STARTTLS" if self.upgrade else b"SIZE 1000") + b"\r\n"
            case Service.SMTP, "QUIT":
                return b"221 bye\r\n"
            case Service.SMTP, _:
                return b"220 go ahead\r\n"
            case _, "CAPA":
                return b"+OK\r\n" + (b"STLS\r\n" if self.upgrade else b"UIDL\r\n") + b".\r\n"
            case _:
                return b"+OK\r\n"


class Run:
    """One run of the probe."""

    def __init__(self, port: int, security: Security, service: Service, ca_file: Path, **more) -> None:
        self.endpoint = Endpoint(more.pop("host", HOST), port, security, service, ca_file=ca_file, **more)
        self.trace = Trace()

    async def go(self, resolver: Resolver | None = None) -> Run:
        context = SimpleNamespace(resolver=resolver or Resolver([]), contexts=TlsContexts())
        await probe(Settings(self.endpoint), cast("Context", context), self.trace)
        return self

    def fact(self, name: FactName) -> float | str | None:
        found = [each.value for each in self.trace.facts if each.name is name]
        return found[-1] if found else None

    @property
    def phases(self) -> list[Phase]:
        return [name for name, _ in self.trace.phases]


@pytest.mark.parametrize("service", list(GREETINGS))
async def test_implicit_tls_reads_the_certificate_and_the_greeting(authority: Authority, service: Service):
    server = Server(service)
    async with peer(server.talk, authority.good(HOST).context()) as port:
        run = await Run(port, Security.TLS, service, authority.ca_file).go()
    assert run.phases == [Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.LOGOUT]
    assert run.fact(FactName.CERT_VALID) == 1
    assert cast("float", run.fact(FactName.CERT_NOT_AFTER)) > time.time()
    assert run.fact(FactName.CHAIN_NOT_AFTER) is not None
    assert str(run.fact(FactName.GREETING)).strip() in GREETINGS[service].decode()
    assert server.heard in (["LOGOUT"], ["QUIT"])


@pytest.mark.parametrize("service", list(GREETINGS))
async def test_starttls_by_each_protocol(authority: Authority, service: Service):
    server = Server(service, authority.good(HOST).context())
    async with peer(server.talk) as port:
        run = await Run(port, Security.STARTTLS, service, authority.ca_file).go()
    assert run.fact(FactName.CERT_VALID) == 1
    assert run.fact(FactName.CERT_SUBJECT) is not None
    order = [Phase.CONNECT, Phase.GREETING, Phase.CAPABILITY, Phase.STARTTLS, Phase.TLS, Phase.LOGOUT]
    assert run.phases == order


@pytest.mark.parametrize("service", list(GREETINGS))
async def test_a_plain_endpoint_has_no_word_about_certificates(authority: Authority, service: Service):
    server = Server(service)
    async with peer(server.talk) as port:
        run = await Run(port, Security.PLAIN, service, authority.ca_file).go()
    assert run.phases == [Phase.CONNECT, Phase.GREETING, Phase.LOGOUT]
    assert run.fact(FactName.CERT_VALID) is None


async def test_https_ends_with_the_handshake(authority: Authority):
    heard = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())

    async with peer(talk, authority.good(HOST).context()) as port:
        run = await Run(port, Security.TLS, Service.HTTPS, authority.ca_file).go()
    assert run.phases == [Phase.CONNECT, Phase.TLS]
    assert run.fact(FactName.CERT_VALID) == 1


@pytest.mark.parametrize("kind", ["expired", "not_yet_valid", "wrong_name", "untrusted", "self_signed"])
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("service", list(GREETINGS))
async def test_a_bad_certificate_fails_with_its_facts_known(
    authority: Authority, kind: str, security: Security, service: Service
):
    make = getattr(authority, kind)
    context = (make() if kind == "wrong_name" else make(HOST)).context()
    implicit = security is Security.TLS
    server = Server(service, None if implicit else context)
    async with peer(server.talk, context if implicit else None) as port:
        run = Run(port, security, service, authority.ca_file)
        with pytest.raises(ssl.SSLCertVerificationError):
            await run.go()
        assert run.fact(FactName.CERT_VALID) == 0
        assert run.fact(FactName.CERT_NOT_AFTER) is not None
        assert run.fact(FactName.CERT_FINGERPRINT) is not None
        assert run.trace.failed_phase is Phase.TLS
    assert run.phases[-1] is Phase.TLS  # the second connection is not part of this test
    assert not {"LOGIN", "AUTH", "AUTHENTICATE", "USER", "PASS"} & set(server.heard)


async def test_a_second_look_that_fails_leaves_the_first_verdict(authority: Authority):
    """The server accepts one connection only."""
    context = authority.expired(HOST).context()
    once = Server(Service.SMTP, context)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not once.connections:
            await once.talk(reader, writer)

    async with peer(talk) as port:
        run = Run(port, Security.STARTTLS, Service.SMTP, authority.ca_file)
        with pytest.raises(ssl.SSLCertVerificationError):
            await run.go()
    assert run.fact(FactName.CERT_VALID) == 0
    assert run.fact(FactName.CERT_NOT_AFTER) is None
    assert any("could not be read" in line.text for line in run.trace.lines)


@pytest.mark.parametrize("service", list(GREETINGS))
async def test_a_dead_backend_behind_good_tls_is_seen(authority: Authority, service: Service):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return

    async with peer(talk, authority.good(HOST).context()) as port:
        run = Run(port, Security.TLS, service, authority.ca_file)
        with pytest.raises(ServerClosed):
            await run.go()
    assert run.trace.failed_phase is Phase.GREETING
    assert run.fact(FactName.CERT_VALID) == 1


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service.IMAP, b"* BYE too many connections\r\n"),
        (Service.SMTP, b"421 too many connections\r\n"),
        (Service.POP3, b"-ERR [SYS/TEMP] too many connections\r\n"),
    ],
)
async def test_a_server_that_greets_with_no_is_told_in_its_words(authority: Authority, service: Service, words: bytes):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)

    async with peer(talk) as port:
        run = Run(port, Security.PLAIN, service, authority.ca_file)
        with pytest.raises((Refusal, ServerClosed), match="too many connections"):
            await run.go()
    assert run.trace.failed_phase is Phase.GREETING


@pytest.mark.parametrize("service", [Service.SMTP, Service.POP3])
async def test_starttls_that_is_not_offered_is_named(authority: Authority, service: Service):
    server = Server(service)
    async with peer(server.talk) as port:
        run = Run(port, Security.STARTTLS, service, authority.ca_file)
        with pytest.raises(StartTlsUnavailable):
            await run.go()
    assert run.trace.failed_phase is Phase.STARTTLS


async def test_plain_text_on_a_tls_port_and_tls_on_a_plain_port(authority: Authority):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETINGS[Service.IMAP])
        await reader.read()

    async with peer(greet) as port:
        run = Run(port, Security.TLS, Service.IMAP, authority.ca_file)
        with pytest.raises(Garbage, match="expected TLS, got IMAP in plain text") as caught:
            await run.go()
        assert caught.value.wrong_protocol
        assert run.trace.failed_phase is Phase.TLS
        assert any("IMAP4rev1" in line.text for line in run.trace.lines)
        assert run.fact(FactName.CERT_VALID) is None

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")

    async with peer(alert) as port:
        run = Run(port, Security.PLAIN, Service.IMAP, authority.ca_file)
        with pytest.raises(Garbage) as caught:
            await run.go()
    assert caught.value.wrong_protocol


@pytest.mark.parametrize("service", list(GREETINGS))
async def test_a_goodbye_that_nobody_answers_is_no_fault(authority: Authority, service: Service, monkeypatch):
    monkeypatch.setattr("exporter.probes.tls.GOODBYE", 0.05)
    server = Server(service, mute=True)
    async with peer(server.talk) as port:
        run = await Run(port, Security.PLAIN, service, authority.ca_file).go()
    assert any("no proper goodbye" in line.text for line in run.trace.lines)


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize("service", list(GREETINGS))
async def test_real_servers_of_the_mail_world(mail_world: MailWorld, service: Service, security: Security):
    ports = {
        (Service.IMAP, Security.TLS): mail_world.imaps,
        (Service.POP3, Security.TLS): mail_world.pop3s,
        (Service.SMTP, Security.TLS): mail_world.submissions,
        (Service.IMAP, Security.STARTTLS): mail_world.imap,
        (Service.POP3, Security.STARTTLS): mail_world.pop3,
        (Service.SMTP, Security.STARTTLS): mail_world.submission,
    }
    port = ports[service, Security.STARTTLS if security is Security.PLAIN else security]
    run = Run(port, security, service, mail_world.ca_file, host=mail_world.host)
    await run.go(Resolver([mail_world.resolver]))
    assert run.fact(FactName.CERT_VALID) == (None if security is Security.PLAIN else 1)
    assert Phase.GREETING in run.phases
