"""Tests of one run: it returns a Result whatever the probe does."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from exporter.credentials.guard import LoginGuard
from exporter.model import (
    Endpoint,
    FactName,
    Kind,
    Login,
    LoginRecord,
    Outcome,
    Phase,
    ProbeName,
    Result,
    Secret,
    Security,
    Service,
    Target,
)
from exporter.model.errors import Inconclusive, ProbeError, Refusal, ServerClosed, Suspended
from exporter.model.reasons import Reason
from exporter.model.settings import GuardSettings
from exporter.model.trace import Trace
from exporter.net import dial
from exporter.net.dns.resolver import Resolver
from exporter.net.imap.session import ImapSession
from exporter.net.tls import TlsContexts
from exporter.probes.context import Context
from exporter.run.runner import Runner
from tests.credentials.machine import Disk

TARGET = Target("sales", Kind.MAILBOX, ProbeName.IMAP, {"some": "settings"}, 300.0, 5.0, 5.0)
Walk = Callable[[Trace], Awaitable[None]]


def world() -> Context:
    nothing = cast("Any", None)
    return Context(nothing, nothing, nothing, nothing, nothing, nothing, b"", now=lambda: 1.7e9)


async def run(walk: Walk, target: Target = TARGET, **more: Any) -> Result:
    given = world()

    async def probe(settings: object, world: Context, trace: Trace, /) -> None:
        assert settings is target.settings
        assert world is given
        await walk(trace)

    return await Runner(given, {ProbeName.IMAP: probe}).run(target, **more)


async def test_a_probe_that_returns_is_a_success_with_what_it_wrote_down():
    async def walk(trace: Trace) -> None:
        with trace.phase(Phase.GREETING):
            trace.said("<", "* OK ready")
        trace.fact(FactName.GREETING, "ready")
        trace.login = LoginRecord(attempted=True)

    seen: list[Phase] = []
    result = await run(walk, on_progress=seen.append)
    assert (result.outcome, result.failure) == (Outcome.OK, None)
    assert (result.target, result.started) == (TARGET, 1.7e9)
    assert [phase for phase, _ in result.phases] == seen == [Phase.GREETING]
    assert result.fact(FactName.GREETING) == "ready"
    assert [line.text for line in result.transcript] == ["* OK ready"]
    assert result.login_attempted
    assert not result.login_suspended
    assert len(result.probe_id) == 12
    assert int(result.probe_id, 16) >= 0
    assert result.duration > 0


async def test_every_run_has_an_id_of_its_own():
    async def walk(trace: Trace) -> None:
        pass

    assert len({(await run(walk)).probe_id for _ in range(20)}) == 20


async def test_what_was_learned_before_a_failure_is_kept():
    async def walk(trace: Trace) -> None:
        trace.fact(FactName.CERT_NOT_AFTER, 2e9)
        with trace.phase(Phase.LOGIN):
            trace.login = LoginRecord(attempted=True, refused=True)
            raise Refusal(Service.IMAP, "NO", "NO [AUTHENTICATIONFAILED] no")

    result = await run(walk)
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert (result.failure.phase, result.failure.reason) == (Phase.LOGIN, Reason.WRONG_PASSWORD)
    assert result.fact(FactName.CERT_NOT_AFTER) == 2e9
    assert result.login_attempted
    assert result.login_refused


class Source:
    async def read(self) -> Secret:
        return Secret("correct horse")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Refusal(Service.IMAP, "NO", "NO LOGIN Login error or password error"), Reason.AUTH_CODE_REQUIRED),
        (ServerClosed("* BYE [UNAVAILABLE] try later"), Reason.TEMPORARILY_UNAVAILABLE),
    ],
)
async def test_the_answer_to_a_login_is_diagnosed_once(monkeypatch, answer, reason):
    """The diagnosis that the guard counted is the one in the result, with the families of the login."""
    guard = LoginGuard(Disk().session(), GuardSettings())
    login = Login("sales", "sales", Source(), families=("netease",))
    monkeypatch.setattr("exporter.run.runner.diagnose", None)

    async def walk(trace: Trace) -> None:
        with trace.phase(Phase.LOGIN):
            async with guard.attempt(login, trace):
                trace.credential_sent = True
                raise answer

    result = await run(walk)
    assert result.failure is answer.failure
    assert result.failure is not None
    assert (result.failure.phase, result.failure.reason) == (Phase.LOGIN, reason)
    assert result.login_refused == isinstance(answer, Refusal)


@pytest.mark.parametrize(
    ("phase", "reason"),
    [(Phase.CONNECT, Reason.TIMEOUT), (Phase.LOGIN, Reason.TIMEOUT), (Phase.RESOLVE, Reason.DNS_TIMEOUT)],
)
async def test_the_deadline_is_diagnosed_with_the_phase_it_struck_in(phase, reason):
    cleaned_up = []

    async def walk(trace: Trace) -> None:
        with trace.phase(phase):
            try:
                await asyncio.Event().wait()
            finally:
                cleaned_up.append(phase)

    result = await run(walk, dataclasses.replace(TARGET, deadline=0.01))
    assert result.failure is not None
    assert (result.outcome, result.failure.phase, result.failure.reason) == (Outcome.FAILED, phase, reason)
    assert cleaned_up == [phase]


async def test_what_a_probe_says_at_its_deadline_stands():
    """A mail whose state is unknown at the deadline is `submission_uncertain`, not `timeout`."""

    async def walk(trace: Trace) -> None:
        with trace.phase(Phase.SUBMIT):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ProbeError(Reason.SUBMISSION_UNCERTAIN, "no answer to the final dot") from None

    result = await run(walk, dataclasses.replace(TARGET, deadline=0.01))
    assert result.failure is not None
    assert result.failure.reason is Reason.SUBMISSION_UNCERTAIN


@pytest.mark.parametrize(
    ("aside", "reason"),
    [
        ("* BAD [ALERT] Please enable IMAP access in your account settings first.", Reason.PROTOCOL_DISABLED),
        ("* NO xyzzy", Reason.TIMEOUT),
    ],
)
async def test_what_the_server_said_beside_the_missing_answer_belongs_to_the_result(aside, reason):
    async def walk(trace: Trace) -> None:
        trace.asides.append(aside)
        with trace.phase(Phase.FOLDERS):
            await asyncio.Event().wait()

    failure = (await run(walk, dataclasses.replace(TARGET, deadline=0.01))).failure
    assert failure is not None
    assert (failure.phase, failure.reason) == (Phase.FOLDERS, reason)
    assert aside in failure.text


async def test_a_cancellation_from_outside_passes_and_cleans_up():
    entered, cleaned_up = asyncio.Event(), asyncio.Event()

    async def walk(trace: Trace) -> None:
        try:
            entered.set()
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    task = asyncio.create_task(run(walk))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned_up.is_set()


async def test_a_suspended_login_is_a_finished_failed_run_with_the_standing_reason():
    async def walk(trace: Trace) -> None:
        with trace.phase(Phase.LOGIN):
            raise Suspended(Reason.RATE_LIMITED, "421 slow down", 1.8e9)

    result = await run(walk)
    assert result.failure is not None
    assert (result.outcome, result.failure.reason) == (Outcome.FAILED, Reason.RATE_LIMITED)
    assert result.failure.text == "421 slow down"
    assert (result.login_suspended, result.login_next_attempt) == (True, 1.8e9)
    assert not result.login_attempted


@pytest.mark.parametrize(
    "exc",
    [Inconclusive(Reason.MESSAGE_LATE, "still in flight"), ProbeError(Reason.LOCAL_ERROR, "cannot read secrets/sales")],
)
async def test_what_says_nothing_about_the_service_is_inconclusive(exc):
    async def walk(trace: Trace) -> None:
        raise exc

    result = await run(walk)
    assert result.failure is not None
    assert (result.outcome, result.failure.reason) == (Outcome.INCONCLUSIVE, exc.reason)


async def test_a_bug_becomes_a_result_and_a_traceback_without_local_variables(caplog):
    async def walk(trace: Trace) -> None:
        canary = "hunter2 canary"
        raise LookupError(len(canary))

    with caplog.at_level(logging.ERROR, "exporter.run.runner"):
        result = await run(walk)
    assert result.failure is not None
    assert result.failure.reason is Reason.BUG
    (record,) = caplog.records
    assert record.exc_info is not None
    shown = "".join(traceback.format_exception(record.exc_info[1]))
    assert "raise LookupError(len(canary))" in shown
    assert "hunter2 canary" not in caplog.text.replace('canary = "hunter2 canary"', "")
    assert "sales" in record.getMessage()
    assert result.probe_id in record.getMessage()


@pytest.mark.parametrize(
    ("port", "security", "said", "expected"),
    [
        (465, Security.STARTTLS, False, "no greeting; port 465 usually speaks TLS at once: security: tls?"),
        (993, Security.PLAIN, False, "no greeting; port 993 usually speaks TLS at once: security: tls?"),
        (993, Security.STARTTLS, True, "no answer before the deadline"),
        (143, Security.STARTTLS, False, "no answer before the deadline"),
    ],
)
async def test_a_server_that_waits_for_tls_while_we_wait_for_its_greeting_is_told(
    monkeypatch, port, security, said, expected
):
    """The reason stays `timeout`, because the cause of the silence is unknown."""
    held: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        if said:
            writer.write(b"* OK and no line end")

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        real = server.sockets[0].getsockname()[1]
        connect = dial._connect_one

        async def connect_one(address: str, endpoint: Endpoint, trace: Trace) -> socket.socket:
            return await connect(address, dataclasses.replace(endpoint, port=real), trace)

        monkeypatch.setattr(dial, "_connect_one", connect_one)
        endpoint = Endpoint("127.0.0.1", port, security, Service.IMAP)

        async def walk(trace: Trace) -> None:
            async with await dial.dial(endpoint, Resolver(), TlsContexts(), trace) as wire:
                session = ImapSession(wire, trace, timeout=0.1)
                with trace.phase(Phase.GREETING):
                    await session.greet()

        result = await run(walk)
        for writer in held:
            writer.close()
    assert result.failure is not None
    assert (result.failure.phase, result.failure.reason) == (Phase.GREETING, Reason.TIMEOUT)
    assert result.failure.text == expected
