"""Tests of Received fields: the path of a mail, and the delay at each server."""

import pytest

from exporter.probes.roundtrip.headers import fields, hop_delays, hops, last_stamp

SENT = 1_760_000_000.0  # Thu, 09 Oct 2025 08:53:20 GMT


def received(by: str, after: int, zone: str = "+0000") -> str:
    seconds = 20 + after
    return (
        f"Received: from x (x [192.0.2.1])\r\n\tby {by} (Postfix) with ESMTP id 1\r\n\tfor <b@example.test>;"
        f" Thu, 09 Oct 2025 {'08' if zone == '+0000' else '16'}:{53 + seconds // 60:02}:{seconds % 60:02} {zone}\r\n"
    )


def header(*way: str) -> bytes:
    """The first hop is the first argument: on a mail the latest stands on top."""
    return "".join(reversed(way)).encode() + b"Subject: x\r\n\r\nReceived: by body; now\r\n"


def test_fields_are_unfolded_and_end_at_the_empty_line():
    assert fields(b"A: 1\r\n\t2\r\nb : 3\r\n\r\nC: 4") == [("a", b"1\t2"), ("b", b"3")]


def test_hops_come_in_the_order_of_the_way_and_time_zones_are_understood():
    way = hops(header(received("out.sender.test", 1), received("mx.receiver.test", 3, "+0800")))
    assert [(hop.by, hop.at) for hop in way] == [("out.sender.test", SENT + 1), ("mx.receiver.test", SENT + 3)]
    assert last_stamp(header(received("a.test", 7))) == SENT + 7
    assert last_stamp(b"Subject: x\r\n\r\n") is None


def test_delays_belong_to_sender_relays_and_receiver():
    raw = header(
        received("submit.sender.com.cn", 1),
        received("queue.sender.com.cn", 2),
        received("filter.relay.test", 10),
        received("mx.receiver.test", 14),
        received("store.receiver.test", 19),
    )
    assert hop_delays(raw, SENT, SENT + 20) == {"sender": 10, "relay": 4, "receiver": 6}


def test_without_a_relay_there_is_no_relay_delay():
    raw = header(received("out.sender.test", 1), received("mx.receiver.test", 5))
    assert hop_delays(raw, SENT, SENT + 6) == {"sender": 5, "receiver": 1}


def test_within_one_organisation_the_first_server_is_the_senders():
    raw = header(received("mail.example.test", 1), received("mail.example.test", 3))
    assert hop_delays(raw, SENT, SENT + 4) == {"sender": 1, "relay": 2, "receiver": 1}
    assert hop_delays(header(received("mail", 1)), SENT, SENT + 4) == {"sender": 1, "receiver": 3}


def test_a_clock_behind_gives_zero_and_one_far_ahead_gives_nothing():
    raw = header(received("out.sender.test", -5), received("mx.receiver.test", -3))
    assert hop_delays(raw, SENT, SENT + 2)["sender"] == 0
    raw = header(received("out.sender.test", 1), received("mx.receiver.test", 300))
    assert hop_delays(raw, SENT, SENT + 2) == {"receiver": 0}


@pytest.mark.parametrize("stamp", ["", "yesterday", "Thu, 99 Foo 2025 08:53:20 +0000", "9" * 400])
def test_an_unreadable_date_gives_no_delay(stamp):
    raw = f"Received: by mx.receiver.test; {stamp}\r\n\r\n".encode()
    assert hop_delays(raw, SENT, SENT + 2) == {}


def test_a_header_without_received_or_a_clock_that_went_back_gives_nothing():
    assert hop_delays(b"Subject: x\r\n\r\n", SENT, SENT + 1) == {}
    assert hop_delays(header(received("mx.test", 1)), SENT, SENT - 1) == {}
