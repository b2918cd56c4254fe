"""Tests of the pop3 probe with scripted servers: its dialogue, its facts, and phase and reason of each failure."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.diagnosis.diagnose import diagnose
from exporter.model import Endpoint, Fact, FactName, Login, LoginRecord, Phase, Security, Service
from exporter.model.errors import ProbeError, Suspended
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes import pop3
from exporter.probes.context import Context
from tests.canary import leaks
from tests.net.lines_server import Peer, Script
from tests.probes.login_scene import WORD, Given, in_time, listening, small_world
from tests.servers.certs import Authority

GREETING = "+OK Coremail POP3 server ready"
CAPA = "+OK\r\nTOP\r\nUSER\r\nRESP-CODES\r\nSASL PLAIN XOAUTH2\r\n."


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[Context]:
    async with small_world(tmp_path) as made:
        yield made


async def run(world: Context, script: Script, trace: Trace, security: Security = Security.PLAIN, **more: Any) -> None:
    """The probe against a server; the script may begin with TLS (`context`)."""
    async with listening(script, more.get("context")) as port:
        endpoint = Endpoint("127.0.0.1", port, security, Service.POP3, ca_file=more.get("ca_file"))
        login = Login("a", "alice", Given(more.get("word", WORD)), more.get("auth", "auto"))
        async with in_time(trace):
            await pop3.probe(pop3.Settings(endpoint, login), world, trace)


async def failure_of(
    world: Context, script: Script, trace: Trace, security: Security = Security.PLAIN, **more: Any
) -> tuple[Phase | None, Reason]:
    with pytest.raises(Exception) as caught:
        await run(world, script, trace, security, **more)
    found = diagnose(caught.value, trace.failed_phase)
    assert leaks(WORD, [found.text, repr(caught.value)]) == []
    return found.phase, found.reason


async def test_the_happy_path_over_tls_is_one_login_a_count_and_a_goodbye(world: Context, authority: Authority):
    """AUTH PLAIN in two lines; neither RETR nor DELE nor LIST."""
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue(CAPA, "+ ", "+OK in", "+OK 3 54321", "+OK bye")
        heard.extend(peer.heard)

    trace = Trace()
    context = authority.good("127.0.0.1").context()
    await run(world, script, trace, Security.TLS, context=context, ca_file=authority.ca_file)
    sasl = base64.b64encode(f"\0alice\0{WORD}".encode()).decode()
    assert heard == ["CAPA", "AUTH PLAIN", sasl, "STAT", "QUIT"]
    assert Fact(FactName.MECHANISM, "PLAIN") in trace.facts
    assert Fact(FactName.MAILDROP_MESSAGES, 3) in trace.facts
    assert Fact(FactName.MAILDROP_BYTES, 54321) in trace.facts
    assert Fact(FactName.GREETING, GREETING) in trace.facts
    story = [
        *(Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.CAPABILITY),
        *(Phase.LOGIN, Phase.FOLDERS, Phase.LOGOUT),
    ]
    assert [phase for phase, _ in trace.phases] == story
    assert trace.login == LoginRecord(attempted=True)


async def test_user_and_pass_where_the_server_has_no_capa(world: Context):
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say("+OK old server <1896.697170952@dbc.mtview.ca.us>")
        await peer.dialogue("-ERR what?", "+OK who", "+OK in", "+OK 0 0", "+OK bye")
        heard.extend(peer.heard)

    trace = Trace()
    await run(world, script, trace)
    assert heard == ["CAPA", "USER alice", f"PASS {WORD}", "STAT", "QUIT"]
    assert Fact(FactName.MECHANISM, "USER") in trace.facts
    assert "PASS <secret>" in [line.text for line in trace.lines]


async def test_a_server_that_repeats_the_password_does_not_make_us_tell_it(world: Context):
    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue("+OK\r\nUSER\r\n.", "+OK who", f"-ERR [AUTH] wrong: PASS {WORD}")

    trace = Trace()
    assert await failure_of(world, script, trace) == (Phase.LOGIN, Reason.WRONG_PASSWORD)
    assert any("[AUTH] wrong: PASS <secret>" in line.text for line in trace.lines)


async def test_a_connection_cut_in_the_middle_of_such_a_line_does_not_either(world: Context):
    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue("+OK\r\nUSER\r\n.", "+OK who", f"-ERR PASS {WORD} is".encode())

    assert (await failure_of(world, script, Trace()))[0] is Phase.LOGIN


async def test_stls_that_is_stripped_sends_no_password(world: Context):
    """STARTTLS is configured; a man in the middle removes the server's offer."""
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue(CAPA)
        heard.append(await peer.hear())

    trace = Trace()
    assert await failure_of(world, script, trace, Security.STARTTLS) == (Phase.STARTTLS, Reason.STARTTLS_UNAVAILABLE)
    assert heard in ([], [""])
    assert not trace.login.attempted


def login_answers(*answers: str, offer: str = "+OK\r\nUSER\r\nRESP-CODES\r\n.") -> Script:
    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue(offer, *answers)

    return script


@pytest.mark.parametrize(
    ("script", "phase", "reason", "refused"),
    [
        (login_answers("+OK", "-ERR [AUTH] bad"), Phase.LOGIN, Reason.WRONG_PASSWORD, True),
        (login_answers("-ERR [AUTH] no"), Phase.LOGIN, Reason.WRONG_PASSWORD, True),
        (login_answers("+OK", "-ERR [IN-USE] locked by another session"), Phase.LOGIN, Reason.MAILBOX_IN_USE, False),
        (login_answers("+OK", "-ERR [LOGIN-DELAY] wait 300 s"), Phase.LOGIN, Reason.RATE_LIMITED, False),
        (login_answers("+OK", "-ERR [SYS/TEMP] later"), Phase.LOGIN, Reason.TEMPORARILY_UNAVAILABLE, False),
        (login_answers("+OK", "-ERR [SYS/PERM] broken"), Phase.LOGIN, Reason.SERVER_ERROR, True),
        (login_answers("+OK", "-ERR no"), Phase.LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, True),
        (login_answers("+OK", "+OK", "+OK many"), Phase.FOLDERS, Reason.PROTOCOL_ERROR, False),
        (login_answers("+OK", "+OK", "-ERR [SYS/TEMP] later"), Phase.FOLDERS, Reason.TEMPORARILY_UNAVAILABLE, False),
        (login_answers(offer="+OK\r\nSASL CRAM-MD5\r\n."), Phase.LOGIN, Reason.AUTH_MISSING, False),
        (login_answers(offer="+OK\r\nSASL XOAUTH2\r\n."), Phase.LOGIN, Reason.OAUTH_REQUIRED, False),
        (login_answers(offer="+OK\r\nSTLS\r\n."), Phase.LOGIN, Reason.TLS_REQUIRED, False),
    ],
)
async def test_an_answer_has_its_phase_its_reason_and_its_weight(world: Context, script, phase, reason, refused):
    """RFC 2449 and 3206 response codes; whether it counts against the password is the guard's."""
    trace = Trace()
    assert await failure_of(world, script, trace) == (phase, reason)
    assert trace.login.refused is refused


async def test_a_refused_password_is_counted_and_then_not_sent_again(world: Context):
    script = login_answers("+OK", "-ERR [AUTH] bad")
    assert await failure_of(world, script, Trace()) == (Phase.LOGIN, Reason.WRONG_PASSWORD)
    trace = Trace()
    with pytest.raises(Suspended):
        await run(world, script, trace)
    assert not trace.login.attempted
    assert Fact(FactName.GREETING, GREETING) in trace.facts  # what was learned before the login stays


@pytest.mark.parametrize(
    "answers",
    [
        ["+OK welcome"],  # before anything was said
        ["+ ", "+ bW9yZQ==", "+OK what was cancelled"],
    ],
)
async def test_a_login_that_nobody_asked_for_is_no_success(world: Context, authority: Authority, answers: list[str]):
    context = authority.good("127.0.0.1").context()
    script = login_answers(*answers, offer=CAPA)
    found = await failure_of(world, script, Trace(), Security.TLS, context=context, ca_file=authority.ca_file)
    assert found == (Phase.LOGIN, Reason.PROTOCOL_ERROR)


async def test_a_mechanism_that_wants_more_is_cancelled(world: Context, authority: Authority):
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue(CAPA, "+", "+ bW9yZQ==", "-ERR [AUTH] cancelled")
        heard.extend(peer.heard)

    context = authority.good("127.0.0.1").context()
    found = await failure_of(world, script, Trace(), Security.TLS, context=context, ca_file=authority.ca_file)
    assert found == (Phase.LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED)
    assert heard[-1] == "*"


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_what_no_command_can_carry_is_the_configurations_fault(world: Context, auth: str):
    with pytest.raises(ProbeError) as caught:
        await run(world, login_answers(offer=CAPA), Trace(), auth=auth, word="two\r\nlines")
    assert caught.value.reason is Reason.CONFIG
    assert "two" not in caught.value.text
