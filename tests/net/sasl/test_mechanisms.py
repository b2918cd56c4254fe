"""Tests of SASL mechanisms with the examples of their RFCs, and with servers that cheat."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from exporter.model.errors import Garbage, ProbeError
from exporter.model.reasons import Reason
from exporter.net.sasl import mechanisms as sasl
from exporter.net.sasl.mechanisms import Exchange, Scram, named
from exporter.net.sasl.saslprep import prepare

# RFC 7677 section 3.
NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def coded(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_scram_speaks_as_its_rfc_does():
    scram = Scram("user", "pencil", NONCE)
    assert scram.initial() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.answer(SERVER_FIRST) == CLIENT_FINAL
    assert scram.answer(SERVER_FINAL) == b""
    scram.verify()
    assert scram.answer(b"more?") is None


def test_a_nonce_is_never_used_twice():
    assert Scram("user", "pencil").initial() != Scram("user", "pencil").initial()


def test_a_user_name_cannot_add_an_attribute():
    assert Scram("a,b=c", "pencil", NONCE).initial() == b"n,,n=a=2Cb=3Dc,r=" + NONCE.encode()


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        SERVER_FIRST.replace(b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", b""),  # the server added nothing of its own
        SERVER_FIRST.replace(b"i=4096", b"i=1"),  # the password would be easy to guess
        SERVER_FIRST.replace(b"i=4096", b"i=9999999"),  # we would compute for a long time
        SERVER_FIRST.replace(b"i=4096", b"i=99999999999999"),
        b"m=ext," + SERVER_FIRST,
        b"\xff\xfe",
    ],
)
def test_scram_gives_nothing_to_a_server_that_does_not_play_by_the_rules(first):
    with pytest.raises(Garbage):
        Scram("user", "pencil", NONCE).answer(first)


def test_scram_wants_the_servers_proof():
    scram = Scram("user", "pencil", NONCE)
    scram.answer(SERVER_FIRST)
    with pytest.raises(Garbage, match="without proving"):
        scram.verify()
    with pytest.raises(Garbage, match="signature is wrong"):
        scram.answer(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")


def test_scram_keeps_the_servers_error():
    scram = Scram("user", "pencil", NONCE)
    scram.answer(SERVER_FIRST)
    assert scram.answer(b"e=invalid-proof") == b""
    assert scram.error == "e=invalid-proof"


@pytest.mark.parametrize(
    ("written", "prepared"),
    [
        ("I\u00adX", "IX"),  # the examples of RFC 4013 section 3
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("pass\u00a0word", "pass word"),
        ("密码", "密码"),
    ],
)
def test_names_and_passwords_have_one_form(written, prepared):
    assert prepare(written) == prepared


@pytest.mark.parametrize("written", ["\u0007", "\u0627\u0031", "\u0627a\u0627", "\ue000"])
def test_what_has_no_form_is_refused_and_not_shown(written):
    with pytest.raises(ValueError) as caught:
        prepare(written)
    assert written not in str(caught.value)
    with pytest.raises(ProbeError) as told:
        Exchange("SCRAM-SHA-256", "user", written)
    assert told.value.reason is Reason.CONFIG


def test_a_token_is_sent_as_google_and_microsoft_want_it():
    exchange = Exchange("XOAUTH2", "alice@example.test", "ya29.token")
    assert b64decode(exchange.first() or "") == b"user=alice@example.test\x01auth=Bearer ya29.token\x01\x01"


def test_a_token_is_sent_as_rfc_7628_wants_it():
    exchange = Exchange("OAUTHBEARER", "a,b=@example.test", "ya29.token")
    assert b64decode(exchange.first() or "") == b"n,a=a=2Cb=3D@example.test,\x01auth=Bearer ya29.token\x01\x01"


@pytest.mark.parametrize(("mechanism", "dummy"), [("XOAUTH2", ""), ("OAUTHBEARER", "AQ==")])
def test_a_refused_token_is_answered_by_what_the_server_waits_for_once(mechanism, dummy):
    exchange = Exchange(mechanism, "alice", "token-canary")
    exchange.first()
    assert exchange.reply(coded('{"status":"401",\n"scope":"mail"}')) == dummy
    assert exchange.error == '{"status":"401", "scope":"mail"}'
    assert exchange.reply(coded("more")) is None


@pytest.mark.parametrize("mechanism", ["PLAIN", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256"])
def test_a_server_that_takes_no_initial_response_gets_it_when_it_asks(mechanism):
    exchange = Exchange(mechanism, "alice", "word")
    assert exchange.reply("") == exchange.first()


@pytest.mark.parametrize("mechanism", ["PLAIN", "XOAUTH2"])
def test_a_server_that_ignores_the_initial_response_gets_it_once_more(mechanism):
    exchange = Exchange(mechanism, "alice", "word")
    first = exchange.first()
    assert exchange.reply("") == first
    assert exchange.reply("") in (None, "")  # and never a third time
    assert exchange.reply("") is None


def test_login_says_the_user_name_then_the_password_whatever_it_is_asked():
    exchange = Exchange("LOGIN", "alice", "word")
    assert exchange.first() is None
    assert exchange.reply("not base64!") == coded("alice")
    assert exchange.shown == "<user name>"
    assert exchange.reply("VXNlcm5hbWU6") == coded("word")
    assert exchange.shown == "<secret>"
    assert exchange.reply("") is None


@pytest.mark.parametrize("word", ["a\nb", "a\rb", "a\0b", "a\x01b", "\ud800"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "XOAUTH2", "OAUTHBEARER"])
def test_nothing_can_be_smuggled_into_a_message(mechanism, word):
    for pair in ((word, "word"), ("alice", word)):
        with pytest.raises(ProbeError) as caught:
            Exchange(mechanism, *pair)
        assert caught.value.reason is Reason.CONFIG


@pytest.mark.parametrize(
    ("auth", "offered", "chosen"),
    [
        ("oauth", {"PLAIN", "XOAUTH2", "OAUTHBEARER"}, "XOAUTH2"),
        ("oauth", {"PLAIN", "OAUTHBEARER"}, "OAUTHBEARER"),
        ("oauthbearer", {"XOAUTH2", "OAUTHBEARER"}, "OAUTHBEARER"),
        ("scram-sha-256", {"PLAIN", "SCRAM-SHA-256"}, "SCRAM-SHA-256"),
        ("auto", {"SCRAM-SHA-256"}, None),
        ("plain", {"PLAIN"}, None),
    ],
)
def test_scram_and_tokens_are_used_only_where_they_are_asked_for(auth, offered, chosen):
    assert named(auth, offered) == chosen


def test_a_mechanism_that_is_not_offered_is_not_replaced_by_another():
    with pytest.raises(ProbeError) as caught:
        named("oauth", {"PLAIN", "LOGIN"})
    assert caught.value.reason is Reason.AUTH_MISSING
    assert caught.value.text == "XOAUTH2 or OAUTHBEARER is wanted, the server offers only LOGIN PLAIN"
    with pytest.raises(ProbeError) as caught:
        named("scram-sha-256", frozenset(), tls_first=True)
    assert caught.value.reason is Reason.TLS_REQUIRED


def test_every_name_that_can_be_chosen_is_a_mechanism():
    for mechanisms in sasl._NAMED.values():
        for mechanism in mechanisms:
            assert Exchange(mechanism, "alice", "word").name == mechanism
