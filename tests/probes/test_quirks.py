"""Tests of the effect of a provider's quirks on a round trip."""

from __future__ import annotations

import asyncio

from exporter.model import FactName
from exporter.model.reasons import Reason
from tests.probes.roundtrip.route import Bench, counts, value


async def test_a_status_that_does_not_tell_is_not_asked_and_junk_is_opened_instead(bench: Bench):
    bench.servers.hides_uidnext = True
    bench.servers.on_message = lambda raw: bench.servers.deliver("Junk", raw)
    trace = await bench.run(Reason.MESSAGE_IN_JUNK, status_omits_uidnext=True)
    assert counts(trace) == {"sent": 1, "received": 1, "misfiled": 1}
    assert not [command for command in bench.servers.commands if command.startswith("STATUS")]
    assert bench.left("Junk") == []


async def test_a_mail_is_seen_in_junk_although_another_one_left_it_and_the_count_is_the_same(bench: Bench):
    """The count alone is no sign of news: with the quirk it is not relied on."""
    servers = bench.servers
    servers.hides_uidnext = True
    old = servers.deliver("Junk", b"Subject: old\r\n\r\n")

    def swap(raw: bytes) -> None:
        del servers.boxes["Junk"].mails[old]
        servers.deliver("Junk", raw)

    servers.on_message = swap
    trace = await bench.run(Reason.MESSAGE_IN_JUNK, status_omits_uidnext=True)
    assert value(trace, FactName.ROUNDTRIP_IN_FLIGHT) == 0


async def test_something_is_said_before_the_provider_drops_an_idle_connection(bench: Bench, monkeypatch):
    """IDLE is begun anew after half of the provider's time, though junk would not ask for a look so soon."""
    monkeypatch.setattr("exporter.probes.roundtrip.inbox.JUNK_EVERY", 60.0)
    servers, tasks = bench.servers, []

    async def after_the_third_idle(raw: bytes) -> None:
        for _ in range(3):
            await servers.idled.wait()
            servers.idled.clear()
        servers.deliver("INBOX", raw)

    servers.on_message = lambda raw: tasks.append(asyncio.create_task(after_the_third_idle(raw)))
    trace = await bench.run(idle_timeout=0.2, late_after=30)
    assert counts(trace) == {"sent": 1, "received": 1}
    assert servers.commands.count("IDLE") >= 3


async def test_search_is_never_sent_whoever_the_provider_is(bench: Bench):
    await bench.run()
    assert not [command for command in bench.servers.commands if "SEARCH" in command]
