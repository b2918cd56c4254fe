"""mailprobe without its web server, as a process that reads its orders from stdin and writes the costs.

python -m tests.bench.worker CONFIG FOLDER

A line {"probes": ["imap"], "rate": 50, "seconds": 6} runs these targets of the configuration at this rate with all
parts of the daemon: gate, runner, guard, state, metrics, history. The answer is one line, too.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import uvloop

from exporter.config import load
from exporter.credentials.guard import LoginGuard
from exporter.daemon.loading import make_context
from exporter.model import Kind, Line, Outcome, Phase, ProbeName, Result, Security, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.settings import Limits
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.imap.session import ImapSession
from exporter.outputs.history import History
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.probes import PROBES, dns, imap
from exporter.probes.context import Context
from exporter.run.runner import Runner
from exporter.run.scheduler import Scheduler
from exporter.state.store import State
from exporter.targets.build import build

LIMITS = Limits(in_flight=200, per_host=1000, logins_per_host_per_minute=1_000_000)
WARM_UP = 0.5  # seconds before the measurement starts


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a round."""

    runs: int
    cpu: float  # seconds, user and system
    failures: tuple[str, ...]  # the first of these errors
    duration: float  # seconds, mean of a run
    said: tuple[str, ...]  # the client's side of the last run's transcript, without comments


class Tally:
    """A sink that counts, in addition to the daemon's own sinks."""

    def __init__(self) -> None:
        self.runs = 0
        self.seconds = 0.0
        self.failures: list[str] = []
        self.last: Sequence[Line] = ()

    def record(self, result: Result) -> None:
        self.runs += 1
        self.seconds += result.duration
        self.last = result.transcript
        if result.outcome is not Outcome.OK and len(self.failures) < 5:
            self.failures.append(f"{result.target.name} {result.target.probe}: {result.failure}")


async def login_only(settings: object, world: Context, trace: Trace, /) -> None:
    """Run the shortest dialogue with a password: greeting, login, logout."""
    assert isinstance(settings, imap.Settings)
    async with await dial(settings.endpoint, world.resolver, world.contexts, trace) as wire:
        session = ImapSession(wire, trace)
        with trace.phase(Phase.GREETING):
            await session.greet()
        with trace.phase(Phase.LOGIN):
            async with world.logins.attempt(settings.login, trace) as secret:
                await session.login(settings.login.username, secret, "PLAIN")
        with trace.phase(Phase.LOGOUT):
            await session.logout()


def chosen(targets: Sequence[Target], probes: Iterable[str]) -> list[Target]:
    """Return the targets of these probes; `imap_short` and `tls_starttls` are separate names.

    One domain represents all.
    """
    mailboxes = [target for target in targets if target.kind is Kind.MAILBOX and target.probe is ProbeName.IMAP]
    found: list[Target] = []
    for name in probes:
        if name == "dns":
            domain = next(target for target in targets if target.probe is ProbeName.DNS)
            assert isinstance(domain.settings, dns.Settings)
            numbers = range(len(mailboxes))
            found += [replace(domain, name=f"d{n}.{domain.name}", domain=f"d{n}.{domain.name}") for n in numbers]
        elif name in ("tls", "tls_starttls"):
            security = Security.TLS if name == "tls" else Security.STARTTLS
            found += [
                target
                for target in targets
                if target.probe is ProbeName.TLS and getattr(target.settings, "endpoint").security is security  # noqa: B009
            ]
        else:
            probe = ProbeName.IMAP if name == "imap_short" else ProbeName(name)
            found += [target for target in targets if target.kind is Kind.MAILBOX and target.probe is probe]
    return found


async def round_of(
    world: Context, parts: tuple[History, Metrics, SelfMetrics], targets: Sequence[Target], order: dict[str, object]
) -> Cost:
    probes = dict(PROBES)
    if order["probes"] == ["imap_short"]:
        probes[ProbeName.IMAP] = login_only
    rate, seconds = float(str(order["rate"])), float(str(order["seconds"]))
    beat = len(targets) / rate
    running = [replace(target, interval=beat) for target in targets]
    tally, (history, metrics, own) = Tally(), parts
    scheduler = Scheduler(Runner(world, probes), (history, metrics, tally), watcher=own)
    loaded = EffectiveConfig(running, limits=LIMITS)
    metrics.load(loaded)
    scheduler.load(loaded)
    loop = asyncio.create_task(scheduler.run())
    await asyncio.sleep(WARM_UP)
    runs, spent, took = tally.runs, time.process_time(), tally.seconds
    await asyncio.sleep(seconds)
    runs, spent, took = tally.runs - runs, time.process_time() - spent, tally.seconds - took
    await scheduler.stop()
    await loop
    said = tuple(line.text for line in tally.last if line.direction == ">")
    return Cost(runs, spent, tuple(tally.failures), took / max(runs, 1), said)


async def serve(config_file: Path, folder: Path) -> None:
    config = await asyncio.to_thread(load, config_file)
    targets = build(config).targets
    state = await State.open(folder)
    world = make_context(config.resolvers, state, LoginGuard(state, config.login_guard))
    history, own = History(100), SelfMetrics()
    metrics = Metrics(own)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        cost = await round_of(world, (history, metrics, own), chosen(targets, order["probes"]), order)
        print(json.dumps(asdict(cost)), flush=True)
    await state.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
