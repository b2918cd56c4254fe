"""Tests of the check of our own network: recent results and the references decide whether a failure counts."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from exporter.model import Fact, FactName, Failure, Outcome, Phase, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.servers import site
from exporter.model.settings import Reference, VantageSettings
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.run import vantage as module
from exporter.run.local_faults import RECENT, Seen, blocked_ports, clock_reasons
from exporter.run.vantage import Vantage, VantageRunner, check_references
from tests import results
from tests.net.dns.nameserver import answer, serve

NOW = 10_000.0


def seen(reached: bool, reason: Reason | None = None, *, valid: bool = False, at: float = NOW) -> Seen:
    return Seen(at, reached, reason, valid)


UP, GONE = seen(True), seen(False, Reason.TIMEOUT)
EARLY, LATE = (seen(True, reason) for reason in (Reason.CERTIFICATE_NOT_YET_VALID, Reason.CERTIFICATE_EXPIRED))


# -- recent results --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "blocked"),
    [
        ({"smtp.a.example:25": GONE, "smtp.b.example:25": GONE, "imap.a.example:993": UP,
          "imap.b.example:993": UP}, {25}),
        ({"a.example:25": GONE, "a.example:993": UP, "b.example:25": GONE, "b.example:993": UP}, {25}),
        # it answers somewhere
        ({"a.example:25": GONE, "a.example:993": UP, "b.example:25": UP, "b.example:993": UP}, set()),
        # one site only: that may be the server
        ({"smtp1.a.example:25": GONE, "smtp2.a.example:25": GONE, "imap.a.example:993": UP}, set()),
        # nothing else answers there: they may be down
        ({"a.example:25": GONE, "b.example:25": GONE, "c.example:993": UP}, set()),
        # all of it fails: that is not one port
        ({"a.example:25": GONE, "b.example:25": GONE, "a.example:993": GONE, "b.example:993": GONE}, set()),
        ({"[2001:db8::1]:25": GONE, "[2001:db8::1]:993": UP, "192.0.2.1:25": GONE, "192.0.2.1:993": UP}, {25}),
        ({}, set()),
    ],
)  # fmt: skip
def test_a_port_that_fails_to_every_host_while_others_answer_is_blocked(found, blocked):
    assert blocked_ports(found, NOW) == blocked


def test_what_was_seen_long_ago_says_nothing():
    old = {
        "a.example:25": GONE, "b.example:25": GONE,
        "a.example:993": seen(True, at=NOW - RECENT - 1), "b.example:993": UP,
    }  # fmt: skip
    assert blocked_ports(old, NOW) == set()


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        ({"imap.a.example:993": EARLY, "imap.b.example:993": EARLY}, {Reason.CERTIFICATE_NOT_YET_VALID}),
        ({"imap.a.example:993": EARLY, "smtp.a.example:465": EARLY}, set()),
        ({"a.example:993": LATE, "b.example:993": LATE, "c.example:993": LATE}, {Reason.CERTIFICATE_EXPIRED}),
        ({"a.example:993": LATE, "b.example:993": LATE, "c.example:993": LATE, "d.example:993": seen(True, valid=True)},
         set()),
        ({"a.example:993": LATE, "b.example:993": LATE}, set()),
    ],
)  # fmt: skip
def test_our_clock_is_wrong_if_unrelated_servers_certificates_say_so_at_once(found, reasons):
    assert clock_reasons(found, NOW) == reasons


def test_a_site_is_what_a_providers_hosts_have_in_common():
    assert [site(host) for host in ("imap.qq.com", "a.example", "192.0.2.1", "2001:db8::1")] == [
        "qq.com", "a.example", "192.0.2.1", "2001:db8::1",
    ]  # fmt: skip


# -- references -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def listener() -> AsyncIterator[int]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def unused() -> int:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


async def test_a_port_that_takes_connections_and_a_name_that_is_answered_are_references_that_answer():
    """A definite "no such name" is an answer as well: packets came back."""
    async with serve(lambda query, tcp: [answer(query, rcode=3).to_wire()]) as server, listener() as port:
        settings = VantageSettings((Reference("127.0.0.1", port), Reference("nothing.example")), 2)
        found = await check_references(settings, Resolver([server.address]), TlsContexts())
    assert (found.up, found.answering, found.of) == (True, 2, 2)


async def test_fewer_answers_than_the_quorum_are_offline_and_each_silent_one_is_named():
    async with listener() as port:
        closed = unused()
        references = (Reference("127.0.0.1", port), Reference("127.0.0.1", closed))
        found = await check_references(VantageSettings(references, 2), Resolver(), TlsContexts())
        enough = await check_references(VantageSettings(references, 1), Resolver(), TlsContexts())
    assert (found.up, found.answering) == (False, 1)
    assert f"127.0.0.1 port {closed}" in found.silent[0]
    assert enough.up


async def test_a_reference_that_hangs_is_silent_after_the_deadline(monkeypatch):
    async def forever(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "dial", forever)
    monkeypatch.setattr(module, "DEADLINE", 0.05)
    found = await check_references(VantageSettings((Reference("192.0.2.1", 443),)), Resolver(), TlsContexts())
    assert not found.up


async def test_to_be_out_of_descriptors_is_not_to_be_offline(monkeypatch):
    async def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(module, "dial", exhausted)
    assert (await check_references(VantageSettings((Reference("192.0.2.1", 443),)), Resolver(), TlsContexts())).up


# -- verdicts -------------------------------------------------------------------------------------------------------


class Watched:
    """A Vantage whose references answer as the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, references: int = 1) -> None:
        self.up, self.looks, self.told, self.skipped = True, 0, list[bool](), list[tuple[str, str]]()
        self.now = NOW

        async def asked(settings: VantageSettings, *_: object) -> module.ReferenceCheck:
            self.looks += 1
            await asyncio.sleep(0)
            silent = () if self.up else ("192.0.2.1 port 443: no answer in 3 s",)
            return module.ReferenceCheck(self.now, silent, len(settings.references), self.up)

        monkeypatch.setattr(module, "check_references", asked)
        settings = VantageSettings(tuple(Reference("192.0.2.1", 443) for _ in range(references)))
        self.vantage = Vantage(
            settings, Resolver(), TlsContexts(),
            told=self.told.append, skipped=lambda probe, reason: self.skipped.append((probe, reason)),
            now=lambda: self.now,
        )  # fmt: skip

    async def judge(self, target: Target, reason: Reason = Reason.TIMEOUT, phase: Phase = Phase.CONNECT) -> Result:
        return await self.vantage.judge(results.failed(target, reason, phase, "no answer in 20 s"))


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


async def test_offline_makes_a_failure_inconclusive_and_keeps_its_words(watched: Watched):
    watched.up = False
    result = await watched.judge(results.mailbox())
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.failure == Failure(Phase.CONNECT, Reason.VANTAGE_OFFLINE, "no answer in 20 s", "vantage:timeout")
    assert result.transcript[-1].text.startswith("0 of 1 references answer: 192.0.2.1 port 443")
    assert watched.told == [False]
    assert watched.skipped == [("imap", "vantage_offline")]


async def test_a_failure_while_the_references_answer_is_the_mail_services(watched: Watched):
    result = await watched.judge(results.mailbox())
    assert (result.outcome, result.failure and result.failure.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert watched.told == [True]


@pytest.mark.parametrize("reason", [Reason.WRONG_PASSWORD, Reason.MESSAGE_LATE, Reason.MAILBOX_OVER_QUOTA])
async def test_a_server_that_answered_needs_no_look(watched: Watched, reason: Reason):
    watched.up = False
    assert (await watched.judge(results.mailbox(), reason, Phase.LOGIN)).outcome is Outcome.FAILED
    assert watched.looks == 0


async def test_a_missing_route_of_our_own_is_blamed_on_the_network_if_the_references_agree(watched: Watched):
    watched.up = False
    result = await watched.judge(results.mailbox(), Reason.LOCAL_ERROR)
    assert result.failure is not None
    assert result.failure.reason is Reason.VANTAGE_OFFLINE


async def test_many_failures_at_once_share_one_look(watched: Watched):
    targets = [results.mailbox(f"m{n}") for n in range(50)]
    await asyncio.gather(*(watched.judge(target) for target in targets))
    assert watched.looks == 1


async def test_an_old_look_is_not_believed_for_a_fresh_failure_but_for_a_standing_one(watched: Watched):
    first, second = results.mailbox("first"), results.mailbox("second")
    await watched.judge(first)
    watched.now += 5
    await watched.judge(first)
    assert watched.looks == 1
    watched.up = False
    assert (await watched.judge(second)).outcome is Outcome.INCONCLUSIVE
    assert watched.looks == 2
    watched.now += 5
    await watched.judge(results.mailbox("third"))  # for a while the network counts as down
    assert watched.looks == 2


async def test_without_references_nothing_is_looked_at(monkeypatch):
    watched = Watched(monkeypatch, references=0)
    assert (await watched.judge(results.mailbox())).outcome is Outcome.FAILED
    assert watched.looks == 0
    assert watched.vantage.answering() is None


async def test_a_blocked_port_makes_the_next_run_inconclusive(monkeypatch):
    """The servers answer on 993, and neither on 25."""
    watched = Watched(monkeypatch, references=0)
    for server in ("a.example", "b.example"):
        await watched.vantage.judge(results.ok(results.mailbox(servers=(f"{server}:993",))))
        result = await watched.judge(results.mailbox(server, servers=(f"{server}:25",)))
        watched.now += 2
    assert result.failure is not None
    assert (result.outcome, result.failure.reason) == (Outcome.INCONCLUSIVE, Reason.PORT_BLOCKED)
    refused = await watched.judge(results.mailbox(servers=("a.example:993",)))
    assert refused.outcome is Outcome.FAILED


async def test_a_wrong_clock_makes_the_next_run_inconclusive(monkeypatch):
    watched = Watched(monkeypatch, references=0)
    outcomes = []
    for server in ("imap.a.example:993", "imap.b.example:993"):
        target = results.mailbox(servers=(server,))
        outcomes.append((await watched.judge(target, Reason.CERTIFICATE_NOT_YET_VALID, Phase.TLS)).outcome)
        watched.now += 2
    assert outcomes == [Outcome.FAILED, Outcome.INCONCLUSIVE]


async def test_a_valid_certificate_is_remembered(monkeypatch):
    watched = Watched(monkeypatch, references=0)
    target = results.mailbox(servers=("d.example:993",))
    await watched.vantage.judge(results.ok(target, Fact(FactName.TLS_VERSION, "TLSv1.3")))
    for server in ("a.example:993", "b.example:993", "c.example:993"):
        result = await watched.judge(results.mailbox(servers=(server,)), Reason.CERTIFICATE_EXPIRED, Phase.TLS)
        watched.now += 2
    assert result.outcome is Outcome.FAILED


async def test_other_references_after_a_reload_are_looked_at_anew(watched: Watched):
    watched.up = False
    await watched.judge(results.mailbox())
    watched.vantage.load(EffectiveConfig())
    assert watched.told == [False, True]
    assert (await watched.judge(results.mailbox())).outcome is Outcome.FAILED


async def test_a_bug_in_judging_costs_no_result(watched: Watched, caplog):
    """The result is used as it is, and the error is logged."""

    class Runner:
        async def run(self, target: Target, **_: object) -> Result:
            return results.failed(target, Reason.TIMEOUT, Phase.CONNECT)

    async def broken(*_: object) -> None:
        raise RuntimeError("broken")

    watched.vantage._look = broken  # type: ignore[assignment]  # the test breaks it on purpose
    result = await VantageRunner(Runner(), watched.vantage).run(results.mailbox())
    assert result.outcome is Outcome.FAILED
    assert "could not be judged" in caplog.text
