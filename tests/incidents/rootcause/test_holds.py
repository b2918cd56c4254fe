"""Tests that a cause keeps its scope while it recovers, over sequences of results as a daemon records them."""

from __future__ import annotations

import random

import pytest

from exporter.incidents.rootcause.holds import LINGER
from exporter.model import Phase, Result, Target
from exporter.model.reasons import Reason
from tests.incidents.rootcause.test_search import (
    IMAP,
    START,
    Standing,
    endpoint,
    failed,
    flat,
    mailbox,
    ok,
    route,
    zone,
)

BOXES = [each for each in flat(mailbox(f"m{n}") for n in range(5)) if each.probe is IMAP]
SERVER = endpoint("imap.a.example:993")
HOST = "host:imap.a.example"


def dead(of: Target, at: float) -> Result:
    return failed(of, Reason.CONNECTION_REFUSED, at=START + at)


def works(of: Target, at: float) -> Result:
    return ok(of, START + at)


def down() -> Standing:
    """Return the tracker after an outage of 5 mailboxes, seen from second 0 on."""
    watch = Standing([SERVER, *BOXES])
    watch.keys(*(works(each, -60) for each in (SERVER, *BOXES)), dead(SERVER, 0))
    for n, each in enumerate(BOXES):
        assert watch.keys(dead(each, 60 * n + 5)) == {HOST: 0.0}
    return watch


def test_the_last_mailboxes_stay_with_their_server_while_it_recovers():
    watch = down()
    assert watch.keys(works(SERVER, 470)) == {HOST: 0.0}
    for n, each in enumerate(BOXES[:-1]):
        assert watch.keys(works(each, 480 + n)) == {HOST: 0.0}
    assert watch.keys(dead(BOXES[-1], 485)) == {HOST: 0.0}
    assert watch.counts() == (1, 5, 0)
    assert watch.keys(works(BOXES[-1], 500)) == {}


def test_a_server_that_refuses_again_while_it_recovers_is_the_same_cause():
    """And not, once everything has worked again: then nobody knows yet what a single refused connection means."""
    watch = down()
    watch.keys(works(SERVER, 470), *(works(each, 471) for each in BOXES[:-1]))
    assert watch.keys(dead(BOXES[0], 480)) == {HOST: 0.0}
    assert watch.keys(works(BOXES[0], 490), works(BOXES[-1], 491)) == {}
    assert watch.keys(dead(BOXES[0], 500)) == {"target:m0": 500.0}


def test_a_mailbox_that_still_fails_long_after_its_server_is_back_has_a_cause_of_its_own():
    watch = down()
    watch.keys(works(SERVER, 470), *(works(each, 471) for each in BOXES[:-1]))
    assert watch.keys(dead(BOXES[-1], 471 + LINGER - 2)) == {HOST: 0.0}
    assert watch.keys(dead(BOXES[-1], 471 + LINGER)) == {"target:m4": 245.0}


def test_a_refused_login_after_the_outage_is_no_part_of_it():
    watch = down()
    refused = failed(BOXES[-1], Reason.WRONG_PASSWORD, Phase.LOGIN, at=START + 480)
    assert watch.keys(works(SERVER, 470), refused, *(works(each, 471) for each in BOXES[:-1])) == {"target:m4": 245.0}


def test_a_server_that_is_down_again_while_it_recovers_is_the_same_cause():
    watch = down()
    watch.keys(works(SERVER, 470), works(BOXES[0], 471))
    assert watch.keys(dead(SERVER, 480)) == {HOST: 0.0}
    assert watch.keys(dead(BOXES[0], 485), works(SERVER, 500)) == {HOST: 0.0}
    assert watch.keys(*(works(each, 510) for each in BOXES)) == {}
    assert watch.keys(dead(SERVER, 900)) == {HOST: 900.0}


def test_a_provider_keeps_its_outage_until_its_last_mailbox_works():
    everyone = [mailbox(f"m{n}", f"d{n}.example", f"h{n}.example", "exmail")[0] for n in range(4)]
    watch = Standing(everyone)
    for each in everyone[:3]:
        watch.keys(failed(each, Reason.AUTH_UNAVAILABLE, Phase.LOGIN))
    assert watch.keys() == {"provider:exmail": 0.0}
    for n, each in enumerate(everyone[:2]):
        assert watch.keys(works(each, 60 + n)) == {"provider:exmail": 0.0}
    assert watch.keys(works(everyone[2], 70)) == {}


def test_a_domains_dns_keeps_what_hangs_on_it_until_the_last_lookup_works():
    boxes = [each for each in flat(mailbox(f"m{n}") for n in range(2)) if each.probe is IMAP]
    watch = Standing([*boxes, zone("a.example")])
    for each in (zone("a.example"), *boxes):
        watch.keys(failed(each, Reason.DNS_SERVER_FAILURE, Phase.RESOLVE))
    assert watch.keys(works(zone("a.example"), 60)) == {"dns:a.example": 0.0}
    assert watch.keys(works(boxes[0], 70)) == {"dns:a.example": 0.0}
    assert {label[2] for label in watch.known.look().labels.values()} == {"domain"}
    assert watch.keys(works(boxes[1], 80)) == {}


def test_a_route_stays_with_its_server_too():
    trip = route("trip", "m0", "m1", ("smtp.a.example:465", "imap.a.example:993"))
    watch = Standing([SERVER, *BOXES, trip])
    watch.keys(*(dead(each, 0) for each in (SERVER, *BOXES, trip)))
    assert watch.keys(works(SERVER, 60), *(works(each, 61) for each in BOXES[2:])) == {HOST: 0.0}


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_of_recovery_one_cause_stays_one(seed: int):
    """The server is up for 30 and down for 90 seconds, then up for good. Only after everything has worked may the
    first failure of a mailbox be a cause of its own, until its server has been looked at.
    """
    order = random.Random(seed)
    watch, at = down(), 470.0
    before = {HOST}
    for _ in range(200):
        at += order.uniform(1, 5)
        up = (at - 470) % 120 < 30 or at > 800
        each = order.choice([SERVER, *BOXES])
        result = works(each, at) if up else dead(each, at)
        found = set(watch.keys(result))
        if HOST in before:
            assert found in ({HOST}, set())
        before = found
    assert watch.keys(*(works(each, at + 1) for each in (SERVER, *BOXES))) == {}


def test_a_reload_during_the_recovery_keeps_the_cause():
    watch = down()
    watch.keys(works(SERVER, 470))
    watch.known.load(watch.config)
    assert watch.keys() == {HOST: 0.0}


def test_what_was_looked_at_before_its_server_failed_is_overtaken_until_it_is_looked_at_again():
    watch = Standing([SERVER, *BOXES])
    watch.keys(*(works(each, -60) for each in (SERVER, *BOXES)))
    assert watch.known.overtaken() == {}
    watch.keys(dead(SERVER, 0), dead(BOXES[0], 5), works(BOXES[1], 6))
    assert watch.known.overtaken() == {each.key: START - 60 for each in BOXES[2:]}
    watch.keys(works(SERVER, 470))
    assert watch.known.overtaken() == {each.key: START - 60 for each in BOXES[2:]}
    watch.keys(*(works(each, 480) for each in BOXES))
    assert watch.known.overtaken() == {}


def test_a_mailbox_at_another_server_and_another_port_of_the_mailbox_are_not_overtaken():
    sending = [each for each in flat(mailbox(f"m{n}") for n in range(2)) if each.probe is not IMAP]
    watch = Standing([SERVER, *BOXES, *sending])
    watch.keys(*(works(each, -60) for each in (SERVER, *BOXES, *sending)), dead(SERVER, 0))
    assert set(watch.known.overtaken()) == {each.key for each in BOXES}
