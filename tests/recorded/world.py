"""A simulated mail world and the real daemon's parts over it: scheduler, root causes, outages, incidents, metrics.

A story is a list of faults with the seconds at which they begin and end. Everything that the daemon would show is
recorded: each result, the metrics of each scrape, and the incidents that mailprobe itself would push.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from exporter.incidents.alert_labels import labels_of
from exporter.incidents.incident import Incident
from exporter.incidents.lifecycle import Incidents
from exporter.incidents.outages import Outages
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import (
    Endpoint,
    Failure,
    Kind,
    Outcome,
    Phase,
    ProbeName,
    Result,
    Security,
    Service,
    Target,
)
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.model.settings import Limits
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.run.scheduler import Scheduler
from exporter.run.timing import plan
from tests.recorded.simulated_time import Monotonic, SimulatedLoop, run

BEGIN = 0.0  # Unix time of second 0, as in promtool's tests
LOGIN, TLS = 300.0, 60.0  # the default intervals in seconds
TICK = 2.0  # seconds between two ticks of the incidents
LOOK = 1.0  # seconds between two looks at the causes
SCRAPE = 30.0  # seconds between two scrapes, as in the example configuration


@dataclass(frozen=True)
class Settings:
    endpoint: Endpoint


@dataclass(frozen=True)
class Fault:
    """Something that fails from one second to another."""

    start: float
    end: float
    hits: Callable[[Target], bool]
    reason: Reason = Reason.CONNECTION_REFUSED
    phase: Phase = Phase.CONNECT
    outcome: Outcome = Outcome.FAILED
    flaps: tuple[float, float] | None = None  # seconds up and seconds down, beginning with down

    def at(self, second: float) -> bool:
        if not self.start <= second < self.end:
            return False
        if self.flaps is None:
            return True
        up, down = self.flaps
        return (second - self.start) % (up + down) < down


def server_of(host: str) -> Callable[[Target], bool]:
    return lambda target: any(server.startswith(f"{host}:") for server in target.servers)


def mailbox(name: str, domain: str, host: str, provider: str = "", team: str = "") -> list[Target]:
    """Return the imap and smtp targets of a mailbox."""
    made = []
    for probe, port, service in ((ProbeName.IMAP, 993, Service.IMAP), (ProbeName.SMTP, 465, Service.SMTP)):
        endpoint = Endpoint(host, port, Security.TLS, service)
        made.append(
            Target(
                name, Kind.MAILBOX, probe, Settings(endpoint), LOGIN, 20.0, 20.0, provider=provider, domain=domain,
                labels=(("team", team),) if team else (), servers=(endpoint.name,), logins=(host,),
            )
        )  # fmt: skip
    return made


def ports(host: str, provider: str = "") -> list[Target]:
    """Return the tls targets of a server."""
    made = []
    for port, service in ((993, Service.IMAP), (465, Service.SMTP)):
        endpoint = Endpoint(host, port, Security.TLS, service)
        made.append(
            Target(
                endpoint.name, Kind.ENDPOINT, ProbeName.TLS, Settings(endpoint), TLS, 10.0, 10.0, provider=provider,
                servers=(endpoint.name,),
            )
        )  # fmt: skip
    return made


@dataclass
class Told:
    """An incident as it was when it opened or ended."""

    second: float
    incident: Incident


@dataclass
class Record:
    """What happened. Seconds count from BEGIN."""

    results: list[Result] = field(default_factory=list)
    scrapes: dict[float, str] = field(default_factory=dict)  # second → text
    opened: list[Told] = field(default_factory=list)
    resolved: list[Told] = field(default_factory=list)


class World:
    """A runner for the scheduler, which answers by the faults of the story."""

    def __init__(self, loop: SimulatedLoop, faults: Sequence[Fault]) -> None:
        self._loop = loop
        self._faults = faults
        self._count = 0

    def now(self) -> float:
        return BEGIN + self._loop.time()

    def is_offline(self) -> bool:
        return any(fault.reason is Reason.VANTAGE_OFFLINE and fault.at(self._loop.time()) for fault in self._faults)

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        started = self.now()
        self._count += 1
        hit = next((each for each in self._faults if each.at(self._loop.time()) and each.hits(target)), None)
        slow = hit is not None and hit.reason is Reason.TIMEOUT
        await asyncio.sleep(target.timeout if slow else 0.2)
        made = Result(target, f"{self._count:012x}", started, self.now() - started, Outcome.OK)
        if hit is None:
            return made
        refused = hit.phase is Phase.LOGIN and hit.reason is Reason.WRONG_PASSWORD
        failure = Failure(hit.phase, hit.reason, f"said {hit.reason}")
        return replace(made, outcome=hit.outcome, failure=failure, login_refused=refused)


class _Quiet:
    """Ignores the scheduler's own measurements."""

    def skipped(self, probe: ProbeName, reason: str) -> None: ...

    def delay(self, seconds: float) -> None: ...

    def lag(self, seconds: float) -> None: ...

    def in_progress(self, probe: ProbeName, delta: int) -> None: ...


def recorded(
    targets: Sequence[Target], faults: Sequence[Fault], seconds: float, alert_labels: Sequence[str] = ()
) -> Record:
    """Let the story happen, and return what the daemon made of it."""
    loop = SimulatedLoop()
    made = plan(targets, Limits())
    config = EffectiveConfig(list(targets), made.intervals, made.spreads, alert_labels=list(alert_labels))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("exporter.run.scheduler.time", Monotonic(loop))
        return run(loop, _story(loop, config, faults, seconds))


async def _story(loop: SimulatedLoop, config: EffectiveConfig, faults: Sequence[Fault], seconds: float) -> Record:
    record, world, own = Record(), World(loop, faults), SelfMetrics(version="0", revision="")
    own.web("https://probe.example.com")
    own.config_reloaded(True, "0", world.now())
    metrics, causes, outages = Metrics(own, now=world.now), CauseTracker(world.now), Outages()
    incidents = Incidents(partial(labels_of, alert_labels=config.alert_labels))

    class Results:
        def record(self, result: Result) -> None:
            record.results.append(result)

    scheduler = Scheduler(world, [metrics, causes, incidents, Results()], watcher=_Quiet())
    for part in (metrics, causes, outages, incidents, scheduler, own):
        part.load(config)
    running = asyncio.create_task(scheduler.run())
    offline, second = False, 0.0
    while second < seconds:
        await asyncio.sleep(LOOK)
        second = round(loop.time(), 6)
        if offline and not world.is_offline():
            causes.vantage_back()
        offline = world.is_offline()
        own.vantage(not offline)
        found = causes.look()
        metrics.root_causes(found.labels)
        metrics.outages(outages.look(found.causes, causes.worked, world.now()))
        if second % TICK < LOOK:
            changes = incidents.tick(found.causes, world.now())
            record.opened += [Told(second, replace(each)) for each in changes.opened]
            record.resolved += [Told(second, replace(each)) for each in changes.resolved]
        if second % SCRAPE < LOOK:
            record.scrapes[second] = b"".join([chunk async for chunk in metrics.exposition(openmetrics=False)]).decode()
    await scheduler.stop()
    await running
    return record
