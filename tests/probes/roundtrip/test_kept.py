"""The round trip and its state file: what a kill at any instant leaves behind, and a disk that takes nothing."""

from __future__ import annotations

import pytest

from exporter.model import Phase
from exporter.model.errors import Inconclusive, Refusal
from exporter.model.reasons import Reason
from exporter.state.store import InFlight, State
from tests.probes.roundtrip.route import ROUTE, Bench, counts
from tests.state.faults import break_disk, mend
from tests.state.test_durable import reopened_copy


async def after_a_kill(bench: Bench) -> tuple[InFlight, ...]:
    """What another daemon would find in flight, if this one were killed now."""
    state = await reopened_copy(bench.state, bench.folder.parent / "copy")
    return await state.mailbag.in_flight(ROUTE)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
async def test_a_kill_before_the_mail_goes_out_leaves_nothing_in_flight(bench: Bench, step: str):
    found: list[tuple[InFlight, ...]] = []
    add = bench.state.mailbag.add

    async def added(mail: InFlight) -> bool:
        found.append(())
        return await add(mail)

    bench.state.mailbag.add = added  # type: ignore[method-assign]  # to see whether it was called
    bench.servers.smtp_answers[step] = "451 4.3.0 not now"
    await bench.run(Refusal)
    assert found == []
    assert await after_a_kill(bench) == ()


async def test_a_mail_is_stored_as_uncertain_before_it_goes_out_and_as_sent_after_the_answer(bench: Bench):
    bench.servers.on_message = lambda raw: None
    stored: list[InFlight] = []
    add = bench.state.mailbag.add

    async def added(mail: InFlight) -> bool:
        done = await add(mail)
        assert bench.servers.submitted == []
        stored.extend(await after_a_kill(bench))
        return done

    bench.state.mailbag.add = added  # type: ignore[method-assign]  # to look at this moment
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    assert [mail.uncertain for mail in stored] == [True]
    assert [mail.uncertain for mail in await after_a_kill(bench)] == [False]


async def uncertain(bench: Bench) -> None:
    """A mail that was handed over when the daemon was killed: nobody knows whether the server took it."""
    bench.servers.hangs_up_after_the_message = True
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.SUBMISSION_UNCERTAIN)
    bench.servers.hangs_up_after_the_message = False
    await bench.restart()
    assert [mail.uncertain for mail in await bench.in_flight()] == [True]


async def test_an_uncertain_mail_that_never_comes_is_neither_late_nor_lost(bench: Bench):
    await uncertain(bench)
    bench.clock += 600
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    assert counts(await bench.run()) == {"sent": 1, "received": 1}
    assert len(await bench.in_flight()) == 1
    bench.clock += 600
    bench.servers.on_message = lambda raw: None
    trace = await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    assert counts(trace) == {"sent": 1, "late": 1}  # of the new one
    assert len(await bench.in_flight()) == 1


async def test_an_uncertain_mail_that_was_given_up_and_comes_at_last_is_no_duplicate(bench: Bench):
    await uncertain(bench)
    bench.clock += 1200
    bench.servers.smtp_answers["MAIL"] = "451 4.3.0 not now"
    trace = await bench.run(Refusal)
    assert counts(trace) == {}
    assert await bench.in_flight() == ()
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.smtp_answers.clear()
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    assert counts(await bench.run()) == {"sent": 1, "received": 1}
    assert bench.left() == []


async def test_no_mail_goes_out_while_it_cannot_be_stored(bench: Bench):
    world = bench.world  # its login guard knows the accounts already
    await bench.run()
    disk = break_disk(bench.state, step="INSERT OR REPLACE INTO in_flight")
    trace = await bench.run(Inconclusive)
    assert trace.failed_phase is Phase.SUBMIT
    assert counts(trace) == {}
    assert len(bench.servers.submitted) == 1
    assert await bench.in_flight() == ()
    mend(disk)
    assert counts(await bench.run()) == {"sent": 1, "received": 1}
    assert world.mailbag is bench.state.mailbag


@pytest.mark.parametrize("killed", [True, False])
async def test_a_mail_stays_in_the_mailbox_until_it_is_stored_that_it_came(bench: Bench, killed: bool):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    disk = break_disk(bench.state, step="DELETE FROM in_flight")
    trace = await bench.run(Inconclusive)  # nothing new is sent either: all writes fail from the first on
    assert counts(trace) == {"received": 1}
    assert len(bench.left()) == 1
    if killed:
        assert len(await after_a_kill(bench)) == 1
        await bench.state.close()
        bench.state = await State.open(bench.folder.parent / "copy")
    else:
        mend(disk)
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 2 if killed else 1}
    assert bench.left() == []


@pytest.mark.parametrize("runs_before", [0, 1])
async def test_a_kill_between_settling_and_removing_makes_no_duplicate(bench: Bench, monkeypatch, runs_before: int):
    async def killed(*_: object) -> list[object]:
        await reopened_copy(bench.state, bench.folder.parent / "copy")
        raise ConnectionResetError

    for _ in range(runs_before):
        await bench.run()
    with monkeypatch.context() as patched:
        patched.setattr("exporter.probes.roundtrip.inbox.InboxWatch.remove", killed)
        await bench.run(ConnectionResetError)
    assert len(bench.left()) == 1
    await bench.state.close()
    bench.state = await State.open(bench.folder.parent / "copy")
    assert counts(await bench.run()) == {"sent": 1, "received": 1}
    assert bench.left() == []
