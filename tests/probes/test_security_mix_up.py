"""Tests that `security: starttls` on a port that speaks TLS from the start, and the reverse, are told as that mix-up.

A server that waits for a handshake is silent, and so is a slow one: only a handshake that succeeds tells them apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.model import Endpoint, Kind, Login, Outcome, Phase, ProbeName, Result, Security, Service, Target
from exporter.model.advice import Advice
from exporter.model.reasons import Reason
from exporter.net.dns.resolver import Resolver
from exporter.probes import imap, pop3, smtp, tls
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.canary import leaks
from tests.context import context_over
from tests.net.peers import peer
from tests.probes.login_scene import WORD, Given
from tests.servers.certs import Authority
from tests.servers.world import MailWorld

SOON = 0.05  # seconds of silence until the second look
SHORT, LONG = 3.0, 60.0  # seconds of a run that ends by its deadline, and of one that ends before
MIXED_UP = (Phase.GREETING, Reason.WRONG_PROTOCOL, Advice.TLS_AT_ONCE)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.net.second_look.SILENCE", SOON)


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    opened = await State.open(tmp_path)
    yield opened
    await opened.close()


def target(endpoint: Endpoint, probe: ProbeName, deadline: float) -> Target:
    login = Login("a", "user", Given())
    settings = {
        ProbeName.IMAP: imap.Settings(endpoint, login),
        ProbeName.POP3: pop3.Settings(endpoint, login),
        ProbeName.SMTP: smtp.Settings(endpoint, login),
        ProbeName.TLS: tls.Settings(endpoint),
    }[probe]
    return Target("a", Kind.MAILBOX, probe, settings, 60, deadline, deadline)


def verdict(result: Result) -> tuple[Phase | None, Reason, Advice | None]:
    """Return what was found. No password was sent in any case."""
    assert not result.login_attempted
    assert not leaks(WORD, [repr(result), *(line.text for line in result.transcript)])
    assert result.failure is not None
    return result.failure.phase, result.failure.reason, result.failure.advice


# -- real servers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "probe", "security"),
    [
        (Service.IMAP, ProbeName.IMAP, Security.STARTTLS),
        (Service.POP3, ProbeName.POP3, Security.STARTTLS),
        (Service.SMTP, ProbeName.SMTP, Security.STARTTLS),
        (Service.SMTP, ProbeName.TLS, Security.STARTTLS),
        (Service.IMAP, ProbeName.IMAP, Security.PLAIN),
    ],
)
async def test_another_security_on_a_port_of_implicit_tls(
    mail_world: MailWorld, state: State, service: Service, probe: ProbeName, security: Security
):
    ports = {
        Service.IMAP: mail_world.imaps,
        Service.POP3: mail_world.pop3s,
        Service.SMTP: mail_world.submissions,
    }
    endpoint = Endpoint(mail_world.host, ports[service], security, service, ca_file=mail_world.ca_file)
    runner = Runner(context_over(state, Resolver([mail_world.resolver])))
    result = await runner.run(target(endpoint, probe, SHORT))
    assert verdict(result) == MIXED_UP
    assert result.outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("service", "probe"),
    [
        (Service.IMAP, ProbeName.IMAP),
        (Service.POP3, ProbeName.POP3),
        (Service.SMTP, ProbeName.SMTP),
        (Service.SMTP, ProbeName.TLS),
    ],
)
async def test_implicit_tls_on_a_port_that_greets_in_plain_text(
    mail_world: MailWorld, state: State, service: Service, probe: ProbeName
):
    ports = {Service.IMAP: mail_world.imap, Service.POP3: mail_world.pop3, Service.SMTP: mail_world.submission}
    endpoint = Endpoint(mail_world.host, ports[service], Security.TLS, service, ca_file=mail_world.ca_file)
    runner = Runner(context_over(state, Resolver([mail_world.resolver])))
    result = await runner.run(target(endpoint, probe, LONG))
    assert verdict(result) == (Phase.TLS, Reason.WRONG_PROTOCOL, Advice.PLAIN_AT_FIRST)


# -- what must not be taken for it ----------------------------------------------------------------------------------


class Silent:
    """A server whose first connection waits for `answer`. `later` is what it does on further connections."""

    def __init__(self) -> None:
        self.connections = 0
        self.looked = asyncio.Event()
        self.heard = bytearray()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.connections > 1:
            self.looked.set()
            await self.again(reader, writer)
            return
        await self.answer(reader, writer)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def again(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4096):
            self.heard += data


class Slow(Silent):
    """Greets only after the second look has begun, and offers no login."""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.looked.wait()
        writer.write(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n")
        await reader.read()


class SlowAndBoth(Slow):
    """One port for both: TLS for who begins with a handshake, else plain text after a while."""

    def __init__(self, authority: Authority) -> None:
        super().__init__()
        self.context = authority.good("127.0.0.1").context()
        self.shaken = asyncio.Event()

    async def again(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writer.start_tls(self.context)
        self.shaken.set()
        self.heard += await reader.read()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.shaken.wait()
        await super().answer(reader, writer)


async def run_against(server: Silent, state: State, deadline: float, security: Security = Security.PLAIN) -> Result:
    async with peer(server.talk) as port:
        endpoint = Endpoint("127.0.0.1", port, security, Service.IMAP)
        return await Runner(context_over(state)).run(target(endpoint, ProbeName.IMAP, deadline))


async def test_a_dead_server_stays_a_timeout(state: State):
    server = Silent()
    result = await run_against(server, state, SHORT)
    assert verdict(result) == (Phase.GREETING, Reason.TIMEOUT, None)
    assert server.connections == 2
    assert server.heard.startswith(b"\x16\x03"), "nothing but a handshake"


async def test_a_slow_server_is_let_greet(state: State):
    server = Slow()
    result = await run_against(server, state, LONG)
    assert verdict(result)[:2] == (Phase.LOGIN, Reason.TLS_REQUIRED)
    assert server.connections == 2


async def test_a_greeting_counts_more_than_a_second_look_that_found_tls(authority: Authority, state: State):
    server = SlowAndBoth(authority)
    result = await run_against(server, state, LONG)
    assert verdict(result)[:2] == (Phase.LOGIN, Reason.TLS_REQUIRED)
    assert bytes(server.heard) == b"", "no command on the second connection"


async def test_a_server_that_greets_is_not_looked_at_twice(state: State, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("exporter.net.second_look.SILENCE", 5.0)
    server = Slow()
    server.looked.set()
    await run_against(server, state, LONG)
    assert server.connections == 1
