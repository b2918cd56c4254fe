"""Measures with many slow runs at once, on the real scheduler and runner, how exact the reported latency is.

python -m tests.bench.patience '{"waiting": PORT, "busy": PORT, "ca_file": …, "targets": 4000, "seconds": 60, …}'
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import uvloop

from exporter.model import Endpoint, FactName, Kind, Phase, ProbeName, Result, Security, Service, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.settings import Limits
from exporter.model.trace import Trace
from exporter.net.tls import TlsContexts
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.probes import tls
from exporter.probes.context import Context
from exporter.run.runner import Runner
from exporter.run.scheduler import Scheduler

WAITED = re.compile(r"waited=([\d.]+)")


class Errors:
    """A sink that compares the phase `greeting` with the time that the greeting states."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self.failed: list[str] = []

    def record(self, result: Result) -> None:
        if result.failure is not None:
            self.failed.append(str(result.failure))
            return
        told = WAITED.search(str(result.fact(FactName.GREETING)))
        if told:
            self.found.append(abs(dict(result.phases)[Phase.GREETING] - float(told[1])))


class Load:
    """Counts runs of the tls probe.

    On the busy endpoint it keeps its slot as long as a run with a waiting server would.
    """

    def __init__(self, busy: tls.Settings, wait: float) -> None:
        self._busy = busy
        self._wait = wait
        self.in_flight = self.most = 0

    async def probe(self, settings: object, world: Context, trace: Trace, /) -> None:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await tls.probe(cast("tls.Settings", settings), world, trace)
            if settings == self._busy:
                await asyncio.sleep(self._wait)
        finally:
            self.in_flight -= 1


async def main(order: dict[str, object]) -> None:
    ca_file, wait, seconds = Path(str(order["ca_file"])), float(str(order["wait"])), float(str(order["seconds"]))
    quiet = Endpoint("127.0.0.1", int(str(order["waiting"])), Security.PLAIN, Service.IMAP)
    busy = Endpoint("127.0.0.1", int(str(order["busy"])), Security.TLS, Service.IMAP, ca_file=ca_file)

    load = Load(tls.Settings(busy), wait)
    looks: list[int] = []
    targets = [
        Target(
            f"target{number}",
            Kind.ENDPOINT,
            ProbeName.TLS,
            tls.Settings(busy if number % 2 else quiet),
            interval=seconds,
            timeout=30.0,
            deadline=30.0,
        )
        for number in range(int(str(order["targets"])))
    ]
    world = cast("Context", SimpleNamespace(resolver=None, contexts=TlsContexts(), now=time.time))
    errors, own = Errors(), SelfMetrics()
    metrics = Metrics(own)
    limits = Limits(in_flight=1000, per_host=1000, logins_per_host_per_minute=1_000_000)
    runner = Runner(world, {ProbeName.TLS: load.probe})
    scheduler = Scheduler(runner, (metrics, errors), watcher=own)
    config = EffectiveConfig(targets, limits=limits)
    metrics.load(config)
    scheduler.load(config)
    loop = asyncio.create_task(scheduler.run())
    await asyncio.sleep(wait + 1)
    errors.found.clear()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        looks.append(load.in_flight)
        await asyncio.sleep(0.25)
    found = sorted(errors.found)
    await scheduler.stop()
    await loop
    if errors.failed:
        raise SystemExit(f"runs failed: {errors.failed[:3]}")
    print(json.dumps({"errors": found, "most": load.most, "in_flight": sum(looks) / len(looks)}))


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
