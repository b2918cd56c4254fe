"""Tests of the round trip: late and lost mail, restarts, and submissions that are refused or uncertain."""

from __future__ import annotations

import asyncio

import pytest

from exporter.model import FactName, Login, Phase, Wait
from exporter.model.details import detail
from exporter.model.errors import Inconclusive, ProbeError, Refusal
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes.roundtrip import trip
from exporter.probes.roundtrip.message import build, new_token
from exporter.state.store import InFlight
from tests.probes.roundtrip.route import RECIPIENT, ROUTE, SENDER, Bench, Given, counts, value

# -- late and lost ----------------------------------------------------------------------------------------------------


async def test_late_then_settled_by_the_next_run_after_a_restart(bench: Bench):
    bench.servers.on_message = lambda raw: None
    trace = await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    assert counts(trace) == {"sent": 1, "late": 1}
    assert trace.failed_phase is Phase.ARRIVE
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 1
    assert value(trace, FactName.ROUNDTRIP_OLDEST_IN_FLIGHT) == bench.clock
    assert [mail.late for mail in await bench.in_flight()] == [True]

    await bench.restart()
    bench.clock += 600
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 2}  # reported as late once, by the first run
    assert await bench.in_flight() == ()
    assert bench.left() == []


async def failing(bench: Bench, **changes: object) -> tuple[Trace, str]:
    """Do a run that ends with message_late; return its trace and text."""
    trace = Trace()
    with pytest.raises(ProbeError) as raised:
        await trip.probe(bench.settings(**changes), bench.world, trace)
    assert raised.value.reason is Reason.MESSAGE_LATE
    return trace, raised.value.text


async def test_a_late_mail_is_told_to_have_come_in_the_end_or_not_yet(bench: Bench):
    bench.servers.on_message = lambda raw: None
    trace, text = await failing(bench, late_after=0.1)
    assert text == "not there 0 s after it was sent; it has not come yet"
    assert value(trace, FactName.ROUNDTRIP_CAME_LATE) is None

    await bench.restart()
    bench.clock += 720
    bench.servers.stamp = bench.clock  # it came just now
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    trace, text = await failing(bench, late_after=0.1)
    assert text == "not there 0 s after it was sent; it has not come yet; the one before came 12 min after it was sent"
    assert value(trace, FactName.ROUNDTRIP_CAME_LATE) == 720
    assert detail(text, "zh") == "发出 0 秒后仍未到达；至今未到；前一封在发出 12 分钟后到达"

    bench.clock += 720
    bench.servers.stamp = bench.clock
    bench.servers.deliver("INBOX", bench.servers.submitted[1])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    trace = await bench.run()
    assert value(trace, FactName.ROUNDTRIP_CAME_LATE) == 720, "and this run is good"


async def test_a_mail_that_no_run_called_late_is_none_that_came_late(bench: Bench):
    """The daemon was down meanwhile."""
    bench.servers.on_message = lambda raw: None
    bench.servers.hangs_up_after_the_message = True
    await bench.run(Reason.SUBMISSION_UNCERTAIN)
    bench.servers.hangs_up_after_the_message = False
    bench.clock += 300
    bench.servers.stamp = bench.clock
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    trace = await bench.run()
    assert value(trace, FactName.ROUNDTRIP_CAME_LATE) is None
    assert counts(trace) == {"late": 1, "sent": 1, "received": 2}


async def test_a_mail_that_nobody_saw_come_is_dated_by_its_last_server(bench: Bench):
    """The daemon was down: a mail that arrived in time is not late because nobody looked for it."""
    bench.servers.hangs_up_after_the_message = True
    await bench.run(Reason.SUBMISSION_UNCERTAIN)
    bench.servers.hangs_up_after_the_message = False
    await bench.restart()
    bench.clock += 600
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 2}
    seconds = [fact.value for fact in trace.facts if fact.name is FactName.ROUNDTRIP_RECEIVED]
    assert seconds[0] == 1.0  # so says its Received field


async def test_an_old_mail_that_comes_while_we_wait_for_the_new_one_is_settled_too(bench: Bench):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    old = bench.servers.submitted[0]

    def both(raw: bytes) -> None:
        bench.servers.deliver("INBOX", old)
        bench.servers.deliver("INBOX", raw)

    bench.servers.on_message = both
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 2}
    assert await bench.in_flight() == ()


async def test_a_lost_mail_is_given_up_once_and_is_no_duplicate_when_it_comes_at_last(bench: Bench):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    bench.clock += 1000
    trace = await bench.run(Reason.MESSAGE_LOST, late_after=0.1)
    assert counts(trace) == {"sent": 1, "lost": 1, "late": 1}
    assert len(await bench.in_flight()) == 1

    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1}
    assert bench.left() == []


async def test_a_mail_from_before_a_restart_becomes_late_and_lost_by_the_clock(bench: Bench):
    await bench.state.mailbag.add(InFlight(new_token(bench.state.signing_key, ROUTE), ROUTE, bench.clock))
    await bench.restart()
    bench.clock += 2000
    trace = await bench.run()
    assert counts(trace) == {"late": 1, "lost": 1, "sent": 1, "received": 1}


async def test_check_waits_until_the_mail_is_settled(bench: Bench):
    tasks = []

    async def later(raw: bytes) -> None:
        await bench.servers.idled.wait()
        bench.servers.deliver("INBOX", raw)

    bench.servers.on_message = lambda raw: tasks.append(asyncio.create_task(later(raw)))
    trace = await bench.run(Reason.MESSAGE_LATE, wait=Wait.SETTLED, late_after=0, lost_after=30)
    assert counts(trace) == {"sent": 1, "received": 1, "late": 1}
    bench.servers.on_message = lambda raw: None
    trace = await bench.run(Reason.MESSAGE_LOST, wait=Wait.SETTLED, late_after=0.05, lost_after=0.2)
    assert counts(trace) == {"sent": 1, "late": 1, "lost": 1}
    assert await bench.in_flight() == ()


async def test_a_mail_that_becomes_lost_while_a_check_waits_for_its_own_is_settled_by_the_same_run(bench: Bench):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)

    def time_passes(raw: bytes) -> None:
        bench.clock += 1000

    bench.servers.on_message = time_passes
    trace = await bench.run(Reason.MESSAGE_LOST, wait=Wait.SETTLED, late_after=0.1, lost_after=0.3)
    assert counts(trace) == {"sent": 1, "late": 1, "lost": 2}
    assert await bench.in_flight() == ()


async def test_an_older_mail_that_becomes_lost_does_not_hide_that_the_new_one_came(bench: Bench):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)

    def time_passes(raw: bytes) -> None:
        bench.clock += 1000
        bench.servers.deliver("INBOX", raw)

    bench.servers.on_message = time_passes
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1, "lost": 1}
    assert await bench.in_flight() == ()


async def test_without_waiting_a_mail_in_flight_is_inconclusive_and_settled_later(bench: Bench):
    bench.servers.on_message = lambda raw: None
    trace = await bench.run(Inconclusive, wait=Wait.NOT)
    assert trace.failed_phase is Phase.ARRIVE
    assert counts(trace) == {"sent": 1}
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    assert counts(await bench.run()) == {"sent": 1, "received": 2}


async def test_a_run_that_is_cut_off_while_it_waits_leaves_the_mail_in_flight(bench: Bench):
    """The runner's deadline cancels the run: the mail is still in flight, and this is reported."""
    bench.servers.on_message = lambda raw: None
    trace = Trace()
    running = asyncio.create_task(trip.probe(bench.settings(late_after=60), bench.world, trace))
    await bench.servers.idled.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert trace.failed_phase is Phase.ARRIVE
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 1
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    assert counts(await bench.run()) == {"sent": 1, "received": 2}


async def test_no_more_are_sent_while_too_many_are_missing(bench: Bench, monkeypatch):
    monkeypatch.setattr(trip, "MAX_IN_FLIGHT", 1)
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    trace = await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    assert counts(trace) == {}
    assert len(bench.servers.submitted) == 1


# -- submission -------------------------------------------------------------------------------------------------------


async def test_an_uncertain_submission_stays_in_flight_until_it_comes(bench: Bench):
    bench.servers.hangs_up_after_the_message = True
    trace = await bench.run(Reason.SUBMISSION_UNCERTAIN)
    assert counts(trace) == {"sent": 1}
    assert trace.failed_phase is Phase.SUBMIT
    assert len(await bench.in_flight()) == 1
    bench.servers.hangs_up_after_the_message = False
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 2}


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "."])
async def test_a_refused_submission_leaves_nothing_in_flight(bench: Bench, step):
    bench.servers.smtp_answers[step] = "550 5.7.1 no"
    trace = await bench.run(Refusal)
    assert counts(trace) == {}
    assert trace.failed_phase is Phase.SUBMIT
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0


async def test_a_refused_mail_that_comes_all_the_same_is_no_duplicate(bench: Bench):
    bench.servers.smtp_answers["."] = "550 5.7.1 no"
    tokens = []
    add = bench.state.mailbag.add

    async def spied(mail: InFlight) -> bool:
        tokens.append(mail.token)
        return await add(mail)

    bench.state.mailbag.add = spied  # type: ignore[method-assign]  # to learn the token
    await bench.run(Refusal)
    bench.servers.deliver("INBOX", build(SENDER, RECIPIENT, tokens[0], 0))
    bench.servers.smtp_answers.clear()
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1}
    assert bench.left() == []


async def test_a_refused_smtp_login_hides_nothing_that_was_learned_before(bench: Bench):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.smtp_answers["AUTH"] = "535 5.7.8 no"
    trace = await bench.run(Refusal, smtp_login=Login("a", SENDER, Given(), auth="plain"))
    assert counts(trace) == {"received": 1}
    assert trace.failed_phase is Phase.LOGIN
    assert trace.login.refused
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0


async def test_a_refused_imap_login_sends_nothing_and_tells_what_is_in_flight(bench: Bench):
    trace = await bench.run(Refusal, imap_login=Login("b", RECIPIENT, Given("wrong-word"), auth="plain"))
    assert counts(trace) == {}
    assert bench.servers.submitted == []
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0
