"""Tests of the SMTP session with servers that accept or refuse."""

import asyncio
import base64

import pytest

from exporter.model import Secret, Service
from exporter.model.errors import ProbeError, Refusal, ServerClosed, StartTlsUnavailable
from exporter.model.reasons import Reason
from exporter.net.smtp.session import SmtpSession
from exporter.net.tls import TlsContexts
from tests.net.lines_server import Peer
from tests.net.smtp.scene import ENDPOINT, GREETING, PASSWORD, run, text_of


async def test_a_whole_submission_is_spoken_step_by_step():
    heard = []

    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue(
            "250-mail.example.test\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN", "235 2.7.0 ok", "250 ok", "250 ok"
        )
        await peer.dialogue("354 go on")
        while (line := await peer.hear()) != ".":
            heard.append(line)
        await peer.say("250 2.0.0 queued")
        await peer.dialogue("250 ok", "221 bye")
        heard.extend(peer.heard)

    async def steps(session: SmtpSession):
        await session.greet()
        await session.ehlo()
        assert session.size_limit == 1000000
        assert session.mechanisms == {"PLAIN", "LOGIN"}
        assert session.choose_mechanism("auto", encrypted=True) == "PLAIN"
        await session.login("user", Secret(PASSWORD), "PLAIN")
        await session.send("a@example.test", "b@example.test", b"Subject: x\n\n.dot\n")
        assert session.handed_over_at is not None
        await session.rset()
        await session.quit()

    await run(script, steps)
    assert heard[:3] == ["Subject: x", "", "..dot"]
    assert heard[3] == "EHLO [127.0.0.1]"
    assert "MAIL FROM:<a@example.test> SIZE=17" in heard


async def test_the_words_of_a_refused_ehlo_survive_a_server_that_closes_after_it():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("554 5.7.1 your address is on a blocklist")

    async def steps(session: SmtpSession):
        await session.greet()
        with pytest.raises(Refusal) as caught:
            await session.ehlo()
        assert caught.value.text == "554 5.7.1 your address is on a blocklist"

    await run(script, steps)


async def test_ehlo_and_helo_give_the_configured_name():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("502 what?", "250 mail")
        assert peer.heard == ["EHLO probe.example.com", "HELO probe.example.com"]

    async def steps(session: SmtpSession):
        await session.greet()
        await session.ehlo()

    await run(script, steps, ehlo_name="probe.example.com")


async def test_nothing_is_sent_before_the_greeting_and_one_command_is_out_at_a_time():
    async def script(peer: Peer):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reader.read(1), 0.05)
        await peer.say(GREETING)
        await peer.hear()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reader.read(1), 0.05)
        await peer.say("250 mail")

    async def steps(session):
        await session.greet()
        await session.ehlo()

    await run(script, steps)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_a_refused_login_tries_one_mechanism_and_keeps_every_line(mechanism):
    refusal = "535-5.7.8 Error: authentication failed:\r\n535 5.7.8 请使用授权码登录。"

    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250-mail\r\n250 AUTH LOGIN PLAIN CRAM-MD5")
        await peer.dialogue(*([refusal] if mechanism == "PLAIN" else ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", refusal]))
        assert await peer.hear() == ""  # no second mechanism

    async def steps(session):
        await session.greet()
        await session.ehlo()
        with pytest.raises(Refusal) as caught:
            await session.login("user", Secret(PASSWORD), mechanism)
        assert (caught.value.protocol, caught.value.code) == (Service.SMTP, "535")
        assert caught.value.text == "535-5.7.8 Error: authentication failed:\n535 5.7.8 请使用授权码登录。"

    await run(script, steps)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_credentials_are_in_no_line_of_the_transcript_even_if_the_server_echoes_them(mechanism):
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250-mail\r\n250 AUTH PLAIN LOGIN")
        if mechanism == "LOGIN":
            await peer.dialogue("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6")
        said = await peer.hear()
        await peer.say(f"535 what do you mean by {said}, or {PASSWORD}?")

    async def steps(session):
        await session.greet()
        await session.ehlo()
        with pytest.raises(Refusal) as caught:
            await session.login("user", Secret(PASSWORD), mechanism)
        texts.append(caught.value.text)

    texts: list[str] = []
    trace = await run(script, steps)
    texts.append(text_of(trace))
    hidden = [
        PASSWORD,
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.b64encode(f"\0user\0{PASSWORD}".encode()).decode(),
    ]
    for text in texts:
        assert not [form for form in hidden if form in text]
    assert "<secret>" in texts[1]


async def test_plain_works_with_a_server_that_ignores_the_initial_response():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("334 ", "235 ok")
        assert peer.heard[0] == f"AUTH PLAIN {peer.heard[1]}"

    async def steps(session):
        await session.greet()
        await session.login("user", Secret(PASSWORD), "PLAIN")

    await run(script, steps)


async def test_an_exchange_that_does_not_end_is_cancelled():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("334 ", "334 more", "501 cancelled")
        assert peer.heard[2] == "*"

    async def steps(session):
        await session.greet()
        with pytest.raises(Refusal, match="501 cancelled"):
            await session.login("user", Secret(PASSWORD), "PLAIN")

    await run(script, steps)


async def test_a_password_that_cannot_be_encoded_is_named_and_not_shown():
    async def script(peer: Peer):
        assert await peer.hear() == ""

    async def steps(session):
        with pytest.raises(ProbeError) as caught:
            await session.login("user", Secret("canary\udcff"), "PLAIN")
        assert caught.value.reason is Reason.CONFIG
        assert caught.value.__suppress_context__
        assert "canary" not in caught.value.text

    await run(script, steps)


# -- choice of the mechanism -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "auth", "encrypted", "chosen"),
    [
        ({"PLAIN", "LOGIN"}, "auto", True, "PLAIN"),
        ({"PLAIN", "LOGIN"}, "auto", False, "LOGIN"),
        ({"LOGIN"}, "auto", True, "LOGIN"),
        ({"PLAIN"}, "auto", False, "PLAIN"),
        ({"PLAIN", "LOGIN"}, "login", True, "LOGIN"),
        (set(), "auto", True, Reason.AUTH_MISSING),
        ({"PLAIN"}, "login", True, Reason.AUTH_MISSING),
        ({"XOAUTH2", "OAUTHBEARER"}, "auto", True, Reason.OAUTH_REQUIRED),
        ({"XOAUTH2", "CRAM-MD5"}, "auto", True, Reason.AUTH_MISSING),
    ],
)
async def test_the_mechanism_follows_the_offer_and_the_configuration(offered, auth, encrypted, chosen):
    async def script(peer: Peer):
        await peer.gone()

    async def steps(session):
        session.mechanisms = frozenset(offered)
        if isinstance(chosen, Reason):
            with pytest.raises(ProbeError) as caught:
                session.choose_mechanism(auth, encrypted=encrypted)
            assert caught.value.reason is chosen
        else:
            assert session.choose_mechanism(auth, encrypted=encrypted) == chosen

    await run(script, steps)


async def test_auth_that_comes_only_after_starttls_is_tls_required():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250-mail\r\n250 STARTTLS")

    async def steps(session):
        await session.greet()
        await session.ehlo()
        with pytest.raises(ProbeError) as caught:
            session.choose_mechanism("auto", encrypted=False)
        assert caught.value.reason is Reason.TLS_REQUIRED

    await run(script, steps)


# -- EHLO and STARTTLS ------------------------------------------------------------------------------------------------


async def test_helo_follows_only_a_permanent_refusal_of_ehlo():
    async def old(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("502 what?", "250 mail")
        assert peer.heard[1] == "HELO [127.0.0.1]"

    async def busy(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("451 later")
        assert await peer.hear() == ""

    async def works(session):
        await session.greet()
        await session.ehlo()
        assert (session.extensions, session.size_limit) == ({}, None)

    async def fails(session):
        await session.greet()
        with pytest.raises(Refusal, match="451 later"):
            await session.ehlo()

    await run(old, works)
    await run(busy, fails)


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE lots", "SIZE 99999999999999999999"])
async def test_a_size_that_limits_nothing_is_no_limit(size):
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue(f"250-mail\r\n250 {size}")

    async def steps(session):
        await session.greet()
        await session.ehlo()
        assert session.size_limit is None

    await run(script, steps)


@pytest.mark.parametrize(
    ("ehlo", "answer", "text"),
    [("250 mail", None, "EHLO offers: nothing"), ("250-mail\r\n250 STARTTLS", "454 no TLS today", "454 no TLS today")],
)
async def test_starttls_not_offered_or_refused_is_named(ehlo, answer, text):
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue(ehlo, *([answer] if answer else []))

    async def steps(session):
        await session.greet()
        await session.ehlo()
        with pytest.raises(StartTlsUnavailable) as caught:
            await session.starttls(ENDPOINT, TlsContexts())
        assert caught.value.text == text

    await run(script, steps)


async def test_what_was_injected_before_the_handshake_is_forgotten():
    """A man in the middle adds a reply to the answer to STARTTLS; it must not be read inside TLS."""

    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250-mail\r\n250 STARTTLS", b"220 go\r\n250-mail\r\n250 AUTH PLAIN\r\n25")
        await peer.gone()

    async def steps(session):
        await session.greet()
        await session.ehlo()
        with pytest.raises(TimeoutError):
            await session.starttls(ENDPOINT, TlsContexts())
        assert session.extensions == {}
        protocol = session._protocol
        assert (list(protocol._replies), protocol._lines, bytes(protocol._buffer)) == ([], [], b"")

    trace = await run(script, steps, timeout=1.0)
    assert "dropped" in text_of(trace)


# -- after the final dot ----------------------------------------------------------------------------------------------


async def take_the_message(peer: Peer):
    await peer.say(GREETING)
    await peer.dialogue("250 ok", "250 ok", "354 go on")
    while await peer.hear() != ".":
        pass


async def send(session: SmtpSession) -> None:
    await session.greet()
    await session.send("a@example.test", "b@example.test", b"Subject: x\r\n\r\nx\r\n")


async def test_a_loss_after_the_final_dot_leaves_the_submission_uncertain():
    async def steps(session):
        with pytest.raises(ProbeError) as caught:
            await send(session)
        assert caught.value.reason is Reason.SUBMISSION_UNCERTAIN
        assert session.handed_over_at is not None

    await run(take_the_message, steps)


async def test_a_silence_after_the_final_dot_leaves_the_submission_uncertain():
    async def script(peer: Peer):
        await take_the_message(peer)
        await peer.gone()

    async def steps(session):
        with pytest.raises(ProbeError) as caught:
            await send(session)
        assert caught.value.reason is Reason.SUBMISSION_UNCERTAIN
        assert caught.value.text == "after the whole message was sent: no reply in time"

    await run(script, steps, timeout=1.0)


async def test_a_refusal_after_the_final_dot_is_certain():
    async def script(peer: Peer):
        await take_the_message(peer)
        await peer.say("552 5.2.2 over quota")

    async def steps(session):
        with pytest.raises(Refusal, match=r"552 5\.2\.2 over quota"):
            await send(session)

    await run(script, steps)


async def test_a_loss_before_the_final_dot_is_certain():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250 ok", "250 ok")
        await peer.hear()

    async def steps(session):
        with pytest.raises(ServerClosed):
            await send(session)
        assert session.handed_over_at is None

    await run(script, steps)


async def test_a_line_break_in_an_address_is_not_sent():
    async def script(peer: Peer):
        await peer.say(GREETING)
        assert await peer.hear() == ""

    async def steps(session):
        await session.greet()
        with pytest.raises(ValueError, match="control character"):
            await session.send("a@example.test>\r\nRCPT TO:<x@example.test", "b@example.test", b"")

    await run(script, steps)


async def test_a_server_that_hangs_up_at_quit_has_said_goodbye():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.hear()

    async def steps(session):
        await session.greet()
        await session.quit()

    await run(script, steps)
