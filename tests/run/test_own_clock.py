"""Tests of our own clock: which jumps are noticed, and which failures they explain. All clocks are scripted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.model import Fact, FactName, Outcome, Phase, Result
from exporter.model.reasons import Reason
from exporter.model.settings import VantageSettings
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.run import own_clock
from exporter.run.own_clock import DAY, HOUR, JUMP, MAIL, Clocks, OwnClock, jump_between, read_clocks
from exporter.run.vantage import Vantage
from tests import results

START = Clocks(1_700_000_000.0, 5_000.0, 9_000.0)
BOX = results.mailbox(servers=("imap.a.example:993",))
TLS = Fact(FactName.TLS_VERSION, "TLSv1.3")


class Scripted:
    """Three clocks that the test moves."""

    def __init__(self, *, boot: bool = True) -> None:
        self.at = START if boot else START._replace(boot=None)

    def __call__(self) -> Clocks:
        return self.at

    def passes(self, seconds: float, *, asleep: float = 0.0, set_by: float = 0.0) -> None:
        """Let time pass, of which the machine sleeps some; and set the wall clock."""
        boot = self.at.boot + seconds if self.at.boot is not None else None
        self.at = Clocks(self.at.wall + seconds + set_by, self.at.monotonic + seconds - asleep, boot)


def passed(seconds: float, *, asleep: float = 0.0, set_by: float = 0.0, boot: bool = True) -> float:
    clocks = Scripted(boot=boot)
    before = clocks.at
    clocks.passes(seconds, asleep=asleep, set_by=set_by)
    return jump_between(before, clocks.at)


# -- jumps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("set_by", [3600.0, -3600.0, 86400.0 * 365, JUMP, -JUMP])
@pytest.mark.parametrize("asleep", [0.0, 12.0])
def test_a_clock_that_is_set_is_noticed_both_ways_also_across_sleep(set_by: float, asleep: float):
    assert passed(15, asleep=asleep, set_by=set_by) == pytest.approx(set_by)


@pytest.mark.parametrize("set_by", [0.0, 5.0, -9.0])
@pytest.mark.parametrize("asleep", [0.0, 8 * 3600.0])
def test_sleep_and_small_corrections_are_no_jump(set_by: float, asleep: float):
    assert passed(asleep + 15, asleep=asleep, set_by=set_by) == 0


def test_without_a_boot_clock_only_the_way_back_is_a_jump_because_the_machine_may_have_slept():
    assert passed(15, set_by=-3600, boot=False) == pytest.approx(-3600)
    assert passed(15, set_by=3600, boot=False) == 0
    assert passed(8 * 3600, asleep=8 * 3600 - 1, boot=False) == 0


def test_a_boot_clock_that_stands_still_does_not_make_a_jump():
    later = Clocks(START.wall + 600, START.monotonic + 600, START.boot)
    assert jump_between(START, later) == 0


def test_the_clocks_of_this_machine_are_read_and_agree():
    first, second = read_clocks(), read_clocks()
    assert second.monotonic >= first.monotonic
    assert first.wall > 1_600_000_000


# -- what a jump explains ---------------------------------------------------------------------------------------------


def failed(reason: Reason, *facts: Fact, **changes: object) -> Result:
    made = results.failed(BOX, reason, Phase.TLS, "certificate has expired", facts=facts)
    return replace(made, **changes)  # type: ignore[arg-type]  # a test sets only the fields it is about


def valid(fingerprint: str = "") -> Result:
    return results.ok(BOX, TLS, *([Fact(FactName.CERT_FINGERPRINT, fingerprint)] if fingerprint else []))


@pytest.mark.parametrize("set_by", [40 * DAY, -40 * DAY])
@pytest.mark.parametrize("reason", own_clock.OUT_OF_DATE)
def test_after_a_jump_what_is_out_of_date_says_nothing_for_some_time(set_by: float, reason: Reason):
    clocks = Scripted()
    clock = OwnClock(clocks)
    clocks.passes(15, set_by=set_by)
    clock.look()
    clocks.passes(120)
    way = "forward" if set_by > 0 else "back"
    told = f"the clock of this machine was set {way} by 40 d, 2 min ago"
    assert clock.judge(failed(reason)) == told
    window = MAIL if reason in (Reason.MESSAGE_LATE, Reason.MESSAGE_LOST) else HOUR
    clocks.passes(window - 120)
    assert clock.judge(failed(reason)) != ""
    clocks.passes(1)
    assert clock.judge(failed(reason)) == "", "then it counts"


def test_a_jump_during_the_run_itself_is_noticed():
    clocks = Scripted()
    clock = OwnClock(clocks)
    clocks.passes(3, set_by=400 * DAY)
    assert clock.judge(failed(Reason.CERTIFICATE_EXPIRED)).startswith("the clock of this machine was set forward")


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in own_clock.OUT_OF_DATE])
def test_a_jump_explains_no_other_failure(reason: Reason):
    clocks = Scripted()
    clock = OwnClock(clocks)
    clocks.passes(3, set_by=400 * DAY)
    assert clock.judge(failed(reason)) == ""


@pytest.mark.parametrize("changes", [{"login_suspended": True}, {"outcome": Outcome.INCONCLUSIVE}])
def test_a_run_that_decided_nothing_is_left_as_it_is(changes: dict[str, object]):
    clocks = Scripted()
    clock = OwnClock(clocks)
    clocks.passes(3, set_by=400 * DAY)
    assert clock.judge(failed(Reason.OAUTH_TOKEN_EXPIRED, **changes)) == ""


# -- a certificate that was valid ------------------------------------------------------------------------------------


def test_a_certificate_that_was_valid_an_hour_ago_and_is_not_yet_valid_now_is_our_clock():
    """The clock was wrong before mailprobe could see it jump: in another virtual machine, or while it was stopped."""
    clocks = Scripted()
    clock = OwnClock(clocks)
    assert clock.judge(valid()) == ""
    clocks.passes(HOUR)
    told = clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID))
    assert told == "the certificate that is not valid yet was valid 60 min ago: this machine's clock"
    assert clock.judge(failed(Reason.CERTIFICATE_EXPIRED)) == "", "that happens"
    other = replace(failed(Reason.CERTIFICATE_NOT_YET_VALID), target=results.mailbox(servers=("imap.b.example:993",)))
    assert clock.judge(other) == ""
    clocks.passes(DAY)
    assert clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID)) == ""


def test_a_new_certificate_that_was_installed_too_early_is_the_servers_fault_for_every_probe():
    clocks = Scripted()
    clock = OwnClock(clocks)
    clock.judge(valid("old"))
    clocks.passes(60)
    clock.judge(valid())  # a login, which does not read the certificate
    clocks.passes(60)
    assert clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID, Fact(FactName.CERT_FINGERPRINT, "old"))) != ""
    assert clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID, Fact(FactName.CERT_FINGERPRINT, "new"))) == ""
    assert clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID)) == ""


def test_a_failure_after_the_handshake_proves_the_certificate_too():
    clocks = Scripted()
    clock = OwnClock(clocks)
    clock.judge(failed(Reason.WRONG_PASSWORD, TLS))
    assert clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID)) != ""


def test_what_was_seen_of_a_server_is_forgotten_with_it():
    clock = OwnClock(Scripted())
    clock.judge(valid())
    clock.keep({"imap.b.example:993"})
    assert clock.judge(failed(Reason.CERTIFICATE_NOT_YET_VALID)) == ""


# -- in the daemon ----------------------------------------------------------------------------------------------------


async def test_with_one_domain_and_no_references_a_jump_makes_the_run_inconclusive_and_keeps_its_words():
    clocks = Scripted()
    vantage = Vantage(VantageSettings(), Resolver(), TlsContexts(), clock=OwnClock(clocks))
    assert (await vantage.judge(results.ok(BOX, TLS))).outcome is Outcome.OK
    clocks.passes(300, set_by=3 * 365 * DAY)
    judged = await vantage.judge(failed(Reason.CERTIFICATE_EXPIRED))
    assert judged.failure is not None
    assert (judged.outcome, judged.failure.reason) == (Outcome.INCONCLUSIVE, Reason.CLOCK_WRONG)
    assert (judged.failure.text, judged.failure.rule) == ("certificate has expired", "vantage:certificate_expired")
    assert judged.transcript[-1].text.startswith("the clock of this machine was set forward by 1095 d")
    clocks.passes(60, set_by=-3 * 365 * DAY)
    assert (await vantage.judge(results.ok(BOX, TLS))).outcome is Outcome.OK
