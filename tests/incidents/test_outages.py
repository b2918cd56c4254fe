"""Tests of outages: their labels, their beginning, their end, over what a daemon's tracker of causes finds."""

from __future__ import annotations

import dataclasses

from exporter.incidents.outages import FLAPPING, KEPT, Outages
from exporter.incidents.rootcause.cause import sentence
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import Phase, Result, Scope, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.outage import Outage
from exporter.model.reasons import Reason
from exporter.model.spell import GAP
from tests.incidents.rootcause.test_search import IMAP, START, endpoint, failed, flat, mailbox, ok, void, zone

HOST = "imap.a.example"
SERVER = endpoint(f"{HOST}:993")
BOXES = [each for each in flat(mailbox(f"m{n}") for n in range(3)) if each.probe is IMAP]


class Daemon:
    """A tracker of causes and what it tells, at a time that the results set. Times are seconds after START."""

    def __init__(self, *targets: Target, alert_labels: tuple[str, ...] = ()) -> None:
        self.now = START
        self.tracker = CauseTracker(lambda: self.now)
        self.known = Outages()
        self.load(*targets, alert_labels=alert_labels)

    def load(self, *targets: Target, alert_labels: tuple[str, ...] = ()) -> None:
        config = EffectiveConfig(targets, alert_labels=alert_labels)
        self.tracker.load(config)
        self.known.load(config)

    def see(self, *results: Result, at: float | None = None) -> list[Outage]:
        for result in results:
            self.now = max(self.now, result.started)
            self.tracker.record(result)
        self.now = self.now if at is None else START + at
        return list(self.known.look(self.tracker.look().causes, self.tracker.worked, self.now))


def dead(of: Target, at: float) -> Result:
    return failed(of, Reason.CONNECTION_REFUSED, at=START + at)


def works(of: Target, at: float) -> Result:
    return ok(of, START + at)


def times(found: list[Outage]) -> list[tuple[int, float, float]]:
    return [(each.targets, each.start - START, each.end and each.end - START) for each in found]


def test_an_outage_begins_with_its_first_failure_and_ends_with_its_last_recovery():
    daemon = Daemon(SERVER, *BOXES)
    assert daemon.see(*(works(each, 0) for each in (SERVER, *BOXES))) == []
    (found,) = daemon.see(dead(BOXES[0], 10), dead(SERVER, 12))
    assert (found.scope, found.server, found.domain, found.targets) == (Scope.HOST, HOST, "a.example", 2)
    assert times(daemon.see(dead(BOXES[1], 15), dead(BOXES[2], 16))) == [(4, 10, 0)]
    assert times(daemon.see(works(BOXES[0], 475), works(BOXES[1], 476))) == [(2, 10, 0)]
    assert times(daemon.see(works(SERVER, 478))) == [(0, 10, 478)]  # the last mailbox was not looked at since
    assert times(daemon.see(works(BOXES[2], 480))) == [(0, 10, 478)]
    assert times(daemon.see(at=478 + KEPT - 1)) == [(0, 10, 478)]
    assert daemon.see(at=478 + KEPT) == []


def test_a_server_that_answers_again_is_no_outage_although_its_mailboxes_were_not_looked_at_since():
    daemon = Daemon(SERVER, *BOXES)
    daemon.see(*(works(each, 0) for each in (SERVER, *BOXES)), *(dead(each, 10) for each in (SERVER, *BOXES)))
    assert times(daemon.see(works(SERVER, 60))) == [(0, 10, 60)]
    (cause,) = daemon.tracker.look().causes
    assert (cause.back, cause.scope, cause.targets) == (START + 60, Scope.HOST, ("m0", "m1", "m2"))
    assert sentence(cause, "en") == f"{HOST} answers again. Not looked at since then: 3."
    assert {label[2] for label in daemon.tracker.look().labels.values()} == {"host"}  # no alert of their own
    daemon.see(works(BOXES[0], 70))
    assert times(daemon.see(dead(BOXES[1], 71))) == [(2, 10, 0)]  # it does not work for this one: it goes on
    assert daemon.tracker.look().causes[0].back == 0
    daemon.see(*(works(each, 80) for each in BOXES))
    assert daemon.tracker.look().causes == ()


def test_an_outage_that_returns_at_once_goes_on_and_one_that_returns_later_is_another():
    daemon = Daemon(SERVER, *BOXES)
    daemon.see(dead(SERVER, 0))
    daemon.see(works(SERVER, 30))
    assert times(daemon.see(dead(SERVER, 60))) == [(1, 0, 0)]
    assert times(daemon.see(works(SERVER, 90))) == [(1, 0, 0)]  # it may come back again
    assert times(daemon.see(at=90 + FLAPPING - 1)) == [(1, 0, 0)]
    assert times(daemon.see(at=90 + FLAPPING)) == [(0, 0, 90)]
    assert times(daemon.see(dead(SERVER, 90 + GAP))) == [(1, 90 + GAP, 0)]


def test_a_label_that_some_targets_have_and_others_have_not_does_not_split_an_outage():
    boxes = [dataclasses.replace(each, labels=(("site", "hk"), ("team", f"t{n}"))) for n, each in enumerate(BOXES)]
    daemon = Daemon(SERVER, *boxes, alert_labels=("site", "team"))
    before = daemon.see(dead(SERVER, 0))
    after = daemon.see(*(dead(each, 5) for each in boxes))
    assert [each.labels for each in (*before, *after)] == [(("site", "hk"),)] * 2


def test_a_server_is_named_with_a_domain_only_if_the_domain_has_mailboxes_nowhere_else():
    """An alert with the domain would mute the alerts of those, too."""
    elsewhere = mailbox("far", "a.example", "b.example")[0]
    (whole,) = Daemon(SERVER, *BOXES).see(dead(SERVER, 0))
    (part,) = Daemon(SERVER, *BOXES, elsewhere).see(dead(SERVER, 0))
    assert (whole.domain, part.domain) == ("a.example", "")
    strangers = mailbox("guest", "c.example", "a.example")[0]
    (mixed,) = Daemon(SERVER, *BOXES, strangers).see(dead(SERVER, 0))
    assert mixed.domain == ""


def test_an_outage_whose_targets_were_removed_or_tell_nothing_more_has_no_end_that_anybody_saw():
    daemon = Daemon(SERVER, *BOXES)
    daemon.see(works(SERVER, -60), dead(SERVER, 0))
    daemon.load(*BOXES)
    assert daemon.see() == []
    daemon = Daemon(SERVER, *BOXES)
    daemon.see(works(SERVER, -60), dead(SERVER, 0))
    assert daemon.see(at=7200) == []


def test_what_a_provider_a_domain_and_our_own_network_take_along():
    many = [mailbox(f"m{n}", f"d{n}.example", f"h{n}.example", "exmail")[0] for n in range(4)]
    (found,) = Daemon(*many).see(*(failed(each, Reason.AUTH_UNAVAILABLE, Phase.LOGIN) for each in many))
    assert (found.scope, found.server, found.provider, found.domain) == (Scope.PROVIDER, "", "exmail", "")
    boxes = [each for each in flat(mailbox(f"m{n}") for n in range(2)) if each.probe is IMAP]
    lookups = [failed(each, Reason.DNS_SERVER_FAILURE, Phase.RESOLVE) for each in (zone("a.example"), *boxes)]
    (found,) = Daemon(zone("a.example"), *boxes).see(*lookups)
    assert (found.scope, found.server, found.domain, found.targets) == (Scope.DOMAIN, "", "a.example", 3)
    offline = [void(each, Reason.VANTAGE_OFFLINE) for each in BOXES]
    (found,) = Daemon(*BOXES).see(*offline)
    assert (found.scope, found.server, found.provider, found.domain) == (Scope.VANTAGE, "", "", "")


def test_our_own_network_is_out_also_while_what_runs_on_this_machine_works():
    daemon = Daemon(SERVER)
    daemon.see(works(SERVER, 0))

    def look(at: float, offline: float) -> list[tuple[int, float, float]]:
        return times(list(daemon.known.look((), daemon.tracker.worked, START + at, offline and START + offline)))

    assert look(5, 0) == []
    assert look(10, 8) == look(60, 8) == [(0, 8, 0)]
    assert look(90, 0) == [(0, 8, 90)]
    assert look(90 + KEPT, 0) == []


def test_two_outages_at_once_are_two():
    other = [mailbox(f"x{n}", "b.example", "b.example")[0] for n in range(3)]
    second = endpoint("imap.b.example:993")
    daemon = Daemon(SERVER, second, *BOXES, *other)
    daemon.see(*(dead(each, 0) for each in (SERVER, *BOXES)))
    daemon.see(*(dead(each, 60) for each in (second, *other)))
    found = daemon.see(*(works(each, 90) for each in (SERVER, *BOXES)))
    assert {each.server: (each.targets, each.start - START, each.end) for each in found} == {
        HOST: (0, 0, START + 90),
        "imap.b.example": (4, 60, 0.0),
    }
