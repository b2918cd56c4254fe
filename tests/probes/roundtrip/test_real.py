"""Tests of the round trip and the smtp probe with real postfix, dovecot, opendkim and a validating resolver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.diagnosis.diagnose import diagnose
from exporter.model import Endpoint, FactName, Login, Phase, Secret, Security, Service, Wait
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.probes import smtp
from exporter.probes.context import Context
from exporter.probes.roundtrip import trip as roundtrip
from exporter.state.store import State
from tests.canary import leaks
from tests.context import context_over
from tests.probes.roundtrip.route import counts, value
from tests.probes.roundtrip.test_report import POISON
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import wait_until
from tests.servers.world import ALICE, BOB, MailWorld

ROUTE = "alice-to-bob"


class Given:
    def __init__(self, word: str) -> None:
        self._word = word

    async def read(self) -> Secret:
        return Secret(self._word)


class Trip:
    """A route from alice to a mailbox of this world."""

    def __init__(self, world: Context, servers: MailWorld, security: Security = Security.TLS) -> None:
        self.world = world
        self.servers = servers
        self.security = security

    def endpoint(self, protocol: Service) -> Endpoint:
        encrypted = self.security is Security.TLS
        mine = self.servers
        ports = {
            Service.SMTP: mine.submissions if encrypted else mine.submission,
            Service.IMAP: mine.imaps if encrypted else mine.imap,
        }
        return Endpoint(mine.host, ports[protocol], self.security, protocol, ca_file=mine.ca_file)

    def login(self, user: str) -> Login:
        return Login(user, user, Given(self.servers.users[user]))

    def settings(self, detail: str = "", reader: str = BOB, **changes: Any) -> roundtrip.Settings:
        given: dict[str, Any] = {
            "route": ROUTE,
            "sender": ALICE,
            "recipient": BOB.replace("@", f"+{detail}@") if detail else BOB,
            "smtp": self.endpoint(Service.SMTP),
            "smtp_login": self.login(ALICE),
            "imap": self.endpoint(Service.IMAP),
            "imap_login": self.login(reader),
            "late_after": 20,
            "lost_after": 900,
            "step_timeout": 10,
        }
        return roundtrip.Settings(**(given | changes))

    async def run(self, detail: str = "", reader: str = BOB, **changes: Any) -> tuple[Trace, ProbeError | None]:
        trace, raised = Trace(), None
        try:
            await roundtrip.probe(self.settings(detail, reader, **changes), self.world, trace)
        except ProbeError as exc:
            raised = exc
        texts = [line.text for line in trace.lines]
        assert [leak for user in (ALICE, BOB) for leak in leaks(self.servers.users[user], texts)] == []
        return trace, raised


@pytest.fixture
async def world(tmp_path, mail_world: MailWorld) -> AsyncIterator[Context]:
    state = await State.open(tmp_path)
    yield context_over(state, Resolver((mail_world.resolver,)))
    await state.close()


@pytest.fixture
def trip(world: Context, mail_world: MailWorld) -> Trip:
    return Trip(world, mail_world)


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("idle", [True, False])
async def test_a_mail_comes_back_signed_in_time_and_is_removed(trip: Trip, dovecot: Dovecot, security, idle):
    trip.security = security
    dovecot.deliver(BOB, b"Subject: somebody else's\r\n\r\nbody\r\n")
    trace, raised = await trip.run(idle=idle)
    assert raised is None
    assert counts(trace) == {"sent": 1, "received": 1}
    methods = {method: value(trace, FactName.ROUNDTRIP_AUTHENTICATION, method) for method in ("dkim", "dkim_verified")}
    assert methods == {"dkim": 1, "dkim_verified": 1}
    delays = {hop: value(trace, FactName.ROUNDTRIP_HOP_DELAY, hop) for hop in ("sender", "receiver")}
    assert all(isinstance(delay, float | int) for delay in delays.values()), delays
    assert dovecot.count(BOB) == 1
    assert {Phase.RESOLVE, Phase.LOGIN, Phase.SUBMIT, Phase.ARRIVE, Phase.CLEANUP} <= {name for name, _ in trace.phases}


async def test_a_held_mail_is_late_and_settled_by_the_run_after_its_release(
    trip: Trip, dovecot: Dovecot, postfix: Postfix
):
    trace, raised = await trip.run("held", late_after=0.5)
    assert raised is not None
    assert raised.reason is Reason.MESSAGE_LATE
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 1
    postfix.release()
    trace, raised = await trip.run()
    if counts(trace).get("received") == 1:  # the new one was quicker than the queue
        await asyncio.to_thread(wait_until, lambda: dovecot.count(BOB) > 0, 20, "the other mail")
        trace, raised = await trip.run()
    assert raised is None
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0
    assert dovecot.count(BOB) == 0


async def test_a_check_that_waits_gives_up_its_own_mail_and_an_older_one_that_is_overdue(trip: Trip):
    _, raised = await trip.run("lost", late_after=0.2)
    assert raised is not None
    assert raised.reason is Reason.MESSAGE_LATE
    trace, raised = await trip.run("lost", late_after=0.5, lost_after=2, wait=Wait.SETTLED)
    assert raised is not None
    assert raised.reason is Reason.MESSAGE_LOST
    assert counts(trace) == {"sent": 1, "late": 1, "lost": 2}
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0


@pytest.mark.parametrize(
    ("detail", "reason", "event"),
    [("junk", Reason.MESSAGE_IN_JUNK, "misfiled"), ("altered", Reason.MESSAGE_ALTERED, "altered")],
)
async def test_misfiled_and_altered_mails_are_told_and_removed(trip: Trip, dovecot: Dovecot, detail, reason, event):
    trace, raised = await trip.run(detail)
    assert raised is not None
    assert raised.reason is reason
    assert counts(trace) == {"sent": 1, "received": 1, event: 1}
    assert dovecot.count(BOB) == dovecot.count(BOB, "Junk") == 0


async def test_both_copies_of_a_duplicate_are_removed(trip: Trip, dovecot: Dovecot):
    first, raised = await trip.run("duplicate")
    assert raised is None
    duplicates = counts(first).get("duplicated", 0)
    if not duplicates:  # the second copy came after the look
        await asyncio.to_thread(wait_until, lambda: dovecot.count(BOB) > 0, 20, "the other mail")
        second, _ = await trip.run()
        duplicates = counts(second)["duplicated"]
    assert duplicates == 1
    assert dovecot.count(BOB) == 0


async def test_a_bounce_in_the_watched_mailbox_tells_why(trip: Trip, dovecot: Dovecot):
    trace, raised = await trip.run("bounced", reader=ALICE)
    assert raised is not None
    assert raised.reason is Reason.BOUNCED
    assert "unknown" in raised.text or "5." in raised.text
    assert counts(trace) == {"sent": 1, "bounced": 1}
    assert dovecot.count(ALICE) == 0


@pytest.mark.parametrize("name", POISON)
async def test_a_strangers_mail_keeps_no_mail_of_ours_from_being_settled(
    trip: Trip, dovecot: Dovecot, postfix: Postfix, name
):
    await trip.run("held", late_after=0.1)
    dovecot.deliver(BOB, POISON[name])
    postfix.release()
    await asyncio.to_thread(wait_until, lambda: dovecot.count(BOB) > 1, 20, "the mail that was held")
    trace, raised = await trip.run()
    assert raised is None
    assert counts(trace) == {"sent": 1, "received": 2}
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0
    assert dovecot.count(BOB) == 1


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        ("unknown", Reason.RECIPIENT_UNKNOWN),
        ("greylisted", Reason.GREYLISTED),
        ("full", Reason.RECIPIENT_OVER_QUOTA),
    ],
)
async def test_a_refused_recipient_has_its_reason_and_leaves_nothing_in_flight(trip: Trip, detail, reason):
    trace = Trace()
    with pytest.raises(Exception) as caught:
        await roundtrip.probe(trip.settings(detail), trip.world, trace)
    failure = diagnose(caught.value, trace.failed_phase)
    assert (failure.phase, failure.reason) == (Phase.SUBMIT, reason)
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("auth", ["auto", "plain", "login"])
async def test_the_smtp_probe_logs_in_to_postfix(trip: Trip, security, auth):
    trip.security, trace = security, Trace()
    login = Login(ALICE, ALICE, Given(trip.servers.users[ALICE]), auth)
    await smtp.probe(smtp.Settings(trip.endpoint(Service.SMTP), login), trip.world, trace)
    assert value(trace, FactName.MECHANISM) == ("LOGIN" if auth == "login" else "PLAIN")
    assert value(trace, FactName.SMTP_SIZE_LIMIT) == 10485760
    assert leaks(trip.servers.users[ALICE], [line.text for line in trace.lines]) == []


async def test_a_wrong_password_is_one_refusal_in_postfixs_words(trip: Trip):
    trace = Trace()
    settings = smtp.Settings(trip.endpoint(Service.SMTP), Login(ALICE, ALICE, Given("not-the-password")))
    with pytest.raises(Exception, match=r"535 5\.7\.8 Error: authentication failed") as caught:
        await smtp.probe(settings, trip.world, trace)
    assert diagnose(caught.value, trace.failed_phase).phase is Phase.LOGIN
    assert trace.login.refused
    assert len([line for line in trace.lines if line.text.startswith("AUTH")]) == 1
