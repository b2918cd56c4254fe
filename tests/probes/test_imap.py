"""Tests of the imap probe with a scripted server: its dialogue, its facts, and where it fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from exporter.credentials.access_tokens import AccessTokens
from exporter.credentials.guard import LoginGuard
from exporter.diagnosis.diagnose import diagnose
from exporter.model import Endpoint, FactName, Login, LoginRecord, Phase, Secret, Security, Service
from exporter.model.errors import ProbeError, Refusal, StartTlsUnavailable
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.probes import imap
from exporter.probes.context import Context
from tests.canary import leaks
from tests.net.script import LoudTrace, Script, listening
from tests.servers.certs import Authority

WORD = "canary-word-7"
SASL = "AGFsaWNlAGNhbmFyeS13b3JkLTc="


class Source:
    async def read(self) -> Secret:
        return Secret(WORD)


class Logins:
    """Returns the secret and records this, as the login guard does."""

    @contextlib.asynccontextmanager
    async def attempt(self, login: Login, trace: Trace, token: None = None) -> AsyncIterator[Secret]:
        trace.login = LoginRecord(attempted=True)
        yield await login.source.read()


def world() -> Context:
    contexts, logins = TlsContexts(), Logins()
    tokens = AccessTokens(Resolver([]), contexts, cast("LoginGuard", logins))
    return cast("Context", SimpleNamespace(resolver=None, contexts=contexts, logins=logins, tokens=tokens))


async def run(
    text: str,
    authority: Authority | None = None,
    security: Security = Security.PLAIN,
    *,
    trace: LoudTrace | None = None,
    **more: Any,
) -> LoudTrace:
    """Run the probe against the script."""
    trace = trace or LoudTrace()
    context = authority.good("127.0.0.1").context() if authority else None
    script = Script(text, context)
    async with listening(script, context if security is Security.TLS else None) as port:
        ca_file = authority.ca_file if authority else None
        endpoint = Endpoint("127.0.0.1", port, security, Service.IMAP, ca_file=ca_file)
        settings = imap.Settings(endpoint, Login("alice", "alice", Source()), **more)
        try:
            await imap.probe(settings, world(), trace)
        finally:
            assert leaks(WORD, [trace.text, *map(str, trace.facts)]) == []
    return trace


def facts(trace: Trace, *names: FactName) -> dict[tuple[str, ...], float | str]:
    """The wanted facts by their name and labels."""
    return {(fact.name.value, *fact.labels): fact.value for fact in trace.facts if fact.name in names}


def phases(trace: Trace) -> list[Phase]:
    return [phase for phase, _ in trace.phases]


STATUS = "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"
SHORT = f"""
    C: $ LIST "" "*"
    S: * LIST () "/" INBOX
    S: $ OK done
    C: $ STATUS INBOX {STATUS}
    S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
    S: $ OK done
    C: $ EXAMINE INBOX
    S: * 0 EXISTS
    S: $ OK [READ-ONLY] done
    """
END = """
    C: $ LOGOUT
    S: * BYE see you
    S: $ OK done
    """


async def test_one_login_tells_everything(authority):
    trace = await run(
        f"""
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Test ready
        C: $ AUTHENTICATE PLAIN {SASL}
        S: $ OK [CAPABILITY IMAP4rev1 QUOTA] in
        C: $ LIST "" "*"
        S: * LIST () "/" INBOX
        S: * LIST (\\Junk) "/" "&V4NXPpCuTvY-"
        S: * LIST () "/" "Sent Items"
        S: * LIST () "/" Work
        S: $ OK done
        C: $ STATUS INBOX {STATUS}
        S: * STATUS INBOX (MESSAGES 3 UNSEEN 1 UIDNEXT 9 UIDVALIDITY 2)
        S: $ OK done
        C: $ STATUS "Sent Items" {STATUS}
        S: $ NO [NOPERM] not for you
        C: $ STATUS "&V4NXPpCuTvY-" {STATUS}
        S: * STATUS "&V4NXPpCuTvY-" (MESSAGES 7)
        S: $ OK done
        C: $ STATUS "Work" {STATUS}
        S: * STATUS Work (MESSAGES 1 UNSEEN 1)
        S: $ OK done
        C: $ EXAMINE INBOX
        S: * 3 EXISTS
        S: $ OK [READ-ONLY] done
        C: $ FETCH * (INTERNALDATE)
        S: * 3 FETCH (INTERNALDATE "17-Jul-1996 02:44:25 -0700")
        S: $ OK done
        C: $ EXAMINE "Work"
        S: * 1 EXISTS
        S: $ OK done
        C: $ GETQUOTAROOT INBOX
        S: * QUOTAROOT INBOX "User quota"
        S: * QUOTA "User quota" (STORAGE 10 512)
        S: $ OK done
        {END}""",
        authority,
        Security.TLS,
        folders=("INBOX", "Work"),
    )
    assert facts(trace, FactName.MECHANISM, FactName.GREETING) == {
        ("mechanism",): "PLAIN",
        ("greeting",): "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Test ready",
    }
    assert facts(trace, FactName.FOLDER_NAME, FactName.FOLDER_MESSAGES, FactName.FOLDER_UNSEEN) == {
        ("folder_name", "inbox"): "INBOX",
        ("folder_messages", "inbox"): 3,
        ("folder_unseen", "inbox"): 1,
        ("folder_name", "sent"): "Sent Items",
        ("folder_name", "junk"): "垃圾邮件",
        ("folder_messages", "junk"): 7,
        ("folder_name", "other1"): "Work",
        ("folder_messages", "other1"): 1,
        ("folder_unseen", "other1"): 1,
    }
    assert facts(trace, FactName.FOLDER_NEWEST) == {("folder_newest", "inbox"): 837596665.0}
    assert facts(trace, FactName.QUOTA_USED_BYTES, FactName.QUOTA_LIMIT_BYTES) == {
        ("quota_used_bytes", "User quota"): 10240,
        ("quota_limit_bytes", "User quota"): 524288,
    }
    assert phases(trace) == [
        Phase.CONNECT,
        Phase.TLS,
        Phase.GREETING,
        Phase.LOGIN,
        Phase.FOLDERS,
        Phase.SELECT,
        Phase.QUOTA,
        Phase.LOGOUT,
    ]
    assert any("NOPERM" in line.text and line.direction == "#" for line in trace.lines)


async def test_folders_are_counted_in_one_answer_where_the_server_can_and_one_it_leaves_out_is_asked_for():
    """LIST-STATUS (RFC 5819); a name that LIST would take for a pattern is asked for alone too."""
    offered = "IMAP4rev1 LIST-EXTENDED LIST-STATUS"
    trace = await run(
        f"""
        S: * OK [CAPABILITY {offered}] ready
        C: $ LOGIN "alice" "{WORD}"
        S: $ OK [CAPABILITY {offered}] in
        C: $ LIST "" "*"
        S: * LIST () "/" INBOX
        S: * LIST () "/" "Sent Items"
        S: * LIST () "/" Trash
        S: * LIST () "/" "a*b"
        S: $ OK done
        C: $ LIST "" (INBOX "Sent Items" "Trash") RETURN (STATUS (MESSAGES UNSEEN))
        S: * LIST () "/" INBOX
        S: * STATUS INBOX (MESSAGES 3 UNSEEN 1)
        S: * LIST () "/" "Sent Items"
        S: * STATUS "Sent Items" (MESSAGES 7 UNSEEN 0)
        S: $ OK done
        C: $ STATUS "Trash" {STATUS}
        S: $ NO [NOPERM] not for you
        C: $ STATUS "a*b" {STATUS}
        S: * STATUS "a*b" (MESSAGES 2)
        S: $ OK done
        C: $ EXAMINE INBOX
        S: * 0 EXISTS
        S: $ OK [READ-ONLY] done
        C: $ EXAMINE "a*b"
        S: * 2 EXISTS
        S: $ OK done
        {END}""",
        folders=("a*b",),
    )
    assert facts(trace, FactName.FOLDER_MESSAGES, FactName.FOLDER_UNSEEN) == {
        ("folder_messages", "inbox"): 3,
        ("folder_unseen", "inbox"): 1,
        ("folder_messages", "sent"): 7,
        ("folder_unseen", "sent"): 0,
        ("folder_messages", "other1"): 2,
    }


async def test_starttls_asks_for_capabilities_again_and_then_logs_in(authority):
    trace = await run(
        f"""
        S: * OK ready
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
        S: $ OK done
        C: $ STARTTLS
        S: $ OK begin
        TLS
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR
        S: $ OK done
        C: $ AUTHENTICATE PLAIN {SASL}
        S: * CAPABILITY IMAP4rev1
        S: $ OK in
        {SHORT}{END}""",
        authority,
        Security.STARTTLS,
    )
    wanted = [Phase.CONNECT, Phase.GREETING, Phase.CAPABILITY, Phase.STARTTLS, Phase.TLS, Phase.LOGIN]
    assert phases(trace)[: len(wanted)] == wanted


async def test_without_starttls_no_password_is_sent():
    trace = LoudTrace()
    with pytest.raises(StartTlsUnavailable):
        await run("S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready", security=Security.STARTTLS, trace=trace)
    assert trace.failed_phase is Phase.STARTTLS
    assert not trace.login.attempted


async def test_a_plain_connection_logs_in_only_where_the_server_lets_it():
    trace = LoudTrace()
    with pytest.raises(ProbeError) as caught:
        await run("S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready", trace=trace)
    assert caught.value.reason is Reason.TLS_REQUIRED
    assert not trace.login.attempted


async def test_a_refused_login_fails_in_login_and_ends_the_run():
    trace = LoudTrace()
    text = f"""
        S: * OK [CAPABILITY IMAP4rev1] ready
        C: $ LOGIN "alice" "{WORD}"
        S: $ NO [AUTHENTICATIONFAILED] wrong: {WORD}
        """
    with pytest.raises(Refusal, match=r"NO \[AUTHENTICATIONFAILED\] wrong: <secret>"):
        await run(text, trace=trace)
    assert trace.failed_phase is Phase.LOGIN


@pytest.mark.parametrize(
    ("announced", "needs_id", "before", "after"),
    [
        ("ID", True, True, True),
        ("", True, False, True),
        ("ID", False, False, False),
        ("ID X-CM-EXT-1", False, True, True),
    ],
)
async def test_id_is_said_where_the_provider_wants_it_and_a_refusal_of_it_is_no_failure(
    announced, needs_id, before, after
):
    said = 'C: $ ID ("name" "mailprobe" "version" "0.1.0")\nS: $ BAD what?\n'
    trace = await run(
        f"""
        S: * OK [CAPABILITY IMAP4rev1 {announced}] ready
        {said if before else ""}
        C: $ LOGIN "alice" "{WORD}"
        S: $ OK [CAPABILITY IMAP4rev1 {announced}] in
        {said if after else ""}
        {SHORT}{END}""",
        needs_id=needs_id,
    )
    assert (Phase.ID in phases(trace)) is (before or after)
    assert trace.failed_phase is None


async def test_inbox_that_cannot_be_opened_is_a_failure():
    trace = LoudTrace()
    text = f"""
        S: * OK [CAPABILITY IMAP4rev1] ready
        C: $ LOGIN "alice" "{WORD}"
        S: $ OK [CAPABILITY IMAP4rev1] in
        C: $ LIST "" "*"
        S: $ OK done
        C: $ STATUS INBOX {STATUS}
        S: $ NO not yet
        C: $ EXAMINE INBOX
        S: $ NO EXAMINE Unsafe Login. Please contact kefu@188.com for help
        """
    with pytest.raises(Refusal, match="Unsafe Login"):
        await run(text, trace=trace)
    assert trace.failed_phase is Phase.SELECT


@pytest.mark.parametrize("listed", [False, True])
async def test_a_configured_folder_that_is_missing_is_a_failure(listed):
    short, after = SHORT, ""
    if listed:  # and gone when it is opened
        line = '    S: * LIST () "/" INBOX\n'
        short = SHORT.replace(line, line + '    S: * LIST () "/" Work\n')
        line = "    C: $ EXAMINE INBOX\n"
        short = short.replace(line, f'    C: $ STATUS "Work" {STATUS}\n    S: $ NO gone\n' + line)
        after = 'C: $ EXAMINE "Work"\nS: $ NO [NONEXISTENT] gone'
    text = f"""
        S: * OK [CAPABILITY IMAP4rev1] ready
        C: $ LOGIN "alice" "{WORD}"
        S: $ OK [CAPABILITY IMAP4rev1] in
        {short}
        {after}"""
    trace = LoudTrace()
    with pytest.raises(ProbeError) as caught:
        await run(text, trace=trace, folders=("INBOX", "Work"))
    assert caught.value.reason is Reason.FOLDER_MISSING
    assert "Work" in caught.value.text
    assert trace.failed_phase is Phase.SELECT


async def test_a_session_that_is_logged_in_by_other_means_gets_no_password(authority):
    """RFC 3501 section 7.1.4: after PREAUTH a LOGIN is an error."""
    trace = await run(f"S: * PREAUTH [CAPABILITY IMAP4rev1] in\n{SHORT}\nC: $ LOGOUT\nCLOSE", authority, Security.TLS)
    assert Phase.LOGIN not in phases(trace)
    assert not trace.credential_sent
    assert any("PREAUTH: no password is sent" in line.text for line in trace.lines)


async def test_closing_at_logout_is_no_failure():
    trace = await run(f"""
        S: * OK [CAPABILITY IMAP4rev1] ready
        C: $ LOGIN "alice" "{WORD}"
        S: $ OK [CAPABILITY IMAP4rev1] in
        {SHORT}
        C: $ LOGOUT
        CLOSE
        """)
    assert phases(trace)[-1] is Phase.LOGOUT
    assert trace.failed_phase is None


async def test_a_password_that_the_server_gives_back_as_a_name_is_shown_nowhere(authority):
    """A hostile server knows it after the login: it must not appear as a folder, a capability or a quota root."""
    trace = await run(
        f"""
        S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Test ready
        C: $ AUTHENTICATE PLAIN {SASL}
        S: $ OK [CAPABILITY IMAP4rev1 QUOTA {WORD}] in
        C: $ LIST "" "*"
        S: * LIST () "/" INBOX
        S: * LIST (\\Junk) "/" "{WORD}"
        S: $ OK done
        C: $ STATUS INBOX {STATUS}
        S: $ OK done
        C: $ STATUS "{WORD}" {STATUS}
        S: * STATUS "{WORD}" (MESSAGES 7)
        S: $ OK done
        C: $ EXAMINE INBOX
        S: * 0 EXISTS
        S: $ OK done
        C: $ GETQUOTAROOT INBOX
        S: * QUOTA {WORD} (STORAGE 1 2)
        S: $ OK done
        """
        + END,
        authority,
        Security.TLS,
    )
    assert facts(trace, FactName.FOLDER_NAME)["folder_name", "junk"] == "<secret>"
    assert facts(trace, FactName.FOLDER_MESSAGES) == {("folder_messages", "junk"): 7}
    assert facts(trace, FactName.QUOTA_USED_BYTES) == {("quota_used_bytes", "<secret>"): 1024}
    assert not [line for line in trace.lines if WORD.upper() in line.text.upper()]
    assert not [fact for fact in trace.facts if WORD.upper() in str(fact).upper()]


async def test_a_missing_folders_neighbours_are_masked_too(authority):
    with pytest.raises(ProbeError) as caught:
        await run(
            f"""
            S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] Test ready
            C: $ AUTHENTICATE PLAIN {SASL}
            S: $ OK in
            C: $ CAPABILITY
            S: * CAPABILITY IMAP4rev1
            S: $ OK done
            C: $ LIST "" "*"
            S: * LIST () "/" "{WORD}"
            S: $ OK done
            C: $ STATUS INBOX {STATUS}
            S: $ OK done
            C: $ EXAMINE INBOX
            S: $ OK done
            """,
            authority,
            Security.TLS,
            folders=("INBOX", "Work"),
        )
    assert caught.value.text == "there is no folder 'Work'; the server has: <secret>"


async def test_what_must_be_shown_to_the_user_is_a_fact_of_a_run_that_went_well():
    trace = await run(f"""
        S: * OK [CAPABILITY IMAP4rev1] ready
        C: $ LOGIN "alice" "{WORD}"
        S: * OK [ALERT] Your plan ends on Friday, {WORD}
        S: $ OK [ALERT] Please confirm your phone number
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1
        S: $ OK done
        {SHORT}
        {END}
        """)
    [*_, notice] = [fact.value for fact in trace.facts if fact.name is FactName.PROVIDER_ALERT]
    assert notice == "Your plan ends on Friday, <secret> / Please confirm your phone number"


async def test_words_after_the_login_that_say_that_imap_is_off_are_the_reason():
    """Field, MailKit issue 860: the login is accepted, and every later command refused."""
    with pytest.raises(Refusal) as caught:
        await run(f"""
            S: * OK [CAPABILITY IMAP4rev1] ready
            C: $ LOGIN "alice" "{WORD}"
            S: $ OK in
            C: $ CAPABILITY
            S: $ NO [ALERT] Please enable IMAP access in your account settings first.
            C: $ LIST "" "*"
            S: $ NO [ALERT] Please enable IMAP access in your account settings first.
            """)
    assert diagnose(caught.value, Phase.FOLDERS).reason is Reason.PROTOCOL_DISABLED


async def test_a_refused_capability_after_the_login_decides_nothing():
    trace = await run(f"""
        S: * OK [CAPABILITY IMAP4rev1] ready
        C: $ LOGIN "alice" "{WORD}"
        S: $ OK in
        C: $ CAPABILITY
        S: $ BAD not now
        {SHORT}
        {END}
        """)
    assert trace.failed_phase is None


async def test_words_beside_an_answer_that_never_comes_are_kept():
    trace = LoudTrace()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await run(
                f"""
                S: * OK [CAPABILITY IMAP4rev1] ready
                C: $ LOGIN "alice" "{WORD}"
                S: $ OK [CAPABILITY IMAP4rev1] in
                C: $ LIST "" "*"
                S: * BAD [ALERT] Please enable IMAP access in your account settings first.
                """,
                trace=trace,
            )
    assert trace.asides == ["* BAD [ALERT] Please enable IMAP access in your account settings first."]
