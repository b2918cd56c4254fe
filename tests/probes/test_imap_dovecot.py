"""Tests of the imap probe with a real dovecot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.model import Endpoint, FactName, Login, Phase, Secret, Security, Service
from exporter.model.errors import ProbeError, Refusal
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net import utf7
from exporter.net.dial import dial
from exporter.net.dns.resolver import Resolver
from exporter.net.imap.session import ImapSession
from exporter.net.tls import TlsContexts
from exporter.probes import imap
from tests.net.script import LoudTrace
from tests.probes.test_imap import facts, phases, world
from tests.servers.dovecot import GOOD, SECURE_ONLY, Dovecot
from tests.servers.world import ALICE, BOB, CAROL


class Given:
    def __init__(self, word: str) -> None:
        self._word = word

    async def read(self) -> Secret:
        return Secret(self._word)


def settings(dovecot: Dovecot, user: str, security: Security = Security.TLS, host: str = GOOD) -> imap.Settings:
    port = dovecot.imaps if security is Security.TLS else dovecot.imap
    ca_file = dovecot.authority.ca_file
    endpoint = Endpoint(host, port, security, Service.IMAP, ca_file=ca_file)
    return imap.Settings(endpoint, Login(user, user, Given(dovecot.users[user].password)))


async def run(given: imap.Settings) -> LoudTrace:
    trace = LoudTrace()
    await imap.probe(given, world(), trace)
    return trace


@pytest.mark.parametrize(("security", "host"), [(Security.TLS, GOOD), (Security.STARTTLS, SECURE_ONLY)])
@pytest.mark.parametrize("user", [ALICE, BOB, CAROL])
async def test_a_login_tells_folders_counts_and_quota(dovecot: Dovecot, user, security, host):
    dovecot.deliver(user, b"Subject: one\r\n\r\n")
    dovecot.deliver(user, b"Subject: two\r\n\r\n", "Junk")
    trace = await run(settings(dovecot, user, security, host))
    assert facts(trace, FactName.FOLDER_MESSAGES) == {
        ("folder_messages", "inbox"): 1,
        ("folder_messages", "sent"): 0,
        ("folder_messages", "junk"): 1,
        ("folder_messages", "trash"): 0,
        ("folder_messages", "drafts"): 0,
    }
    assert set(facts(trace, FactName.FOLDER_NEWEST)) == {("folder_newest", "inbox")}
    limit = facts(trace, FactName.QUOTA_LIMIT_BYTES)[("quota_limit_bytes", "User quota")]
    assert limit == (20 * 1024 if user == CAROL else 100 * 1024 * 1024)
    assert facts(trace, FactName.MECHANISM) == {("mechanism",): "PLAIN"}
    assert phases(trace)[-1] is Phase.LOGOUT
    assert dovecot.users[user].password not in trace.text


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_both_mechanisms_with_a_password_that_needs_quoting(dovecot: Dovecot, auth):
    given = settings(dovecot, CAROL)
    trace = await run(replace(given, login=replace(given.login, auth=auth)))
    assert facts(trace, FactName.MECHANISM) == {("mechanism",): auth.upper()}


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_a_password_in_chinese(dovecot: Dovecot, auth):
    dovecot.set_password(ALICE, "密码“词”")
    given = settings(dovecot, ALICE)
    await run(replace(given, login=replace(given.login, auth=auth)))


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_a_wrong_password_is_one_refusal_with_dovecots_words(dovecot: Dovecot, auth):
    given = settings(dovecot, ALICE)
    wrong = Login(ALICE, ALICE, Given("not-the-password"), auth)
    with pytest.raises(Refusal) as caught:
        await run(replace(given, login=wrong))
    assert caught.value.text == "NO [AUTHENTICATIONFAILED] Authentication failed."


async def test_the_reason_of_a_locked_account_survives(dovecot: Dovecot):
    dovecot.refuse(BOB, "Account is locked by the administrator")
    with pytest.raises(Refusal, match="Account is locked by the administrator"):
        await run(settings(dovecot, BOB))


async def test_without_tls_where_dovecot_wants_it(dovecot: Dovecot):
    with pytest.raises(ProbeError) as caught:
        await run(settings(dovecot, ALICE, Security.PLAIN, SECURE_ONLY))
    assert caught.value.reason is Reason.TLS_REQUIRED


async def test_folders_in_chinese_are_found_by_either_name(dovecot: Dovecot):
    name = "客户/询盘"
    given = settings(dovecot, ALICE)
    dovecot.doveadm("mailbox", "create", "-u", ALICE, name)
    try:
        trace = await run(replace(given, folders=("INBOX", name, utf7.encode(name))))
    finally:
        dovecot.doveadm("mailbox", "delete", "-u", ALICE, name)
    assert facts(trace, FactName.FOLDER_NAME)["folder_name", "other1"] == name
    assert ("folder_name", "other2") not in facts(trace, FactName.FOLDER_NAME)
    with pytest.raises(ProbeError) as caught:
        await run(replace(given, folders=(name,)))
    assert caught.value.reason is Reason.FOLDER_MISSING


async def test_a_message_is_seen_fetched_and_removed_alone(dovecot: Dovecot):
    given = settings(dovecot, BOB)
    for number in range(3):
        dovecot.deliver(BOB, b"Subject: %d\r\nX-Number: %d\r\n\r\nbody\r\n" % (number, number))
    trace = Trace()
    async with await dial(given.endpoint, Resolver(), TlsContexts(), trace) as wire:
        session = ImapSession(wire, trace, timeout=10)
        await session.greet()
        await session.login(BOB, Secret(dovecot.users[BOB].password), "PLAIN")
        await session.capability()
        selected = await session.select("INBOX")
        assert (selected.exists, selected.read_only) == (3, False)
        assert selected.uidnext is not None
        first = selected.uidnext - 2
        assert await session.uids_from(first) == [first, first + 1]
        assert await session.fetch_headers([first, first + 1], ["X-Number"]) == {
            first: b"X-Number: 1\r\n\r\n",
            first + 1: b"X-Number: 2\r\n\r\n",
        }
        assert (await session.fetch_message(first, 10)) == b"Subject: 1"
        assert await session.delete(first) is True
        assert await session.uids_from(1) == [first - 1, first + 1]
        assert await session.uids_from(selected.uidnext) == []
        dovecot.deliver(BOB, b"Subject: new\r\n\r\n")
        assert await session.idle(10) is True
        assert await session.uids_from(selected.uidnext) == [selected.uidnext]
        assert (await session.status("INBOX")).messages == 3
        await session.logout()
    assert dovecot.count(BOB) == 3


async def test_dovecots_shutdown_in_idle_is_told_with_its_words(dovecot: Dovecot):
    given = settings(dovecot, BOB)
    trace = Trace()
    async with await dial(given.endpoint, Resolver(), TlsContexts(), trace) as wire:
        session = ImapSession(wire, trace)
        await session.greet()
        await session.login(BOB, Secret(dovecot.users[BOB].password), "PLAIN")
        await session.select("INBOX")
        dovecot.doveadm("kick", BOB)
        with pytest.raises(Refusal, match="BYE"):
            await session.idle(10)
