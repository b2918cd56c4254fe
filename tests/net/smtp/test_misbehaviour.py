"""Tests of the SMTP session with incorrect servers: an exception with the server's text, in bounded time and memory."""

import pytest

from exporter.model.errors import Garbage, Refusal, ServerClosed
from exporter.net.smtp.protocol import MAX_LINE, MAX_REPLY
from tests.net.lines_server import Peer
from tests.net.smtp.scene import GREETING, run, text_of


async def greet(session):
    await session.greet()


async def greet_and_ehlo(session):
    await session.greet()
    await session.ehlo()


async def closes_at_once(peer: Peer):
    pass


async def closes_after_half_a_line(peer: Peer):
    await peer.say(b"220 mail is ab")


async def refuses_at_greeting(peer: Peer):
    await peer.say("421-4.7.0 too many connections", "421 4.7.0 from your address")


async def closes_with_a_word_after_the_greeting(peer: Peer):
    await peer.say(GREETING, "421 4.3.2 shutting down")


async def closes_with_a_word_instead_of_an_answer(peer: Peer):
    await peer.say(GREETING)
    await peer.hear()
    await peer.say("421 4.4.2 timeout exceeded")


async def closes_in_a_reply(peer: Peer):
    await peer.say(GREETING)
    await peer.hear()
    await peer.say("250-mail.example.test", "250-SIZE 1")


async def speaks_gibberish(peer: Peer):
    await peer.say("complete nonsense")
    await peer.gone()


async def speaks_binary(peer: Peer):
    await peer.say(bytes(range(32)))
    await peer.gone()


async def speaks_imap(peer: Peer):
    await peer.say("* OK IMAP4rev1 ready")
    await peer.gone()


async def speaks_pop3(peer: Peer):
    await peer.say("+OK POP3 ready")
    await peer.gone()


async def speaks_http(peer: Peer):
    await peer.say("HTTP/1.1 400 Bad Request", "", "")


async def speaks_ssh(peer: Peer):
    await peer.say("SSH-2.0-OpenSSH_9.2")
    await peer.gone()


async def speaks_tls(peer: Peer):
    await peer.say(b"\x15\x03\x01\x00\x02\x02\x46")
    await peer.gone()


async def endless_line(peer: Peer):
    for _ in range(64):
        await peer.say(b"2" * 1024)
    await peer.gone()


async def endless_reply(peer: Peer):
    for _ in range(100):
        await peer.say("220-" + "x" * 1000)
    await peer.gone()


async def odd_code(peer: Peer):
    await peer.say("999 hello")
    await peer.gone()


async def gbk_refusal(peer: Peer):
    await peer.say("554 您的IP地址被拒绝\r\n".encode("gbk"))


async def answers_the_wrong_thing(peer: Peer):
    await peer.say(GREETING)
    await peer.dialogue("354 go on")


@pytest.mark.parametrize(
    ("script", "steps", "error", "text"),
    [
        (closes_at_once, greet, ServerClosed, ""),
        (closes_after_half_a_line, greet, ServerClosed, "220 mail is ab"),
        (refuses_at_greeting, greet, Refusal, "421-4.7.0 too many connections\n421 4.7.0 from your address"),
        (closes_with_a_word_after_the_greeting, greet_and_ehlo, Refusal, "421 4.3.2 shutting down"),
        (closes_with_a_word_instead_of_an_answer, greet_and_ehlo, Refusal, "421 4.4.2 timeout exceeded"),
        (closes_in_a_reply, greet_and_ehlo, ServerClosed, "250-mail.example.test\n250-SIZE 1"),
        (speaks_gibberish, greet, Garbage, "not SMTP: complete nonsense"),
        (speaks_binary, greet, Garbage, None),
        (speaks_imap, greet, Garbage, "expected SMTP, got IMAP: * OK IMAP4rev1 ready"),
        (speaks_pop3, greet, Garbage, "expected SMTP, got POP3: +OK POP3 ready"),
        (speaks_http, greet, Garbage, "expected SMTP, got HTTP: HTTP/1.1 400 Bad Request"),
        (speaks_ssh, greet, Garbage, "expected SMTP, got SSH: SSH-2.0-OpenSSH_9.2"),
        (speaks_tls, greet, Garbage, None),
        (endless_line, greet, Garbage, None),
        (endless_reply, greet, Garbage, None),
        (odd_code, greet, Garbage, "not SMTP: 999 hello"),
        (gbk_refusal, greet, Refusal, "554 您的IP地址被拒绝"),
        (answers_the_wrong_thing, greet_and_ehlo, Garbage, "the reply does not fit the command: 354 go on"),
    ],
)
async def test_misbehaviour_becomes_an_exception_with_the_servers_words(script, steps, error, text):
    async def fails(session):
        with pytest.raises(error) as caught:
            await steps(session)
        assert text is None or caught.value.text == text
        if error is Garbage:
            assert caught.value.wrong_protocol == ("expected" in caught.value.text)
            assert len(caught.value.text) < 300
        # A second call raises the same error, and nothing is sent on the dead connection.
        with pytest.raises((error, Garbage, Refusal, ServerClosed)):
            await session.rset()

    await run(script, fails, timeout=5)


async def test_a_greeting_that_comes_before_it_is_read_is_kept():
    async def script(peer: Peer):
        await peer.gone()

    async def steps(session):
        session._protocol.data_received(b"220 quick\r\n")
        await session.greet()
        assert session.greeting == "220 quick"

    await run(script, steps)


async def test_a_word_said_between_commands_is_the_answer_to_the_next_one():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250 mail")
        assert await peer.hear() == ""

    async def steps(session):
        await session.greet()
        await session.ehlo()
        session._protocol.data_received(b"421 4.4.2 you were idle for too long\r\n")
        with pytest.raises(Refusal, match="idle for too long"):
            await session.rset()

    await run(script, steps)


async def test_a_harmless_reply_that_nobody_asked_for_does_not_shift_the_dialogue():
    async def script(peer: Peer):
        await peer.say(GREETING)
        await peer.dialogue("250-mail\r\n250 SIZE 5")

    async def steps(session):
        await session.greet()
        session._protocol.data_received(b"220 and welcome again\r\n")
        await session.ehlo()
        assert session.size_limit == 5

    trace = await run(script, steps)
    assert "welcome again" in text_of(trace)


async def test_ten_thousand_replies_at_once_are_read_without_recursion():
    async def script(peer: Peer):
        await peer.say(b"220 x\r\n" * 10_000)
        await peer.gone()

    await run(script, greet)


async def test_a_hang_ends_with_the_time_limit_and_keeps_the_unfinished_line():
    async def script(peer: Peer):
        await peer.say(b"220-please wait\r\n220 still")
        await peer.gone()

    async def steps(session):
        with pytest.raises(TimeoutError):
            await session.greet()

    trace = await run(script, steps, timeout=0.5)
    assert "220-please wait" in text_of(trace)
    assert "220 still (unfinished line)" in text_of(trace)


async def test_the_bounds_are_as_documented():
    assert (MAX_LINE, MAX_REPLY) == (8192, 32768)
