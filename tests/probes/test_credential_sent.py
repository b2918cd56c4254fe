"""Tests of what counts as a sent credential: each protocol and mechanism, refused at each step of its dialogue."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from exporter.model import Endpoint, Login, Security, Service
from exporter.model.advice import Advice
from exporter.model.errors import Suspended
from exporter.model.settings import GuardSettings
from exporter.model.trace import Trace
from exporter.probes import imap, pop3, smtp
from exporter.probes.context import Context
from exporter.state.store import State
from tests.context import context_over
from tests.net.lines_server import Peer, Script
from tests.probes.login_scene import WORD, Given, in_time, listening

GREETINGS = {Service.IMAP: "* OK ready", Service.POP3: "+OK ready", Service.SMTP: "220 ready"}
IR = "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN"
PLAIN_AT_SECOND = "* CAPABILITY IMAP4rev1 AUTH=PLAIN"
ONLY_LOGIN = "* CAPABILITY IMAP4rev1"
SMTP_OFFER = "250-mail\r\n250 AUTH PLAIN LOGIN SCRAM-SHA-256"
POP3_OFFER = "+OK\r\nUSER\r\nSASL PLAIN\r\n."
NAME, ASK = (base64.b64encode(word).decode() for word in (b"Username:", b"Password:"))


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[Context]:
    """One refusal pauses, and one unsettled login a day."""
    state = await State.open(tmp_path)
    yield context_over(state, guard=GuardSettings(failures=1, unsettled_per_day=1))
    await state.close()


def script_of(protocol: Service, offer: str, answers: tuple[str, ...], heard: list[str]) -> Script:
    async def script(peer: Peer) -> None:
        await peer.say(GREETINGS[protocol])
        tag = ""
        for answer in (offer, *answers):
            line = await peer.hear()
            heard.append(line)
            if not answer:
                return
            tag = line.partition(" ")[0] if " " in line else tag
            end = f"\r\n{tag} OK done" if answer.startswith("* CAPABILITY") else ""
            await peer.say(answer.replace("TAG", tag) + end)
        await peer.hear()

    return script


async def walk(world: Context, endpoint: Endpoint, login: Login, trace: Trace) -> None:
    async with in_time(trace):
        match endpoint.protocol:
            case Service.IMAP:
                await imap.probe(imap.Settings(endpoint, login), world, trace)
            case Service.POP3:
                await pop3.probe(pop3.Settings(endpoint, login), world, trace)
            case _:
                await smtp.probe(smtp.Settings(endpoint, login), world, trace)


async def log_in(world: Context, protocol: Service, script: Script, auth: str, user: str) -> Trace:
    """Let a probe fail at its login. Raises Suspended if it sent nothing."""
    trace = Trace()
    async with listening(script, None) as port:
        endpoint = Endpoint("127.0.0.1", port, Security.PLAIN, protocol)
        with pytest.raises(Exception) as caught:
            await walk(world, endpoint, Login("a", user, Given(), auth), trace)
    if isinstance(caught.value, Suspended):
        raise caught.value
    return trace


CASES = {
    # AUTH with an initial response sends the password at once, so even "unknown mechanism" is a refusal
    "smtp plain": (Service.SMTP, "plain", SMTP_OFFER, ("504 5.5.4 Unrecognized authentication type",), True),
    "smtp login at AUTH": (Service.SMTP, "login", SMTP_OFFER, ("504 5.5.4 Unrecognized authentication type",), False),
    "smtp login needs TLS": (Service.SMTP, "login", SMTP_OFFER, ("530 Must issue a STARTTLS command first",), False),
    "smtp login 421": (Service.SMTP, "login", SMTP_OFFER, ("421 4.7.0 busy",), False),
    "smtp login after the name": (Service.SMTP, "login", SMTP_OFFER, (f"334 {NAME}", "535 5.7.8 no"), True),
    "smtp login at its end": (Service.SMTP, "login", SMTP_OFFER, (f"334 {NAME}", f"334 {ASK}", "535 no"), True),
    "smtp scram": (Service.SMTP, "scram-sha-256", SMTP_OFFER, ("535 5.7.8 no",), True),
    "imap login": (Service.IMAP, "login", ONLY_LOGIN, ("TAG NO busy",), True),
    "imap login BAD": (Service.IMAP, "login", ONLY_LOGIN, ("TAG BAD what?",), True),
    "imap plain at once": (Service.IMAP, "plain", IR, ("TAG NO busy",), True),
    "imap plain at AUTHENTICATE": (Service.IMAP, "plain", PLAIN_AT_SECOND, ("TAG NO unknown mechanism",), False),
    "imap plain at its end": (Service.IMAP, "plain", PLAIN_AT_SECOND, ("+ ", "TAG NO busy"), True),
    "imap no login": (Service.IMAP, "login", f"{ONLY_LOGIN} LOGINDISABLED", (), False),
    "pop3 after USER": (Service.POP3, "login", POP3_OFFER, ("-ERR who?",), True),
    "pop3 after PASS": (Service.POP3, "login", POP3_OFFER, ("+OK", "-ERR busy"), True),
    "pop3 plain at AUTH": (Service.POP3, "plain", POP3_OFFER, ("-ERR unknown mechanism",), False),
    "pop3 plain at its end": (Service.POP3, "plain", POP3_OFFER, ("+ ", "-ERR busy"), True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_refusal_counts_from_the_first_word_of_the_credential_on(world: Context, case):
    protocol, auth, offer, answers, refused = case
    heard: list[str] = []
    script = script_of(protocol, offer, answers, heard)
    trace = await log_in(world, protocol, script, auth, "alice")
    assert trace.login.refused is refused
    assert trace.credential_sent is refused
    if refused:
        with pytest.raises(Suspended) as caught:
            await log_in(world, protocol, script, auth, "alice")
        assert caught.value.advice is None
    else:
        assert WORD not in " ".join(heard)
        for _ in range(3):
            await log_in(world, protocol, script, auth, "alice")


@pytest.mark.parametrize("answers", [("TAG BAD no literals",), ("+ go on", "TAG NO wrong")])
async def test_a_user_name_that_waits_for_the_server_is_sent_when_it_may(world: Context, answers):
    """A literal: the command line itself names nobody (RFC 3501 section 4.3)."""
    heard: list[str] = []
    trace = await log_in(world, Service.IMAP, script_of(Service.IMAP, ONLY_LOGIN, answers, heard), "login", "用户")
    assert trace.credential_sent is (len(answers) > 1)


OPEN = {
    "smtp 4xx": (Service.SMTP, "plain", SMTP_OFFER, ("454 4.7.0 wrong password",)),
    "smtp closed": (Service.SMTP, "plain", SMTP_OFFER, ("",)),
    "smtp not SMTP": (Service.SMTP, "plain", SMTP_OFFER, ("hello",)),
    "imap code": (Service.IMAP, "login", ONLY_LOGIN, ("TAG NO [UNAVAILABLE] wrong password",)),
    "imap bye": (Service.IMAP, "login", ONLY_LOGIN, ("* BYE wrong password",)),
    "imap closed": (Service.IMAP, "plain", IR, ("",)),
    "pop3 code": (Service.POP3, "login", POP3_OFFER, ("+OK", "-ERR [SYS/TEMP] wrong password")),
    "pop3 closed": (Service.POP3, "plain", POP3_OFFER, ("+ ", "")),
}


@pytest.mark.parametrize(("protocol", "auth", "offer", "answers"), OPEN.values(), ids=OPEN.keys())
async def test_an_answer_that_decides_nothing_uses_up_the_other_bound(world: Context, protocol, auth, offer, answers):
    script = script_of(protocol, offer, answers, [])
    trace = await log_in(world, protocol, script, auth, "alice")
    assert trace.credential_sent
    assert not trace.login.refused
    with pytest.raises(Suspended) as caught:
        await log_in(world, protocol, script, auth, "alice")
    assert caught.value.advice is Advice.LOGINS_UNSETTLED
