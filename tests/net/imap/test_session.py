"""Tests of the IMAP session with transcripts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
import uvloop

from exporter.model import Endpoint, Phase, Secret, Security, Service
from exporter.model.errors import ProbeError, Refusal, StartTlsUnavailable
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.imap.parser import Quota, Selected, Status
from exporter.net.imap.session import ImapSession
from exporter.net.tls import TlsContexts
from tests.canary import leaks
from tests.net.script import LoudTrace, Script, served
from tests.servers.certs import Authority

READY = "S: * OK [CAPABILITY IMAP4rev1 {}] ready\n"


@contextlib.asynccontextmanager
async def session(
    text: str, *, extra: str = "", logged_in: bool = False, context: ssl.SSLContext | None = None
) -> AsyncIterator[ImapSession]:
    """A session after its greeting, whose server plays `text`. The script must be played to its end."""
    trace = LoudTrace()
    greeting = READY.format(extra)
    if logged_in:
        greeting = f"S: * PREAUTH [CAPABILITY IMAP4rev1 {extra}] in\n"
    async with served(Script(greeting + text, context), trace) as wire:
        made = ImapSession(wire, trace)
        await made.greet()
        yield made


def trace_of(imap: ImapSession) -> LoudTrace:
    assert isinstance(imap._trace, LoudTrace)
    return imap._trace


# -- greeting and capabilities ------------------------------------------------------------------------------------


async def test_capabilities_of_the_greeting_are_not_asked_for_again():
    async with session("", extra="idle AUTH=PLAIN") as imap:
        await imap.capability()
        assert imap.capabilities == {"IMAP4REV1", "IDLE", "AUTH=PLAIN"}
        assert imap.greeting.endswith("ready")
        assert not imap.preauth


async def test_capabilities_are_asked_for_where_the_greeting_has_none():
    trace = Trace()
    script = Script("""
        S: * OK Hello
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1 QUOTA
        S: $ OK done
        """)
    async with served(script, trace) as wire:
        imap = ImapSession(wire, trace)
        await imap.greet()
        assert imap.capabilities == frozenset()
        await imap.capability()
        assert imap.capabilities == {"IMAP4REV1", "QUOTA"}


# -- login --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "encrypted", "offered", "chosen"),
    [
        ("auto", True, "AUTH=PLAIN AUTH=LOGIN", "PLAIN"),
        ("auto", True, "AUTH=XOAUTH2", "LOGIN"),
        ("auto", False, "AUTH=PLAIN", "LOGIN"),
        ("plain", False, "AUTH=PLAIN", "PLAIN"),
        ("login", True, "AUTH=PLAIN", "LOGIN"),
        ("auto", True, "AUTH=PLAIN LOGINDISABLED", "PLAIN"),
        ("auto", False, "AUTH=PLAIN LOGINDISABLED", Reason.TLS_REQUIRED),
        ("login", False, "STARTTLS LOGINDISABLED", Reason.TLS_REQUIRED),
        ("plain", True, "AUTH=LOGIN", Reason.AUTH_MISSING),
        ("login", True, "AUTH=PLAIN LOGINDISABLED", Reason.AUTH_MISSING),
        ("auto", True, "AUTH=XOAUTH2 LOGINDISABLED", Reason.OAUTH_REQUIRED),
    ],
)
async def test_exactly_one_mechanism_is_chosen(auth, encrypted, offered, chosen):
    async with session("", extra=offered) as imap:
        if isinstance(chosen, str) and not isinstance(chosen, Reason):
            assert imap.choose_mechanism(auth, encrypted=encrypted) == chosen
        else:
            with pytest.raises(ProbeError) as caught:
                imap.choose_mechanism(auth, encrypted=encrypted)
            assert caught.value.reason is chosen
            assert "LOGIN" in caught.value.text


async def test_plain_with_an_initial_response():
    text = "C: $ AUTHENTICATE PLAIN AGFsaWNlAHdvcmQ=\nS: $ OK [CAPABILITY IMAP4rev1 QUOTA] in"
    async with session(text, extra="SASL-IR AUTH=PLAIN") as imap:
        await imap.login("alice", Secret("word"), "PLAIN")
        await imap.capability()
        assert imap.capabilities == {"IMAP4REV1", "QUOTA"}


@pytest.mark.parametrize("extra", ["AUTH=PLAIN", "AUTH=PLAIN SASL-IR X-CM-EXT-1"])
async def test_plain_waits_for_the_challenge_where_sasl_ir_is_missing_or_known_to_be_refused(extra):
    text = """
        C: $ AUTHENTICATE PLAIN
        S: +
        C: AGFsaWNlAHdvcmQ=
        S: $ OK in
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1
        S: $ OK
        """
    async with session(text, extra=extra) as imap:
        await imap.login("alice", Secret("word"), "PLAIN")
        await imap.capability()
        assert imap.capabilities == {"IMAP4REV1"}


@pytest.mark.parametrize(
    ("user", "word", "line"),
    [
        ("alice", "word", '"alice" "word"'),
        ('al"ice', 'wo rd\\"', '"al\\"ice" "wo rd\\\\\\""'),
        ("", "", '"" ""'),
        ("a*%(){}]", "x", '"a*%(){}]" "x"'),
    ],
)
async def test_login_quotes_user_name_and_password(user, word, line):
    async with session(f"C: $ LOGIN {line}\nS: $ OK in") as imap:
        await imap.login(user, Secret(word), "LOGIN")


async def test_login_sends_what_cannot_be_quoted_as_literals():
    text = """
        C: $ LOGIN {6}
        S: + go on
        C= 用户
        C:  {6}
        S: +
        C= 密码
        C:
        S: $ OK in
        """
    async with session(text) as imap:
        await imap.login("用户", Secret("密码"), "LOGIN")


async def test_login_sends_literals_in_one_write_where_the_server_takes_them():
    text = """
        C: $ LOGIN "alice" {6+}
        C= 密码
        C:
        S: $ OK in
        """
    async with session(text, extra="LITERAL+") as imap:
        await imap.login("alice", Secret("密码"), "LOGIN")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(
    ("user", "word"), [("alice\r\nA2 LOGOUT", "word"), ("alice", "canary\n"), ("a", "canary\0"), ("a", "canary\ud800")]
)
async def test_what_would_end_the_line_is_not_sent(mechanism, user, word):
    async with session("", extra="AUTH=PLAIN SASL-IR") as imap:
        with pytest.raises(ProbeError) as caught:
            await imap.login(user, Secret(word), mechanism)
        assert caught.value.reason is Reason.CONFIG
        assert "canary" not in str(caught.value)


async def test_a_refused_login_keeps_the_servers_complete_words():
    text = """
        C: $ LOGIN "alice" "word"
        S: * NO [ALERT] Visit the web page first
        S: $ NO [AUTHENTICATIONFAILED] Invalid credentials
        """
    async with session(text) as imap:
        with pytest.raises(Refusal) as caught:
            await imap.login("alice", Secret("word"), "LOGIN")
        assert (caught.value.protocol, caught.value.code) == (Service.IMAP, "NO")
        assert caught.value.text == (
            "NO [AUTHENTICATIONFAILED] Invalid credentials\n* NO [ALERT] Visit the web page first"
        )


async def test_words_in_gb18030_are_readable():
    refused = "登录失败".encode("gb18030")
    line = "".join(f"\\x{byte:02x}" for byte in refused)
    async with session(f'C: $ LOGIN "alice" "word"\nS= $ NO {line}\\r\\n') as imap:
        with pytest.raises(Refusal, match="NO 登录失败"):
            await imap.login("alice", Secret("word"), "LOGIN")


async def test_a_challenge_after_our_last_word_is_cancelled_and_told():
    text = """
        C: $ AUTHENTICATE PLAIN AGFsaWNlAHdvcmQ=
        S: + eyJzdGF0dXMiOiI0MDAifQ==
        C: *
        S: $ BAD cancelled
        """
    async with session(text, extra="SASL-IR") as imap:
        with pytest.raises(Refusal) as caught:
            await imap.login("alice", Secret("word"), "PLAIN")
        assert caught.value.text == "BAD cancelled\n+ eyJzdGF0dXMiOiI0MDAifQ=="


@pytest.mark.parametrize(
    ("mechanism", "extra", "dialogue"),
    [
        ("PLAIN", "SASL-IR", "C: $ AUTHENTICATE PLAIN AGFsaWNlAGNhbicnIGFyeSJcd29yZA=="),
        ("PLAIN", "", "C: $ AUTHENTICATE PLAIN\nS: +\nC: AGFsaWNlAGNhbicnIGFyeSJcd29yZA=="),
        ("LOGIN", "", 'C: $ LOGIN "alice" "can\'\' ary\\"\\\\word"'),
    ],
)
async def test_the_credential_is_in_no_transcript_and_no_exception_even_where_the_server_echoes_it(
    mechanism, extra, dialogue
):
    word = "can'' ary\"\\word"
    text = f"""{dialogue}
        S: * NO you said AGFsaWNlAGNhbicnIGFyeSJcd29yZA==
        S: $ NO no user alice with {word} or "can'' ary\\"\\\\word"
        """
    async with session(text, extra=extra) as imap:
        with pytest.raises(Refusal) as caught:
            await imap.login("alice", Secret(word), mechanism)
        assert leaks(word, [trace_of(imap).text, str(caught.value), repr(caught.value)]) == []
        assert "<secret>" in trace_of(imap).text
        assert "<secret>" in caught.value.text


# -- STARTTLS -----------------------------------------------------------------------------------------------------

ENDPOINT = Endpoint("localhost", 143, Security.STARTTLS, Service.IMAP)


def trusting(authority: Authority) -> Endpoint:
    return Endpoint("localhost", 143, Security.STARTTLS, Service.IMAP, ca_file=authority.ca_file)


async def test_starttls_forgets_all_that_came_in_plain_text(authority):
    text = """
        C: $ STARTTLS
        S: $ OK begin
        S: * OK [CAPABILITY IMAP4rev1 INJECTED] injected
        S= * half a li
        TLS
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
        S: $ OK done
        C: $ NOOP
        S: $ OK done
        """
    async with session(text, extra="STARTTLS X-OLD", context=authority.good("localhost").context()) as imap:
        await imap.starttls(trusting(authority), TlsContexts())
        assert imap.capabilities == frozenset()
        await imap.capability()
        assert imap.capabilities == {"IMAP4REV1", "AUTH=PLAIN"}
        await imap.noop()
        assert [phase for phase, _ in trace_of(imap).phases] == [Phase.STARTTLS, Phase.TLS]
        assert "INJECTED" not in trace_of(imap).text
        assert "are ignored" in trace_of(imap).text


async def test_starttls_that_is_not_offered_is_not_tried():
    async with session("", extra="AUTH=PLAIN") as imap:
        with pytest.raises(StartTlsUnavailable, match="AUTH=PLAIN"):
            await imap.starttls(ENDPOINT, TlsContexts())


async def test_starttls_after_preauth_is_not_tried():
    async with session("", extra="STARTTLS", logged_in=True) as imap:
        with pytest.raises(StartTlsUnavailable, match="PREAUTH"):
            await imap.starttls(ENDPOINT, TlsContexts())


@pytest.mark.parametrize("answer", ["NO no certificate", "BAD unknown command"])
async def test_starttls_that_is_refused_keeps_the_words(answer):
    async with session(f"C: $ STARTTLS\nS: $ {answer}", extra="STARTTLS") as imap:
        with pytest.raises(StartTlsUnavailable, match=answer):
            await imap.starttls(ENDPOINT, TlsContexts())


# -- folders ------------------------------------------------------------------------------------------------------


async def test_list_asks_for_special_use_where_it_must_and_examine_gives_names_back_as_they_came():
    text = """
        C: $ LIST "" "*" RETURN (SPECIAL-USE)
        S: * LIST (\\\\HasNoChildren) "/" INBOX
        S: * LIST (\\\\Junk) "/" "&V4NXPpCuTvY-"
        S: * LIST () "/" {7}
        S: a "b" c
        S: * LIST nonsense
        S: * LIST () "/" "直接"
        S: $ OK done
        C: $ EXAMINE "&V4NXPpCuTvY-"
        S: $ OK [READ-ONLY] done
        C: $ EXAMINE "&V4NXPpCuTvY-"
        S: $ OK [READ-ONLY] done
        C: $ EXAMINE "a \\"b\\" c"
        S: $ OK done
        C: $ EXAMINE {6}
        S: + go on
        C= 直接
        C:
        S: $ OK done
        """.replace("\\\\", "\\")
    async with session(text, extra="SPECIAL-USE LIST-EXTENDED", logged_in=True) as imap:
        folders = await imap.list()
        assert [folder.decoded for folder in folders] == ["INBOX", "垃圾邮件", 'a "b" c', "直接"]
        await imap.examine(folders[1].name)
        await imap.examine("垃圾邮件")
        await imap.examine(folders[2].name)
        await imap.examine(folders[3].name)


async def test_examine_tells_what_select_told():
    text = """
        C: $ EXAMINE INBOX
        S: * FLAGS (\\Seen)
        S: * 17 EXISTS
        S: * 0 RECENT
        S: * OK [UNSEEN 3] first
        S: * OK [UIDVALIDITY 3857529045] valid
        S: * OK [UIDNEXT 4392] next
        S: * OK [PERMANENTFLAGS (\\Deleted \\*)] some
        S: $ OK [READ-ONLY] done
        C: $ SELECT INBOX
        S: * 1 EXISTS
        S: $ OK [READ-WRITE] done
        """
    async with session(text, logged_in=True) as imap:
        assert await imap.examine("inbox") == Selected(17, 3857529045, 4392, True, frozenset({"\\deleted", "\\*"}))
        assert await imap.select("INBOX") == Selected(1, 0, None, False)


async def test_status_and_quota():
    text = """
        C: $ STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)
        S: * 3 EXISTS
        S: * STATUS INBOX (MESSAGES 3 UNSEEN 1 UIDNEXT 9 UIDVALIDITY 2)
        S: $ OK done
        C: $ STATUS "Sent Items" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)
        S: $ OK done
        C: $ GETQUOTAROOT INBOX
        S: * QUOTAROOT INBOX "User quota" ""
        S: * QUOTA "User quota" (STORAGE 10 512 MESSAGE 4 5)
        S: * QUOTA "" ()
        S: $ OK done
        """
    async with session(text, logged_in=True) as imap:
        assert await imap.status("INBOX") == Status(3, 1, 9, 2)
        assert await imap.status("Sent Items") == Status()
        assert await imap.quota() == (Quota("User quota", 10240, 524288, 4, 5), Quota(""))


async def test_id_names_us():
    async with session('C: $ ID ("name" "mailprobe" "version" "0.1.0")\nS: * ID NIL\nS: $ OK done') as imap:
        await imap.id()


# -- messages -----------------------------------------------------------------------------------------------------

OPEN = "C: $ SELECT INBOX\nS: * {} EXISTS\nS: $ OK done\n"


async def test_messages_are_found_and_fetched_by_uid_without_search_and_without_marking_them():
    text = (
        OPEN.format(3)
        + """
        C: $ FETCH * (INTERNALDATE)
        S: * 3 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700")
        S: $ OK done
        C: $ UID FETCH 7:* (FLAGS)
        S: * 3 FETCH (UID 9 FLAGS ())
        S: * 2 FETCH (UID 8 FLAGS (\\Seen))
        S: * 1 FETCH (UID 6 FLAGS (\\Seen))
        S: * 2 FETCH (FLAGS ())
        S: $ OK done
        C: $ UID FETCH 8,9 (BODY.PEEK[HEADER.FIELDS (X-A Received)]<0.8192>)
        S: * 2 FETCH (UID 8 BODY[HEADER.FIELDS (X-A Received)] {8}
        S= X-A: 1\\r\\n UID 8)\\r\\n
        S: * 3 FETCH (UID 9 BODY[HEADER.FIELDS ("X-A" "Received")] "")
        S: $ OK done
        C: $ UID FETCH 8 (BODY.PEEK[]<0.4>)
        S: * 2 FETCH (UID 8 BODY[]<0> {4}
        S= X-A:)\\r\\n
        S: $ OK done
        C: $ UID FETCH 5 (BODY.PEEK[]<0.524288>)
        S: $ OK done
        C: $ UID STORE 8 +FLAGS.SILENT (\\Deleted)
        S: $ OK done
        C: $ UID EXPUNGE 8
        S: * 2 EXPUNGE
        S: $ OK done
        """
    )
    async with session(text, extra="UIDPLUS", logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.newest() == 837596665.0
        assert await imap.uids_from(7) == [8, 9]
        assert await imap.fetch_headers([8, 9], ["X-A", "Received"]) == {8: b"X-A: 1\r\n", 9: b""}
        assert await imap.fetch_message(8, 4) == b"X-A:"
        with pytest.raises(ProbeError) as caught:
            await imap.fetch_message(5, 10**9)
        assert caught.value.reason is Reason.MESSAGE_MISSING
        assert await imap.delete(8) is True
        assert "X-A: 1" not in trace_of(imap).text


async def test_without_uidplus_a_message_is_only_marked():
    text = OPEN.format(3) + "C: $ UID STORE 8 +FLAGS.SILENT (\\Deleted)\nS: $ OK done"
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.delete(8) is False


async def test_headers_are_fetched_in_batches():
    first, second = ",".join(map(str, range(1, 51))), "51"
    text = (
        OPEN.format(3)
        + f"""
        C: $ UID FETCH {first} (BODY.PEEK[HEADER.FIELDS (X)]<0.8192>)
        S: $ OK done
        C: $ UID FETCH {second} (BODY.PEEK[HEADER.FIELDS (X)]<0.8192>)
        S: $ OK done
        """
    )
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.fetch_headers(range(1, 52), ["X"]) == {}


async def test_an_empty_folder_has_no_newest_message_and_nothing_is_asked():
    async with session(OPEN.format(0), logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.newest() is None


# -- IDLE ---------------------------------------------------------------------------------------------------------


async def test_idle_ends_when_a_message_is_announced():
    text = (
        OPEN.format(3)
        + """
        C: $ IDLE
        S: + idling
        --
        S: * OK Still here
        --
        S: * 4 EXISTS
        C: DONE
        S: $ OK done
        C: $ UID FETCH 9:* (FLAGS)
        S: $ OK done
        """
    )
    async with session(text, extra="IDLE", logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.idle(60) is True
        assert await imap.uids_from(9) == []


async def test_idle_ends_after_the_time_and_the_session_goes_on():
    text = (
        OPEN.format(3)
        + """
        C: $ IDLE
        S: + idling
        C: DONE
        S: $ OK done
        C: $ NOOP
        S: $ OK done
        """
    )
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.idle(0.02) is False
        await imap.noop()


def test_idle_ends_after_the_time_on_uvloop_too():
    """On uvloop, a timer may run a rounding error before its time."""
    waits = 100
    once = "C: $ IDLE\nS: + idling\nC: DONE\nS: $ OK done\n"

    async def wait() -> None:
        async with asyncio.timeout(60), session(OPEN.format(3) + waits * once, logged_in=True) as imap:
            await imap.select("INBOX")
            for number in range(waits):
                assert await imap.idle(0.001 + number % 7 / 1000) is False

    uvloop.run(wait())


async def test_idle_does_not_wait_for_what_was_announced_since_the_last_look():
    text = (
        OPEN.format(3)
        + """
        C: $ UID FETCH 4:* (FLAGS)
        S: * 4 EXISTS
        S: $ OK done
        C: $ UID FETCH 4:* (FLAGS)
        S: $ OK done
        C: $ IDLE
        S: + idling
        C: DONE
        S: $ OK done
        """
    )
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        await imap.uids_from(4)
        assert await imap.idle(60) is True
        await imap.uids_from(4)
        assert await imap.idle(0.02) is False


async def test_a_message_that_replaces_another_is_news_and_a_repeated_count_is_not():
    text = (
        OPEN.format(3)
        + """
        C: $ IDLE
        S: + idling
        S: * 3 EXISTS
        --
        S: * 1 EXPUNGE
        S: * 3 EXISTS
        C: DONE
        S: $ OK done
        """
    )
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.idle(60) is True


@pytest.mark.parametrize(("exists", "answer", "uid"), [(3, "S: * 3 FETCH (UID 41)", 42), (3, "", 1), (0, None, 1)])
async def test_the_following_uid_is_told_by_the_last_message(exists, answer, uid):
    asked = "" if answer is None else f"C: $ FETCH * (UID)\n{answer}\nS: $ OK done"
    async with session(OPEN.format(exists) + asked, logged_in=True) as imap:
        await imap.select("INBOX")
        assert await imap.following_uid() == uid


async def test_noop_learns_of_new_messages_too():
    text = OPEN.format(3) + "C: $ NOOP\nS: * 4 EXISTS\nS: $ OK done"
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        await imap.noop()
        assert await imap.idle(60) is True


async def test_idle_that_is_refused_is_not_ended_with_done():
    text = OPEN.format(3) + "C: $ IDLE\nS: $ NO not here\nC: $ NOOP\nS: $ OK done"
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        with pytest.raises(Refusal, match="NO not here"):
            await imap.idle(60)
        await imap.noop()


async def test_idle_that_is_cancelled_says_done():
    text = OPEN.format(3) + "C: $ IDLE\nS: + idling\nC: DONE"
    async with session(text, logged_in=True) as imap:
        await imap.select("INBOX")
        waiting = asyncio.create_task(imap.idle(60))
        await trace_of(imap).until("idling")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


# -- the end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [
        "S: * BYE see you\nS: $ OK done",
        "S: * BYE see you\nCLOSE",
        "CLOSE",
        "S: $ BAD what?",
        "S: $ OK",
        "S= * BY\nCLOSE",
    ],
)
async def test_logout_is_fine_whatever_the_server_says_to_it(end):
    async with session("C: $ LOGOUT\n" + end) as imap:
        await imap.logout()
