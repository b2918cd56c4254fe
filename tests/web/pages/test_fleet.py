"""Tests of the status table: its targets, their order, the size of a page, and how often all targets are read."""

from __future__ import annotations

import re
import time

import pytest

from exporter.model import Kind, Outcome, ProbeName
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.staleness import LEAST
from exporter.web.pages import status
from exporter.web.pages.filters import parse
from exporter.web.pages.fleet import SHARE, STATES, Fleet, SnapshotCache, target_state
from tests.results import domain, failed, mailbox, ok, route
from tests.web.view import FakeView


def now() -> float:
    return time.time() - 5


async def rows(client, query: str) -> list[str]:
    text = await (await client.get(f"/?lang=en&{query}")).text()
    return re.findall(r'id="t-([^"]+)"', text)


@pytest.fixture
def view() -> FakeView:
    """Five targets, of several kinds, providers and labels, of which two fail."""
    boxes = [
        mailbox("box10", provider="qq", labels=(("team", "export"),), domain="acme.example"),
        mailbox("box2", provider="", labels=(("team", "import"),), servers=("imap.one.example:993",)),
        mailbox("box2", ProbeName.SMTP, provider="", labels=(("team", "import"),)),
        mailbox("Alpha", provider="gmail", labels=()),
    ]
    made = FakeView([*boxes, domain("zeta.example"), route("trip")])
    made.record(failed(boxes[0], started=now() - 100, duration=0.5))
    made.record(ok(boxes[1], started=now() - 50, duration=0.1))
    made.record(failed(boxes[2], started=now() - 10, duration=3.0))
    made.record(ok(boxes[3], started=now() - 200, duration=0.2))
    return made


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["box2", "box10", "trip", "zeta.example", "Alpha"]),
        ("sort=-state", ["Alpha", "zeta.example", "trip", "box10", "box2"]),
        ("sort=name", ["Alpha", "box2", "box10", "trip", "zeta.example"]),
        ("sort=-name", ["zeta.example", "trip", "box10", "box2", "Alpha"]),
        ("sort=took", ["box2", "box10", "Alpha", "trip", "zeta.example"]),
        ("sort=since", ["box2", "box10", "Alpha", "trip", "zeta.example"]),
        ("sort=provider", ["trip", "Alpha", "box10", "box2", "zeta.example"]),
        ("sort=<nonsense>", ["box2", "box10", "trip", "zeta.example", "Alpha"]),
        ("state=failed", ["box2", "box10"]),
        ("state=ok", ["Alpha"]),
        ("state=waiting", ["trip", "zeta.example"]),
        ("state=nonsense", ["box2", "box10", "trip", "zeta.example", "Alpha"]),
        ("provider=gmail", ["Alpha"]),
        ("provider=-", ["box2", "zeta.example"]),
        ("label=team%3Dexport", ["box10"]),
        ("kind=route", ["trip"]),
        ("q=BOX", ["box2", "box10"]),
        ("q=acme.EXAMPLE", ["box10"]),
        ("q=imap.one", ["box2"]),
        ("q=box+import", ["box2"]),
        ("q=gmail&state=failed", []),
        ("label=%00&provider=%F0", []),
    ],
)
async def test_the_table_is_filtered_and_sorted(browse, view, query, shown):
    assert await rows(await browse(view), query) == shown


async def test_the_numbers_beside_the_states_are_of_what_the_other_filters_leave(browse, view):
    text = await (await (await browse(view)).get("/?lang=en&q=box&state=ok")).text()
    states = text[text.index('<nav class="states"') : text.index("</nav>", text.index('<nav class="states"'))]
    assert re.findall(r'class="count">(\d+)<', states) == ["2", "2", "0"]
    assert 'href="?lang=en&amp;q=box&amp;state=failed"' in states
    assert 'href="?lang=en&amp;q=box">All' in states  # each part of the address is kept but for the state
    assert "No target matches." in text
    assert "2 of 5 targets are failing" in text  # the headline is about everything


async def test_the_filter_keeps_what_was_chosen_and_offers_what_there_is(browse, view):
    text = await (await (await browse(view)).get("/?lang=en&q=b%22x&provider=gone&label=team%3Dexport")).text()
    assert 'value="b&#34;x"' in text
    assert '<option value="gone" selected>gone</option>' in text  # a link may name what has left
    assert '<option value="team=export" selected>team=export</option>' in text
    assert '<option value="-">not known</option>' in text
    assert '<select name="kind">' in text


async def test_a_target_is_in_the_worst_state_of_its_probes_and_fails_since_the_first_of_them(browse):
    both = [mailbox("a"), mailbox("a", ProbeName.SMTP)]
    view = FakeView(both)
    fleet = Fleet(both)

    def seen() -> tuple[str, float]:
        (found,) = fleet.look(view.history, view.interval, time.time()).targets
        return STATES[found.rank], found.since

    assert seen() == ("waiting", 0.0)
    view.record(ok(both[0], started=(first := now() - 300)))
    assert seen()[0] == "waiting"
    view.record(failed(both[1], started=(second := now() - 200)))
    assert seen() == ("failed", second)
    view.record(failed(both[0], started=now() - 100))
    assert seen() == ("failed", second)
    view.record(ok(both[0], started=now() - 50))
    view.record(ok(both[1], started=(last := now())))
    assert seen() == ("ok", last)
    view.record(failed(both[0], Reason.LOCAL_ERROR, None, outcome=Outcome.INCONCLUSIVE, started=now()))
    assert seen() == ("ok", last)
    assert first < second


def test_only_what_has_a_new_result_is_judged_anew(monkeypatch):
    boxes = [mailbox(f"box{number}") for number in range(5)]
    view, fleet, judged = FakeView(boxes), Fleet(boxes), []
    for each in boxes[1:]:
        view.record(ok(each, started=now()))

    def counted(entry, *given):
        judged.append(entry.name)
        return target_state(entry, *given)

    monkeypatch.setattr("exporter.web.pages.fleet.target_state", counted)
    fleet.look(view.history, view.interval, time.time())
    assert sorted(judged) == [each.name for each in boxes]
    judged.clear()
    view.record(failed(boxes[3], started=now()))
    look = fleet.look(view.history, view.interval, time.time())
    assert judged == ["box3"]
    assert look.counts == {"failed": 1, "stale": 0, "inconclusive": 0, "waiting": 1, "ok": 3}


@pytest.mark.parametrize(("interval", "stale_after"), [(10.0, LEAST), (300.0, 1500.0)])
def test_without_a_new_result_it_becomes_stale_in_its_time(interval, stale_after):
    box = mailbox(interval=interval)
    view, fleet = FakeView([box]), Fleet([box])
    view.record(ok(box, started=(ended := now() - 1), duration=0.0))

    def state(at: float) -> str:
        (found,) = fleet.look(view.history, view.interval, at).targets
        return STATES[found.rank]

    ages = (1, LEAST - 1, LEAST + 1, 1499, 1501, 5000)
    assert [state(ended + age) for age in ages] == ["ok" if age <= stale_after else "stale" for age in ages]
    view.record(ok(box, started=ended + 4990, duration=0.0))
    assert state(ended + 5000) == "ok"


async def test_the_status_page_is_bounded(browse):
    view = FakeView([mailbox(f"box{number:04}") for number in range(250)])
    client = await browse(view)
    first, last, beyond = [await rows(client, f"page={page}") for page in (1, 3, 99)]
    assert (len(first), len(last), len(beyond)) == (status.PER_PAGE, 50, 50)
    assert "Page 3 of 3" in await (await client.get("/?page=99&lang=en")).text()
    for number in ("0", "-1", "x", "9" * 50, "٣"):
        assert await rows(client, f"page={number}") == first


async def test_a_look_at_many_targets_is_shared_for_as_long_as_it_was_dear(monkeypatch):
    clock, targets = [0.0], [mailbox()]
    view, looks = FakeView(targets), []
    look = Fleet.look

    def counted(self, *given):
        looks.append(1)
        clock[0] += cost
        return look(self, *given)

    monkeypatch.setattr(Fleet, "look", counted)
    watch = SnapshotCache(lambda: clock[0])
    cost = 0.001
    watch.look(targets, view.history, view.interval)
    watch.look(targets, view.history, view.interval)
    assert len(looks) == 2  # a cheap one is always new
    cost = 0.05
    watch.look(targets, view.history, view.interval)
    clock[0] += SHARE * cost - 0.01
    watch.look(targets, view.history, view.interval)
    assert len(looks) == 3
    clock[0] += 0.02
    watch.look(targets, view.history, view.interval)
    assert len(looks) == 4
    watch.look([mailbox("new")], view.history, view.interval)
    assert len(looks) == 5  # another config is another fleet


async def test_a_target_that_a_reload_takes_away_meanwhile_does_not_break_the_page(browse):
    view = FakeView([mailbox()], [ok(mailbox(), started=now())])
    view.metrics.load(EffectiveConfig())
    client = await browse(view)
    assert await rows(client, "") == ["sales"]
    assert (await client.get("/targets/sales")).status == 200


def test_what_an_address_says_is_bounded():
    filters = parse({"q": "x " * 500, "provider": "p" * 500, "sort": "--took", "page": "12345678"}, STATES)
    assert (len(filters.text), len(filters.words), len(filters.provider)) == (200, 8, 200)
    assert (filters.sort, filters.page) == ("", 1)
    assert not parse({"sort": "took", "page": "2"}, STATES).any
    assert parse({"cause": "host:x"}, STATES).any


def test_only_so_many_labels_are_offered_and_those_are_the_frequent_ones():
    targets = [mailbox(f"box{n}", labels=(("team", "all"), ("id", str(n)))) for n in range(500)]
    labels = Fleet(targets).labels
    assert len(labels) == 200
    assert "team=all" in labels
    assert Fleet(targets).kinds == (Kind.MAILBOX,)


async def test_what_was_looked_at_before_its_server_failed_is_not_shown_as_working(browse, view):
    """It is no news, with the time of the last look, until it is looked at again. The counts agree."""
    client = await browse(view)
    assert '<tbody class="ok" id="t-Alpha">' in await (await client.get("/?lang=en&q=Alpha")).text()
    view.history.overtake({("Alpha", ProbeName.IMAP): now() - 200})
    client = await browse(view)  # with a new snapshot
    text = await (await client.get("/?lang=en&q=Alpha")).text()
    assert '<tbody class="stale" id="t-Alpha">' in text
    assert '<span class="muted">Not looked at since</span> <time datetime=' in text
    assert await rows(client, "state=stale") == ["Alpha"]
    assert await rows(client, "state=ok") == []
    assert "此后未再检查：" in await (await client.get("/targets/Alpha?lang=zh")).text()
    view.history.overtake({})
    assert await rows(await browse(view), "state=ok") == ["Alpha"]


async def test_what_fails_is_told_as_failing_also_if_another_probe_of_it_was_not_looked_at(browse, view):
    view.history.overtake({("box2", ProbeName.IMAP): now() - 50})
    text = await (await (await browse(view)).get("/?lang=en&q=box2")).text()
    assert '<tbody class="failed" id="t-box2">' in text
    assert "Not looked at since" not in text
