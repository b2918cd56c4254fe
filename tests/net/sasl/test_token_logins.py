"""Tests of logins with access tokens: the form in each protocol, refusals, and no token in any other place."""

from __future__ import annotations

from base64 import b64encode

import pytest

from exporter.model import Secret
from exporter.model.errors import Garbage, Refusal
from exporter.net.imap.session import ImapSession
from exporter.net.mask import Mask
from exporter.net.pop3.session import Pop3Session
from exporter.net.smtp.session import SmtpSession
from tests.net.script import LoudTrace, Script, served

USER = "alice@example.test"
TOKEN = "token-canary-" + "a1B2" * 600  # as long as Microsoft's
XOAUTH2 = b64encode(f"user={USER}\x01auth=Bearer {TOKEN}\x01\x01".encode()).decode()
SHORT = b64encode(f"user={USER}\x01auth=Bearer short-canary\x01\x01".encode()).decode()
BEARER = b64encode(f"n,a={USER},\x01auth=Bearer {TOKEN}\x01\x01".encode()).decode()
SAID = '{"status":"400","schemes":"Bearer","scope":"https://mail.example.test/"}'
ERROR = b64encode(SAID.encode()).decode()
ECHO = b64encode(f'{{"status":"400","you_sent":"{TOKEN}"}}'.encode()).decode()
MESSAGES = {"XOAUTH2": (XOAUTH2, ""), "OAUTHBEARER": (BEARER, "AQ==")}


async def imap(trace: LoudTrace, text: str, mechanism: str = "XOAUTH2") -> ImapSession:
    async with served(Script(text), trace) as wire:
        session = ImapSession(wire, trace)
        await session.greet()
        await session.login(USER, Secret(TOKEN), mechanism)
        return session


async def smtp(trace: LoudTrace, text: str, mechanism: str = "XOAUTH2") -> None:
    async with served(Script(f"S: 220 ready\n{text}"), trace) as wire:
        session = SmtpSession(wire, trace)
        await session.greet()
        await session.login(USER, Secret(TOKEN), mechanism)


async def pop3(trace: LoudTrace, text: str, mechanism: str = "XOAUTH2") -> None:
    async with served(Script(f"S: +OK ready\n{text}"), trace) as wire:
        session = Pop3Session(wire, trace)
        await session.greet()
        await session.login(USER, Secret(TOKEN), mechanism)


def hidden(trace: LoudTrace, *more: str) -> bool:
    """Assert that no part of the token is shown, in plain or base64."""
    shown = "\n".join([trace.text, *more])
    return (
        "canary" not in shown and "a1B2a1B2" not in shown and XOAUTH2[80:120] not in shown and "YTFCMmEx" not in shown
    )


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_imap_with_an_initial_response(mechanism):
    trace = LoudTrace()
    message, _ = MESSAGES[mechanism]
    greeting = f"S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH={mechanism}] hi"
    await imap(trace, f"{greeting}\nC: $ AUTHENTICATE {mechanism} {message}\nS: $ OK in", mechanism)
    assert f"AUTHENTICATE {mechanism} <secret>" in trace.text
    assert hidden(trace)


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_imap_without_one(mechanism):
    trace = LoudTrace()
    message, _ = MESSAGES[mechanism]
    text = f"S: * OK [CAPABILITY IMAP4rev1] hi\nC: $ AUTHENTICATE {mechanism}\nS: +\nC: {message}\nS: $ OK in"
    await imap(trace, text, mechanism)
    assert hidden(trace)


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_imap_hears_the_error_says_what_the_server_waits_for_and_tells_it(mechanism):
    trace = LoudTrace()
    message, dummy = MESSAGES[mechanism]
    text = f"""
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR] hi
        C: $ AUTHENTICATE {mechanism} {message}
        S: + {ERROR}
        C: {dummy}
        S: $ NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)
    """
    with pytest.raises(Refusal) as caught:
        await imap(trace, text, mechanism)
    assert caught.value.text == f"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\n{SAID}"
    assert hidden(trace, caught.value.text)


async def test_a_server_that_goes_on_asking_is_cancelled():
    trace = LoudTrace()
    text = f"""
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR] hi
        C: $ AUTHENTICATE XOAUTH2 {XOAUTH2}
        S: + {ERROR}
        C:
        S: + {ERROR}
        C: *
        S: $ BAD cancelled
    """
    with pytest.raises(Refusal) as caught:
        await imap(trace, text)
    assert SAID in caught.value.text


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_smtp(mechanism):
    trace = LoudTrace()
    message, _ = MESSAGES[mechanism]
    await smtp(trace, f"C: AUTH {mechanism}\nS: 334\nC: {message}\nS: 235 2.7.0 in", mechanism)
    assert hidden(trace)


async def test_smtp_with_a_token_that_fits_into_the_command():
    trace = LoudTrace()
    async with served(Script(f"S: 220 ready\nC: AUTH XOAUTH2 {SHORT}\nS: 235 in"), trace) as wire:
        session = SmtpSession(wire, trace)
        await session.greet()
        await session.login(USER, Secret("short-canary"), "XOAUTH2")
    assert "AUTH XOAUTH2 <secret>" in trace.text


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_smtp_hears_the_error(mechanism):
    trace = LoudTrace()
    message, dummy = MESSAGES[mechanism]
    text = (
        f"C: AUTH {mechanism}\nS: 334\nC: {message}\nS: 334 {ERROR}\nC: {dummy}\nS: 535-5.7.8 no\nS: 535 5.7.8 really"
    )
    with pytest.raises(Refusal) as caught:
        await smtp(trace, text, mechanism)
    assert (caught.value.code, caught.value.text) == ("535", f"535-5.7.8 no\n535 5.7.8 really\n{SAID}")
    assert hidden(trace, caught.value.text)


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_pop3_in_microsofts_two_lines(mechanism):
    trace = LoudTrace()
    message, _ = MESSAGES[mechanism]
    await pop3(trace, f"C: AUTH {mechanism}\nS: +\nC: {message}\nS: +OK User successfully authenticated.", mechanism)
    assert hidden(trace)


@pytest.mark.parametrize("mechanism", MESSAGES)
async def test_pop3_hears_the_error(mechanism):
    trace = LoudTrace()
    message, dummy = MESSAGES[mechanism]
    text = f"C: AUTH {mechanism}\nS: +\nC: {message}\nS: + {ERROR}\nC: {dummy}\nS: -ERR [AUTH] Invalid credentials."
    with pytest.raises(Refusal) as caught:
        await pop3(trace, text, mechanism)
    assert caught.value.text == f"-ERR [AUTH] Invalid credentials.\n{SAID}"
    assert hidden(trace, caught.value.text)


async def test_a_server_that_sends_the_token_back_in_its_error_does_not_make_us_show_it():
    trace = LoudTrace()
    greeting = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR] hi"
    with pytest.raises(Refusal) as caught:
        await imap(trace, f"{greeting}\nC: $ AUTHENTICATE XOAUTH2 {XOAUTH2}\nS: + {ECHO}\nC:\nS: $ NO {TOKEN} is wrong")
    assert '"you_sent":"<secret>"' in caught.value.text
    assert hidden(trace, caught.value.text)
    with pytest.raises(Refusal) as caught:
        await smtp(trace, f"C: AUTH XOAUTH2\nS: 334\nC: {XOAUTH2}\nS: 334 {ECHO}\nC:\nS: 535 5.7.8 {TOKEN} is wrong")
    assert hidden(trace, caught.value.text)


@pytest.mark.parametrize("before", range(6))
def test_a_secret_inside_something_else_is_hidden_in_base64_too(before):
    mask = Mask()
    mask.learn("alice", "secret-canary-7")
    shown = mask.hide(b64encode(b"x" * before + b"secret-canary-7" + b"and more").decode())
    assert "<secret>" in shown
    assert b64encode(b"canary")[1:-2].decode() not in shown


async def test_a_server_that_says_ok_without_having_proven_itself_is_not_believed(monkeypatch):
    """SCRAM: a client that accepts any OK would accept a man in the middle."""
    monkeypatch.setattr("exporter.net.sasl.mechanisms.secrets.token_bytes", bytes)
    first = b64encode(f"n,,n={USER},r={'A' * 24}".encode()).decode()
    text = f"S: * OK [CAPABILITY IMAP4rev1 SASL-IR] hi\nC: $ AUTHENTICATE SCRAM-SHA-256 {first}\nS: $ OK in"
    with pytest.raises(Garbage, match="without proving"):
        await imap(LoudTrace(), text, "SCRAM-SHA-256")
