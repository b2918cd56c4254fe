"""Tests that each error of an IMAP server raises an exception with the server's text at once, with bounded memory."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from exporter.model import Secret
from exporter.model.errors import Garbage, Refusal, ServerClosed
from exporter.model.trace import MAX_LINES as MAX_TRANSCRIPT
from exporter.model.trace import Trace
from exporter.net.imap.reader import MAX_LINES
from exporter.net.imap.session import ImapSession
from tests.net.script import LoudTrace, Script, served

HELLO = "S: * OK hello\n"
LOGIN = 'C: $ LOGIN "alice" "word"\n'


@contextlib.asynccontextmanager
async def session(text: str, *, slow: bool = False, timeout: float | None = None) -> AsyncIterator[ImapSession]:
    trace = LoudTrace()
    async with served(Script(text, slow=slow), trace) as wire:
        yield ImapSession(wire, trace, timeout=timeout)


def trace_of(imap: ImapSession) -> LoudTrace:
    assert isinstance(imap._trace, LoudTrace)
    return imap._trace


async def fault_of_greeting(text: str) -> Exception:
    async with session(text) as imap:
        with pytest.raises((Refusal, ServerClosed, Garbage)) as caught:
            await imap.greet()
        return caught.value


async def fault_of_login(text: str) -> Exception:
    async with session(HELLO + LOGIN + text) as imap:
        await imap.greet()
        with pytest.raises((Refusal, ServerClosed, Garbage)) as caught:
            await imap.login("alice", Secret("word"), "LOGIN")
        return caught.value


# -- at the greeting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["", "CLOSE"])
async def test_bye_at_the_greeting_keeps_its_text(end):
    fault = await fault_of_greeting(f"S: * BYE [UNAVAILABLE] Too many connections\n{end}")
    assert isinstance(fault, Refusal)
    assert (fault.code, fault.text) == ("BYE", "BYE [UNAVAILABLE] Too many connections")


async def test_a_server_that_closes_without_a_word():
    fault = await fault_of_greeting("CLOSE")
    assert isinstance(fault, ServerClosed)
    assert fault.text == ""


async def test_a_greeting_cut_short_is_last_words():
    fault = await fault_of_greeting("S= * BYE serv\nCLOSE")
    assert isinstance(fault, ServerClosed)
    assert fault.text == "* BYE serv"


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        b"220 mail.example.com ESMTP\r\n",
        b"+OK POP3 ready\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n<html>",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x03\x03\x00\x7a\x02",
    ],
)
async def test_another_protocol_is_recognised(line, slow):
    trace = Trace()
    async with served(Script(line, slow=slow), trace) as wire:
        with pytest.raises(Garbage) as caught:
            await ImapSession(wire, trace).greet()
    assert caught.value.wrong_protocol
    assert trace.lines[0].direction == "<"


async def test_another_protocol_is_recognised_by_half_a_line():
    fault = await fault_of_greeting("S= 220 mail.exam\nCLOSE")
    assert isinstance(fault, Garbage)
    assert fault.wrong_protocol


@pytest.mark.parametrize("line", ["S: hello there", "S: * HELLO", "S: A1 OK in", "S= \\x00\\x01\\x02\\x03\\x04"])
async def test_gibberish_is_garbage_but_no_known_protocol(line):
    fault = await fault_of_greeting(line)
    assert isinstance(fault, Garbage)
    assert not fault.wrong_protocol


async def test_an_endless_line_ends_the_session_and_closes_the_socket():
    trace = Trace()
    async with served(Script(b"* OK " + b"a" * 200_000), trace) as wire:
        with pytest.raises(Garbage, match="a line of more than"):
            await ImapSession(wire, trace).greet()
        assert wire.is_closing()


# -- during a session --------------------------------------------------------------------------------------------------


async def test_a_refusal_with_an_alert_keeps_it():
    fault = await fault_of_login("S: $ NO [ALERT] Your account is locked (Failure)")
    assert isinstance(fault, Refusal)
    assert (fault.code, fault.text) == ("NO", "NO [ALERT] Your account is locked (Failure)")


async def test_closing_at_login_is_not_a_timeout():
    fault = await fault_of_login("CLOSE")
    assert isinstance(fault, ServerClosed)
    assert fault.text == ""


async def test_last_words_before_closing_survive_even_unfinished():
    fault = await fault_of_login("S: * NO [ALERT] maintenance at noon\nS= * BYE we are clos\nCLOSE")
    assert isinstance(fault, ServerClosed)
    assert fault.text == "* NO [ALERT] maintenance at noon\n* BYE we are clos"


async def test_bye_and_closing_is_a_refusal_with_its_words():
    fault = await fault_of_login("S: * BYE [ALERT] Disconnected for inactivity\nCLOSE")
    assert isinstance(fault, Refusal)
    assert (fault.code, fault.text) == ("BYE", "BYE [ALERT] Disconnected for inactivity")


async def test_bye_without_closing_does_not_wait_for_the_deadline():
    fault = await fault_of_login("S: * BYE going down")
    assert isinstance(fault, Refusal)
    assert fault.text == "BYE going down"


@pytest.mark.parametrize("separator", ["", "--\n"])
async def test_a_tagged_no_explains_a_bye_better(separator):
    fault = await fault_of_login(f"S: * BYE bye\n{separator}S: $ NO [AUTHENTICATIONFAILED] no\nCLOSE")
    assert isinstance(fault, Refusal)
    assert (fault.code, fault.text) == ("NO", "NO [AUTHENTICATIONFAILED] no")


async def test_bye_between_commands_is_told_by_the_next_one():
    async with session(HELLO + "C: $ NOOP\nS: $ OK done\nS: * BYE Autologout; idle for too long\nCLOSE") as imap:
        await imap.greet()
        await imap.noop()
        await trace_of(imap).until("Autologout")
        with pytest.raises(Refusal, match="BYE Autologout; idle for too long"):
            await imap.noop()


@pytest.mark.parametrize(
    "line", ["S: nonsense", "S: A999 OK not our tag", "S: $ MAYBE", "S: + go on with what?", "S: $", "S: +OK hm"]
)
async def test_an_answer_that_is_none_is_garbage(line):
    fault = await fault_of_login(line)
    assert isinstance(fault, Garbage)


async def test_garbage_shows_control_characters_as_dots():
    fault = await fault_of_login("S= \\x1b[31mred\\x07\\r\\n")
    assert "\x1b" not in str(fault)
    assert "red" in str(fault)


async def test_a_huge_literal_ends_the_session():
    fault = await fault_of_login('S: * LIST () "/" {1073741824}')
    assert isinstance(fault, Garbage)
    assert "a literal of 1073741824 bytes" in fault.text


async def test_ten_thousand_lines_in_one_segment_are_read_without_recursion(caplog):
    caplog.set_level(logging.DEBUG)
    lines = "".join(f'S: * LIST () "/" f{number}\n' for number in range(10_000))
    text = f'S: * PREAUTH in\nC: $ LIST "" "*"\n{lines}S: $ OK done\nC: $ NOOP\nS: $ OK done'
    async with session(text) as imap:
        await imap.greet()
        folders = await imap.list()
        await imap.noop()
        assert folders[-1].name == "f4999"  # bounded
        assert len(trace_of(imap).lines) <= MAX_TRANSCRIPT + 1
    assert "aioimaplib" not in caplog.text


async def test_too_many_lines_end_the_session():
    fault = await fault_of_login("S: * OK still working\n" * (MAX_LINES + 1))
    assert isinstance(fault, Garbage)
    assert f"more than {MAX_LINES} lines" in fault.text


async def test_slow_bytes_and_cut_literals_are_only_slow():
    text = """
        S: * PREAUTH in
        C: $ LIST "" "*"
        S: * LIST (\\Sent) "/" {9}
        S: Gesendet!
        S: * LIST () "/" {0}
        S=  \\r\\n
        S: $ OK done
        """
    async with session(text, slow=True) as imap:
        await imap.greet()
        assert [folder.name for folder in await imap.list()] == ["Gesendet!", ""]


async def test_untagged_data_for_another_command_and_between_commands_is_taken_in_its_stride():
    text = (
        HELLO
        + """
        S: * CAPABILITY IMAP4rev1 LATE
        S: * 5 EXISTS
        C: $ NOOP
        S: * 1 FETCH (FLAGS ())
        S: * SEARCH 1 2 3
        S: * X-UNKNOWN "unfinished (
        S: $ OK done
        S: * 6 EXISTS
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1 LATER
        S: * OK something {5}
        S: $ OK done
        """
    )
    async with session(text) as imap:
        await imap.greet()
        await imap.noop()
        assert "LATE" in imap.capabilities
        await imap._ask("CAPABILITY")
        assert imap.capabilities == {"IMAP4REV1", "LATER"}


async def test_capability_without_an_answer_is_garbage():
    async with session(HELLO + "C: $ CAPABILITY\nS: $ OK done") as imap:
        await imap.greet()
        with pytest.raises(Garbage):
            await imap.capability()


# -- time ---------------------------------------------------------------------------------------------------------


async def test_a_command_that_takes_too_long_is_a_timeout_and_the_session_is_over():
    async with session(HELLO + LOGIN, timeout=0.5) as imap:
        await imap.greet()
        with pytest.raises(TimeoutError):
            await imap.login("alice", Secret("word"), "LOGIN")
        with pytest.raises(ServerClosed, match="given up while LOGIN was under way"):
            await imap.noop()


async def test_a_greeting_that_does_not_come_is_a_timeout():
    async with session("", timeout=0.02) as imap:
        with pytest.raises(TimeoutError):
            await imap.greet()


async def test_mail_is_not_quoted_when_the_connection_is_lost_within_it():
    text = """
        S: * PREAUTH in
        C: $ SELECT INBOX
        S: * 1 EXISTS
        S: $ OK done
        C: $ UID FETCH 1 (BODY.PEEK[]<0.100>)
        S: * 1 FETCH (UID 1 BODY[]<0> {100}
        S= Dear Bob, a private word
        CLOSE
        """
    async with session(text) as imap:
        await imap.greet()
        await imap.select("INBOX")
        with pytest.raises(ServerClosed) as caught:
            await imap.fetch_message(1, 100)
        assert "private" not in str(caught.value)
        assert not [line for line in trace_of(imap).lines if "private" in line.text]
