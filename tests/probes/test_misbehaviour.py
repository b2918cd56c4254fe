"""Tests that a run with any server ends in time, with the right phase and reason, closed sockets and bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.model import (
    Endpoint,
    Kind,
    Login,
    Outcome,
    Phase,
    ProbeName,
    Result,
    Secret,
    Security,
    Service,
    Target,
)
from exporter.model.reasons import Reason
from exporter.probes import imap, pop3, smtp, tls
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.canary import leaks
from tests.context import context_over
from tests.servers.scripted import Misbehaviour, ScriptedServer

USER = "scripted@example.test"
PASSWORD = 'c4nary-"of"-gold'
# Deadlines: where silence is the misbehaviour, at the greeting or after some steps; and where another end comes first.
SILENT, SILENT_LATER, LONG = 1.5, 5.0, 60.0
MEMORY = 8 * 1024 * 1024  # bytes that a run may take at its peak


class Case(NamedTuple):
    """What a server does to whom, and what the run must say. Without a reason it succeeds."""

    misbehaviour: Misbehaviour
    protocol: Service
    probe: ProbeName
    security: Security
    phase: Phase | None
    reason: Reason | None

    @property
    def sends_the_password(self) -> bool:
        """Only a server that behaves until then gets to hear it."""
        return self.phase in (Phase.LOGIN, Phase.FOLDERS, None)

    def __str__(self) -> str:
        return f"{self.protocol}-{self.misbehaviour}-{self.probe}"


M = Misbehaviour
BEFORE_LOGIN = (
    (M.CLOSES_AT_ONCE, Security.PLAIN, Phase.GREETING, Reason.CONNECTION_RESET),
    (M.HANGS_AT_GREETING, Security.PLAIN, Phase.GREETING, Reason.TIMEOUT),
    (M.BYE_AT_GREETING, Security.PLAIN, Phase.GREETING, Reason.TEMPORARILY_UNAVAILABLE),
    (M.GIBBERISH, Security.PLAIN, Phase.GREETING, Reason.PROTOCOL_ERROR),
    (M.ENDLESS_LINE, Security.PLAIN, Phase.GREETING, Reason.PROTOCOL_ERROR),
    (M.SLOW_BYTES, Security.PLAIN, Phase.GREETING, Reason.TIMEOUT),
    (M.TLS_ON_PLAIN_PORT, Security.PLAIN, Phase.GREETING, Reason.WRONG_PROTOCOL),
    (M.DROPS_MID_TLS, Security.TLS, Phase.TLS, Reason.CONNECTION_RESET),
    (M.PLAIN_ON_TLS_PORT, Security.TLS, Phase.TLS, Reason.WRONG_PROTOCOL),
)
PROBES = {
    Service.IMAP: (ProbeName.IMAP, ProbeName.TLS),
    Service.SMTP: (ProbeName.SMTP, ProbeName.TLS),
    Service.POP3: (ProbeName.POP3, ProbeName.TLS),
}
CASES = [
    *(
        Case(misbehaviour, protocol, probe, security, phase, reason)
        for misbehaviour, security, phase, reason in BEFORE_LOGIN
        for protocol, probes in PROBES.items()
        for probe in probes
    ),
    Case(M.HANGS_AT_LOGIN, Service.IMAP, ProbeName.IMAP, Security.PLAIN, Phase.LOGIN, Reason.TIMEOUT),
    Case(M.HANGS_AT_LOGIN, Service.SMTP, ProbeName.SMTP, Security.PLAIN, Phase.LOGIN, Reason.TIMEOUT),
    Case(M.HANGS_AT_LOGIN, Service.POP3, ProbeName.POP3, Security.PLAIN, Phase.LOGIN, Reason.TIMEOUT),
    Case(M.HUGE_LITERAL, Service.IMAP, ProbeName.IMAP, Security.PLAIN, Phase.FOLDERS, Reason.PROTOCOL_ERROR),
    Case(M.TEN_THOUSAND_LINES, Service.IMAP, ProbeName.IMAP, Security.PLAIN, None, None),
    Case(M.TEN_THOUSAND_LINES, Service.SMTP, ProbeName.SMTP, Security.PLAIN, Phase.CAPABILITY, Reason.PROTOCOL_ERROR),
    Case(M.TEN_THOUSAND_LINES, Service.POP3, ProbeName.POP3, Security.PLAIN, Phase.CAPABILITY, Reason.PROTOCOL_ERROR),
    Case(M.TEN_THOUSAND_LINES, Service.SMTP, ProbeName.TLS, Security.STARTTLS, Phase.CAPABILITY, Reason.PROTOCOL_ERROR),
    Case(M.TEN_THOUSAND_LINES, Service.POP3, ProbeName.TLS, Security.STARTTLS, Phase.CAPABILITY, Reason.PROTOCOL_ERROR),
]


@dataclass(frozen=True)
class Source:
    """The canary."""

    async def read(self) -> Secret:
        return Secret(PASSWORD)


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    state = await State.open(tmp_path)
    yield Runner(context_over(state))
    await state.close()


def target(case: Case, port: int) -> Target:
    endpoint = Endpoint("127.0.0.1", port, case.security, case.protocol)
    login = Login(USER, USER, Source())
    settings = {
        ProbeName.IMAP: imap.Settings(endpoint, login),
        ProbeName.POP3: pop3.Settings(endpoint, login),
        ProbeName.SMTP: smtp.Settings(endpoint, login),
        ProbeName.TLS: tls.Settings(endpoint),
    }[case.probe]
    deadline = LONG
    if case.reason is Reason.TIMEOUT:
        deadline = SILENT if case.phase is Phase.GREETING else SILENT_LATER
    return Target("scripted", Kind.MAILBOX, case.probe, settings, 60, deadline, deadline)


@contextlib.contextmanager
def peak() -> Iterator[list[int]]:
    """Return the maximum of memory in use inside the block, in addition to that before."""
    found: list[int] = []
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield found
        found.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_misbehaving_server_is_told_by_phase_and_reason(case: Case, runner: Runner):
    """Afterwards there is no socket, no memory and no secret left."""
    async with ScriptedServer(case.misbehaviour, case.protocol) as server:
        with peak() as memory:
            result = await runner.run(target(case, server.port))
        async with asyncio.timeout(LONG):
            await server.closed.wait()

    failure = result.failure
    assert (failure and failure.phase, failure and failure.reason) == (case.phase, case.reason), told(result)
    assert result.outcome is (Outcome.OK if case.reason is None else Outcome.FAILED)
    silent = case.misbehaviour is M.HANGS_AT_GREETING  # only silence is worth a second look
    assert server.connections == (2 if silent else 1)
    assert memory[0] < MEMORY
    assert not leaks(PASSWORD, [*(line.text for line in result.transcript), repr(result)])
    assert result.login_attempted == case.sends_the_password
    assert not result.login_refused


def told(result: Result) -> str:
    return "\n".join([str(result.failure), *(f"{line.direction} {line.text}" for line in result.transcript)])


def test_every_misbehaviour_is_tried():
    assert {case.misbehaviour for case in CASES} == set(Misbehaviour)
