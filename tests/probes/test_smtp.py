"""Tests of the smtp probe with scripted servers: its dialogue, its facts, and phase and reason of each failure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.diagnosis.diagnose import diagnose
from exporter.model import Endpoint, Fact, FactName, Login, LoginRecord, Phase, Security, Service
from exporter.model.advice import Advice
from exporter.model.errors import Refusal, ServerClosed, Suspended
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes import smtp, tls
from exporter.probes.context import Context
from tests.net.lines_server import Peer, Script
from tests.probes.login_scene import Given, in_time, listening, small_world
from tests.servers.certs import Authority

GREETING = "220 mail.example.test ESMTP"
OFFER = "250-mail\r\n250-SIZE 35882577\r\n250 AUTH PLAIN LOGIN"


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[Context]:
    async with small_world(tmp_path) as made:
        yield made


async def run(world: Context, script: Script, trace: Trace, security: Security = Security.PLAIN, **tls: Any) -> None:
    """The probe against a server; the script may begin with TLS (`context`)."""
    async with listening(script, tls.get("context")) as port:
        endpoint = Endpoint("127.0.0.1", port, security, Service.SMTP, ca_file=tls.get("ca_file"))
        async with in_time(trace):
            await smtp.probe(smtp.Settings(endpoint, Login("a", "alice", Given())), world, trace)


async def test_the_happy_path_over_tls_tells_size_offer_and_mechanism(world: Context, authority: Authority):
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue(OFFER, "235 in", "250 reset", "221 bye")
        heard.extend(line.split()[0] for line in peer.heard)

    trace = Trace()
    context = authority.good("127.0.0.1").context()
    await run(world, script, trace, Security.TLS, context=context, ca_file=authority.ca_file)
    assert heard == ["EHLO", "AUTH", "RSET", "QUIT"]
    assert Fact(FactName.SMTP_SIZE_LIMIT, 35882577) in trace.facts
    assert Fact(FactName.MECHANISM, "PLAIN") in trace.facts
    assert Fact(FactName.CAPABILITIES, "SIZE AUTH") in trace.facts
    assert Fact(FactName.GREETING, GREETING) in trace.facts
    story = [Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.CAPABILITY, Phase.LOGIN, Phase.LOGOUT]
    assert [phase for phase, _ in trace.phases] == story
    assert trace.login == LoginRecord(attempted=True)


async def test_starttls_that_is_stripped_sends_no_password(world: Context):
    """STARTTLS is configured; a man in the middle removes the server's offer."""
    trace = Trace()
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue(OFFER)
        heard.append(await peer.hear())

    failure = await failure_of(world, script, trace, Security.STARTTLS)
    assert failure == (Phase.STARTTLS, Reason.STARTTLS_UNAVAILABLE)
    assert heard in ([], [""])
    assert not trace.login.attempted


@pytest.mark.parametrize("with_login", [True, False])
async def test_the_name_in_ehlo_is_that_of_the_endpoint_and_its_refusal_says_what_to_set(
    world: Context, with_login: bool
) -> None:
    trace = Trace()
    heard: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.say(GREETING)
        await peer.dialogue("421 EHLO X1 Your HELO/EHLO probe.example.com is not matching your DNS configuration")
        heard.extend(peer.heard)

    security = Security.PLAIN if with_login else Security.STARTTLS
    async with listening(script, None) as port:
        endpoint = Endpoint("127.0.0.1", port, security, Service.SMTP, ehlo_name="probe.example.com")
        settings = smtp.Settings(endpoint, Login("a", "alice", Given()))
        look = smtp.probe(settings, world, trace) if with_login else tls.probe(tls.Settings(endpoint), world, trace)
        with pytest.raises((Refusal, ServerClosed)) as caught:
            await look
    assert heard == ["EHLO probe.example.com"]
    found = diagnose(caught.value, trace.failed_phase)
    assert (found.phase, found.reason) == (Phase.CAPABILITY, Reason.RDNS_MISSING)
    assert found.advice is Advice.EHLO_NAME


async def failure_of(
    world: Context, script: Script, trace: Trace, security: Security = Security.PLAIN
) -> tuple[Phase | None, Reason]:
    with pytest.raises(Exception) as caught:
        await run(world, script, trace, security)
    found = diagnose(caught.value, trace.failed_phase)
    return found.phase, found.reason


async def no_auth(peer: Peer) -> None:
    await peer.say(GREETING)
    await peer.dialogue("250-mail\r\n250 SIZE 5")


async def refuses_the_password(peer: Peer) -> None:
    await peer.say(GREETING)
    await peer.dialogue(OFFER, "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "535-5.7.8 Authentication\r\n535 5.7.8 failed")


async def closes_at_once(peer: Peer) -> None:
    pass


async def busy(peer: Peer) -> None:
    await peer.say("421 4.3.2 try again later")


async def speaks_imap(peer: Peer) -> None:
    await peer.say("* OK ready")
    await peer.gone()


async def hangs_up_at_ehlo_with_a_word(peer: Peer) -> None:
    await peer.say(GREETING)
    await peer.hear()
    await peer.say("421 4.3.2 service shutting down")


@pytest.mark.parametrize(
    ("script", "phase", "reason"),
    [
        (no_auth, Phase.LOGIN, Reason.AUTH_MISSING),
        (closes_at_once, Phase.GREETING, Reason.CONNECTION_RESET),
        (busy, Phase.GREETING, Reason.TEMPORARILY_UNAVAILABLE),
        (speaks_imap, Phase.GREETING, Reason.WRONG_PROTOCOL),
        (hangs_up_at_ehlo_with_a_word, Phase.CAPABILITY, Reason.TEMPORARILY_UNAVAILABLE),
    ],
)
async def test_a_fault_has_its_phase_and_its_reason(world: Context, script, phase, reason):
    assert await failure_of(world, script, Trace()) == (phase, reason)


async def test_a_refused_password_is_counted_and_then_not_sent_again(world: Context):
    trace = Trace()
    phase, _ = await failure_of(world, refuses_the_password, trace)
    assert phase is Phase.LOGIN
    assert trace.login.refused
    trace = Trace()
    with pytest.raises(Suspended):
        await run(world, refuses_the_password, trace)
    assert not trace.login.attempted
    assert Fact(FactName.SMTP_SIZE_LIMIT, 35882577) in trace.facts  # what was learned before the login stays
