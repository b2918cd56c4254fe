"""Reports that strangers send: read in few steps, whatever is in them, and never in the way of a mail of ours."""

from __future__ import annotations

import pytest

from exporter.model import bounds
from exporter.model.reasons import Reason
from exporter.probes.roundtrip import inbox, report
from exporter.probes.roundtrip.message import new_token
from exporter.probes.roundtrip.reports_seen import MAX_KEPT, TRIES, ReportsSeen
from tests.hostile import shapes
from tests.hostile.steps import steps
from tests.probes.roundtrip.route import ROUTE, Bench, counts
from tests.probes.roundtrip.test_message import report as report_about

POISON = {
    "nested messages, 48 KiB": shapes.nested_messages(1500),
    "nested multiparts, 256 KiB": shapes.nested_multiparts(120_000),
    "delimiters, 256 KiB": shapes.delimiters(32_000),
    "lines that begin like delimiters, 256 KiB": shapes.false_delimiters(40_000),
    "recipients, 256 KiB": shapes.recipients(4_000),
    "header parameters, 256 KiB": shapes.parameters(40_000),
    "folded header, 256 KiB": shapes.folded(40_000),
}


@pytest.mark.parametrize("name", POISON)
def test_a_report_is_read_in_few_steps(name):
    poison = POISON[name]
    assert steps(lambda: report.read(poison)) < 6_000
    assert steps(lambda: report.may_be_report(poison)) < 1_000


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_report_whose_boundary_begins_other_boundaries_is_read(end):
    raw = report_about(new_token(b"k" * 32, ROUTE)).replace(b"I'm sorry.", b"--bb\n--b-\n --b\n")
    found = report.read(raw.replace(b"\r\n", b"\n").replace(b"\n", end.encode()))
    assert found is not None
    assert found.failed
    assert b"X-Mailprobe-Token" in found.original


def test_a_report_that_was_cut_off_tells_what_is_there():
    raw = report_about(new_token(b"k" * 32, ROUTE)).removesuffix(b"--b--\n")
    found = report.read(raw)
    assert found is not None
    assert (found.failed, b"X-Mailprobe-Token" in found.original) == (True, True)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
def test_headers_in_a_transfer_encoding_are_read(encoding):
    text = {"base64": b"WC1BOiBi\r\n", "quoted-printable": b"X-A:=20b\r\n"}[encoding]
    raw = (
        shapes.REPORT_HEAD
        + b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nAction: failed\r\n"
        + b"--b\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: "
        + encoding.encode()
        + b"\r\n\r\n"
        + text
        + b"--b--\r\n"
    )
    found = report.read(raw)
    assert found is not None
    assert found.original.strip() == b"X-A: b"


def test_a_report_is_opened_once_or_where_that_ends_the_run_twice():
    seen = ReportsSeen()
    where, other = ("INBOX", 7, 1), ("INBOX", 7, 2)
    seen.opening(where)
    seen.foreign(where)
    assert seen.is_done(where)
    for _ in range(TRIES):
        seen = ReportsSeen(seen.dump())
        assert not seen.is_done(other)
        seen.opening(other)
    assert ReportsSeen(seen.dump()).is_done(other)


@pytest.mark.parametrize("kept", ["", "x", "{}", "[[1]]", '[["INBOX", 7, 1, "x"]]', "[" * 100_000])
def test_what_was_remembered_and_cannot_be_read_is_nothing(kept):
    assert not ReportsSeen(kept).is_done(("INBOX", 7, 1))


def test_only_the_newest_reports_are_remembered():
    seen = ReportsSeen()
    for uid in range(MAX_KEPT + 10):
        seen.foreign(("INBOX", 7, uid))
    again = ReportsSeen(seen.dump())
    assert [again.is_done(("INBOX", 7, uid)) for uid in (9, 10, MAX_KEPT + 9)] == [False, True, True]


# -- in the watched mailbox -------------------------------------------------------------------------------------------


async def poisoned(bench: Bench, poison: bytes) -> None:
    """A mail of ours is in flight, and the stranger's mails lie above its watermark."""
    bench.servers.on_message = lambda raw: None
    await bench.run(Reason.MESSAGE_LATE, late_after=0.1)
    for _ in range(inbox.MAX_REPORTS + 2):
        bench.servers.deliver("INBOX", poison)


@pytest.mark.parametrize("name", POISON)
async def test_a_route_goes_on_whatever_strangers_send(bench: Bench, name):
    await poisoned(bench, POISON[name])
    bench.servers.deliver("INBOX", bench.servers.submitted[0])
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    assert counts(await bench.run()) == {"sent": 1, "received": 2}
    assert await bench.in_flight() == ()
    assert len(bench.left()) == inbox.MAX_REPORTS + 2


async def test_a_mail_that_never_comes_is_late_and_lost_beside_a_strangers_mail(bench: Bench):
    await poisoned(bench, POISON["nested messages, 48 KiB"])
    bench.clock += 1000
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    assert counts(await bench.run()) == {"sent": 1, "received": 1, "lost": 1}


async def test_strangers_reports_do_not_hide_ours_for_long(bench: Bench):
    """Those that were opened are not opened again: the next run comes to the ones behind them."""
    await poisoned(bench, shapes.nested_messages(3))
    token = (await bench.in_flight())[0].token
    bench.servers.deliver("INBOX", report_of(bench.servers.submitted[0]))
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    await bench.run()
    assert [mail.token for mail in await bench.in_flight()] == [token]
    assert counts(await bench.run())["bounced"] == 1
    opened = [command for command in bench.servers.commands if f"BODY.PEEK[]<0.{bounds.MESSAGE}>" in command]
    assert len([command for command in opened if command.startswith("UID FETCH 1 ")]) == 1


async def test_a_report_that_ends_the_connection_is_opened_twice_and_then_left(bench: Bench):
    await poisoned(bench, shapes.nested_messages(3))
    box = bench.servers.boxes["INBOX"]
    first = min(box.mails)
    box.mails[first] = box.mails[first] + b"x" * (bounds.IMAP_COMMAND + 1)  # this server sends more than was asked for
    bench.servers.on_message = lambda raw: bench.servers.deliver("INBOX", raw)
    for _ in range(TRIES):
        with pytest.raises(AssertionError, match="Garbage"):
            await bench.run()
    assert counts(await bench.run())["received"] == 1


def report_of(mail: bytes) -> bytes:
    status = b"Reporting-MTA: dns; x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
    return (
        shapes.REPORT_HEAD
        + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + status
        + b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + mail
        + b"\r\n--b--\r\n"
    )
