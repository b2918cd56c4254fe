"""A route over a mail world in memory, with a state that can be restarted and a clock that the test controls."""

from __future__ import annotations

import time
from dataclasses import replace

from exporter.model import Endpoint, FactName, Login, Secret, Security, Service
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes.context import Context
from exporter.probes.roundtrip import trip
from exporter.state.store import InFlight, State
from tests.canary import leaks
from tests.context import context_over
from tests.probes.mail_servers import PASSWORD, MailServers

ROUTE = "sales-to-backup"
SENDER, RECIPIENT = "a@example.test", "b@example.test"
COUNTERS = {name for name in FactName if name.name.startswith("ROUNDTRIP")}


class Given:
    """A password from memory."""

    def __init__(self, word: str = PASSWORD) -> None:
        self._word = word

    async def read(self) -> Secret:
        return Secret(self._word)


class Bench:
    """Servers, state and a clock that the test controls."""

    def __init__(self, servers: MailServers, folder) -> None:
        self.servers = servers
        self.folder = folder
        self.state: State
        self.clock = float(round(time.time()))
        servers.stamp = self.clock + 1

    async def restart(self) -> None:
        """Do what a restart of the daemon does: close the state and read it again."""
        await self.state.close()
        self.state = await State.open(self.folder)

    @property
    def world(self) -> Context:
        return context_over(self.state, now=lambda: self.clock)

    def settings(self, **changes) -> trip.Settings:
        given = trip.Settings(
            ROUTE,
            SENDER,
            RECIPIENT,
            Endpoint("127.0.0.1", self.servers.smtp_port, Security.PLAIN, Service.SMTP),
            Login("a", SENDER, Given()),
            Endpoint("127.0.0.1", self.servers.imap_port, Security.PLAIN, Service.IMAP),
            Login("b", RECIPIENT, Given(), auth="plain"),
            late_after=5,
            lost_after=900,
            step_timeout=5,
        )
        return replace(given, **changes)

    async def run(self, reason: Reason | type[Exception] | None = None, **changes) -> Trace:
        """Do one run, which must end with this reason (None: success)."""
        trace, raised = Trace(), None
        try:
            await trip.probe(self.settings(**changes), self.world, trace)
        except Exception as exc:
            raised = exc
        found = raised.reason if isinstance(raised, ProbeError) else type(raised) if raised else None
        assert found is reason, repr(raised)
        assert leaks(PASSWORD, [line.text for line in trace.lines]) == []
        return trace

    async def in_flight(self) -> tuple[InFlight, ...]:
        return await self.state.mailbag.in_flight(ROUTE)

    def left(self, folder: str = "INBOX") -> list[int]:
        box = self.servers.boxes[folder]
        return sorted(set(box.mails) - box.deleted)


def counts(trace: Trace) -> dict[str, int]:
    """Return how often each event was reported, without states."""
    states = {
        FactName.ROUNDTRIP_IN_FLIGHT,
        FactName.ROUNDTRIP_OLDEST_IN_FLIGHT,
        FactName.ROUNDTRIP_HOP_DELAY,
        FactName.ROUNDTRIP_AUTHENTICATION,
        FactName.ROUNDTRIP_PRECISION,
        FactName.ROUNDTRIP_CAME_LATE,
    }
    told = [fact.name for fact in trace.facts if fact.name in COUNTERS - states]
    return {name.value.removeprefix("roundtrip_"): told.count(name) for name in told}


def value(trace: Trace, name: FactName, *labels: str) -> float | str | None:
    found = [fact.value for fact in trace.facts if fact.name is name and fact.labels == labels]
    return found[-1] if found else None
