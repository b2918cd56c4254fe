"""Tests of the round trip:

mail in time, duplicated, altered or in another folder; bounces; unusual servers; other mail.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from exporter.model import FactName, Phase
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes.roundtrip import inbox, trip
from exporter.probes.roundtrip.message import build, new_token
from exporter.state.store import InFlight
from tests.canary import leaks
from tests.probes.mail_servers import PASSWORD, Box
from tests.probes.roundtrip.route import RECIPIENT, ROUTE, SENDER, Bench, counts, value

# -- in time ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idle", [True, False])
async def test_a_mail_in_the_inbox_is_measured_and_removed(bench: Bench, idle):
    trace = await bench.run(idle=idle)
    assert counts(trace) == {"sent": 1, "received": 1}
    assert 0 <= float(value(trace, FactName.ROUNDTRIP_RECEIVED) or 0) < 5
    assert (value(trace, FactName.ROUNDTRIP_IN_FLIGHT), value(trace, FactName.ROUNDTRIP_OLDEST_IN_FLIGHT)) == (0, 0)
    assert bench.left() == []
    assert ("IDLE" in bench.servers.commands) <= idle
    assert {Phase.SUBMIT, Phase.ARRIVE, Phase.FETCH, Phase.CLEANUP, Phase.LOGOUT} <= {
        phase for phase, _ in trace.phases
    }


def deliver_after(bench: Bench, event: asyncio.Event) -> None:
    """Let the mail arrive after it was submitted, as soon as the event is set."""
    tasks = []

    async def later(raw: bytes) -> None:
        await event.wait()
        bench.servers.deliver("INBOX", raw)

    bench.servers.on_message = lambda raw: tasks.append(asyncio.create_task(later(raw)))


@pytest.mark.parametrize("idle", [True, False])
async def test_a_mail_that_comes_while_we_wait_is_seen(bench: Bench, idle):
    deliver_after(bench, bench.servers.idled if idle else bench.servers.polled)
    trace = await bench.run(idle=idle)
    assert counts(trace) == {"sent": 1, "received": 1}
    assert bench.left() == []


async def test_a_server_that_accepts_idle_and_never_pushes_is_looked_at_by_hand(bench: Bench, monkeypatch):
    """Field: the mail was there, and was told as late, since nothing but IDLE was waited for."""
    monkeypatch.setattr(inbox, "FIRST_LOOK", 0.2)
    monkeypatch.setattr(inbox, "IDLE_FROM", 0.01)
    bench.servers.pushes = False
    bench.servers.boxes.pop("Junk")  # with a junk folder to search, the inbox is looked at anyway
    bench.servers.junk = ""
    deliver_after(bench, bench.servers.idled)
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1}
    precision = value(trace, FactName.ROUNDTRIP_PRECISION)
    received = value(trace, FactName.ROUNDTRIP_RECEIVED)
    assert isinstance(precision, float)
    assert isinstance(received, float)
    assert 0 < precision <= received, "it may have been there since the look before"


async def test_a_mail_that_idle_announces_is_measured_exactly(bench: Bench, monkeypatch):
    monkeypatch.setattr(inbox, "IDLE_FROM", 0.01)
    deliver_after(bench, bench.servers.idled)
    trace = await bench.run()
    assert value(trace, FactName.ROUNDTRIP_PRECISION) == 0


async def test_the_way_and_the_receivers_verdict_are_told(bench: Bench):
    verdict = b"Authentication-Results: mx.example.test; spf=pass; dkim=fail; dmarc=pass\r\n"
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", verdict + raw)
    trace = await bench.run()
    passed = {method: value(trace, FactName.ROUNDTRIP_AUTHENTICATION, method) for method in ("spf", "dkim", "dmarc")}
    assert passed == {"spf": 1, "dkim": 0, "dmarc": 1}
    assert value(trace, FactName.ROUNDTRIP_AUTHENTICATION, "dkim_verified") is None  # it is not signed


async def test_search_is_never_used_and_no_bare_expunge(bench: Bench):
    await bench.run()
    assert not [command for command in bench.servers.commands if "SEARCH" in command or command == "EXPUNGE"]


async def test_the_row_is_on_disk_before_the_message_is_sent(bench: Bench):
    rows: list[InFlight] = []
    deliver = bench.servers.on_message

    def look(raw: bytes) -> None:
        rows.extend(bench.state.mailbag._in_flight.values())
        deliver(raw)

    bench.servers.on_message = look
    await bench.run()
    assert [row.route for row in rows] == [ROUTE]
    assert {mark[0] for mark in rows[0].watermarks} == {"INBOX", "Junk"}


# -- other people's mail ----------------------------------------------------------------------------------------------


async def test_other_mail_is_left_alone_whatever_it_looks_like(bench: Bench):
    servers = bench.servers
    key = bench.state.signing_key
    forged = build(SENDER, RECIPIENT, new_token(b"x" * 32, ROUTE), 0)
    other_route = build(SENDER, RECIPIENT, new_token(key, "another"), 0)
    copied = (
        b"Subject: mailprobe round trip 0123456789abcdef\r\nFrom: a@example.test\r\n\r\nsee Token: "
        + new_token(key, ROUTE).encode()
    )

    def crowd(raw: bytes) -> None:
        for each in (forged, other_route, copied):
            servers.deliver("INBOX", each)
        servers.deliver("INBOX", raw)
        servers.deliver("INBOX", forged)

    servers.deliver("INBOX", copied)
    servers.on_message = crowd
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1}
    assert bench.left() == [1, 2, 3, 4, 6]
    fetched = [command for command in servers.commands if "BODY.PEEK[]" in command]
    assert all(command.startswith("UID FETCH 5 ") for command in fetched)


async def test_nothing_below_the_remembered_uid_is_looked_at(bench: Bench):
    for _ in range(5):
        bench.servers.deliver("INBOX", b"Subject: old\r\n\r\n")
    await bench.run()
    looked_at = [command for command in bench.servers.commands if "HEADER.FIELDS" in command]
    assert all(command.startswith("UID FETCH 6 ") for command in looked_at)


# -- where it should not be, and how it should not be -----------------------------------------------------------------


async def test_a_mail_in_junk_is_received_misfiled_and_a_failure(bench: Bench):
    bench.servers.on_message = lambda raw: bench.servers.deliver("Junk", raw)
    trace = await bench.run(Reason.MESSAGE_IN_JUNK)
    assert counts(trace) == {"sent": 1, "received": 1, "misfiled": 1}
    assert trace.failed_phase is Phase.ARRIVE
    assert bench.left("Junk") == []


async def test_a_junk_folder_that_is_named_after_the_password_is_masked(bench: Bench):
    """A hostile server makes a name of our password: it is not in the transcript or the text of the result."""
    bench.servers.boxes[PASSWORD] = bench.servers.boxes.pop("Junk")
    bench.servers.junk = PASSWORD
    bench.servers.on_message = lambda raw: bench.servers.deliver(PASSWORD, raw)
    trace = Trace()
    with pytest.raises(ProbeError) as caught:
        await trip.probe(bench.settings(), bench.world, trace)
    assert caught.value.text == "it was filed in <secret>"
    assert leaks(PASSWORD, [*(line.text for line in trace.lines), *map(str, trace.facts)]) == []


async def test_junk_named_by_the_preset_is_watched(bench: Bench):
    bench.servers.on_message = lambda raw: bench.servers.deliver("&W5xO9k0-", raw)
    trace = await bench.run(Reason.MESSAGE_IN_JUNK, folder_names=(("junk", ("&W5xO9k0-",)),))
    assert counts(trace)["misfiled"] == 1


async def test_a_changed_text_is_an_alteration(bench: Bench):
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw + b"-- \r\nsent from a gateway\r\n")
    trace = await bench.run(Reason.MESSAGE_ALTERED)
    assert counts(trace) == {"sent": 1, "received": 1, "altered": 1}
    assert bench.left() == []


async def test_surplus_copies_are_counted_and_removed(bench: Bench):
    def twice(raw: bytes) -> None:
        bench.servers.deliver("INBOX", raw)
        bench.servers.deliver("INBOX", raw)
        bench.servers.deliver("Junk", raw)

    bench.servers.on_message = twice
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1, "duplicated": 2}
    assert bench.left() + bench.left("Junk") == []


async def test_a_copy_that_comes_after_its_mail_was_settled_is_a_duplicate(bench: Bench):
    await bench.run()
    await bench.restart()
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 1, "duplicated": 1}
    assert bench.left() == []


# -- bounces ----------------------------------------------------------------------------------------------------------

REPORT = """Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.test

Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b
Content-Type: message/rfc822

{original}
--b--
"""


async def test_a_bounce_settles_the_mail_and_tells_why(bench: Bench):
    def bounce(raw: bytes) -> None:
        bench.servers.deliver("INBOX", REPORT.format(original=raw.decode()).encode())

    bench.servers.on_message = bounce
    trace = Trace()
    with pytest.raises(ProbeError) as caught:
        await trip.probe(bench.settings(), bench.world, trace)
    assert (caught.value.reason, caught.value.text) == (Reason.BOUNCED, "550 5.1.1 User unknown")
    assert counts(trace) == {"sent": 1, "bounced": 1}
    assert bench.left() == []
    assert await bench.in_flight() == ()


async def test_a_bounce_of_somebody_elses_mail_stays(bench: Bench):
    def both(raw: bytes) -> None:
        bench.servers.deliver("INBOX", REPORT.format(original="Subject: x\n\nx").encode())
        bench.servers.deliver("INBOX", raw)

    bench.servers.on_message = both
    assert counts(await bench.run()) == {"sent": 1, "received": 1}
    assert bench.left() == [1]


# -- servers that differ ----------------------------------------------------------------------------------------------


async def test_a_changed_uidvalidity_means_looking_again(bench: Bench):
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    old = bench.servers.submitted[0]
    bench.servers.boxes["INBOX"] = Box(uidvalidity=77)
    bench.servers.deliver("INBOX", old)
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    trace = await bench.run()
    assert counts(trace) == {"sent": 1, "received": 2}
    assert any("UIDVALIDITY" in line.text for line in trace.lines if line.direction == "#")


@pytest.mark.parametrize("folder", ["INBOX", "Junk"])
async def test_a_server_that_leaves_uidnext_out_is_watched_all_the_same(bench: Bench, folder):
    bench.servers.hides_uidnext = True
    bench.servers.deliver("INBOX", b"Subject: old\r\n\r\n")
    bench.servers.on_message = lambda raw: bench.servers.deliver(folder, raw)
    trace = await bench.run(None if folder == "INBOX" else Reason.MESSAGE_IN_JUNK)
    assert counts(trace)["received"] == 1


async def test_without_uidplus_it_is_only_marked_and_met_again_without_being_a_duplicate(bench: Bench):
    bench.servers.capabilities.remove("UIDPLUS")
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)  # its low watermark makes later runs look at the same UIDs
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    for _ in range(2):
        trace = await bench.run()
        assert counts(trace) == {"sent": 1, "received": 1}
    assert set(bench.servers.boxes["INBOX"].mails) == {1, 2} == bench.servers.boxes["INBOX"].deleted
    assert not [command for command in bench.servers.commands if "EXPUNGE" in command]


@pytest.mark.parametrize("cut", [ConnectionResetError, asyncio.CancelledError])
async def test_a_mail_whose_removal_is_cut_off_is_removed_by_the_next_run(bench: Bench, monkeypatch, cut):
    """Found by the torture: a stop of the daemon during the removal left the mail in the mailbox for ever."""

    async def broken(watch, copies):
        raise cut

    with monkeypatch.context() as patched:
        patched.setattr(inbox.InboxWatch, "remove", broken)
        with contextlib.suppress(asyncio.CancelledError):
            await bench.run(cut)
    assert len(bench.left()) == 1
    trace = await bench.run()
    assert bench.left() == []
    assert "duplicated" not in counts(trace)
