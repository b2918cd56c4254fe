"""Benchmark: the CPU of a run without its probe: scheduler, gate, metrics, history."""

from __future__ import annotations

import asyncio
import time
import timeit
from collections.abc import Callable, Sequence

import pytest
import uvloop

from exporter.model import FactName, Phase, ProbeName, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.settings import Limits
from exporter.outputs.history import History
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.run.scheduler import Scheduler
from tests.bench.report import Report
from tests.results import fact, mailbox, ok

TARGETS = 500
FOLDERS = ("inbox", "sent", "junk", "trash", "drafts")
PHASES = (Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.LOGIN, Phase.FOLDERS, Phase.SELECT, Phase.QUOTA, Phase.LOGOUT)
HOW = f"""Microseconds of CPU for one result of an imap run with {len(FOLDERS)} folders and a quota, of {TARGETS}
targets in turn. The scheduler runs a probe that does nothing, 1,000 times a second."""


def result_of(target: Target, number: int, *, changed: int = 0) -> Result:
    facts = [
        fact(name, 3 + changed, folder)
        for folder in FOLDERS
        for name in (FactName.FOLDER_MESSAGES, FactName.FOLDER_UNSEEN)
    ]
    quota = [fact(name, 10240.0, "User quota") for name in (FactName.QUOTA_USED_BYTES, FactName.QUOTA_LIMIT_BYTES)]
    phases = tuple((phase, 0.001234 * (1 + number % 9)) for phase in PHASES)
    return ok(target, *facts, *quota, phases=phases, probe_id=f"{number:012x}", login_attempted=True)


def microseconds(record: Callable[[Result], None], results: Sequence[Result]) -> float:
    """Return the CPU of one result, the best of five rounds."""

    def turn() -> None:
        for result in results:
            record(result)

    return min(timeit.repeat(turn, number=1, repeat=5, timer=time.process_time)) / len(results) * 1e6


@pytest.mark.bench
def test_what_a_run_costs_beside_its_probe(report: Report) -> None:
    section = report.section("A run without its probe", HOW)
    targets = [mailbox(f"user{number}") for number in range(TARGETS)]
    metrics, history = Metrics(SelfMetrics()), History(100)
    metrics.load(EffectiveConfig(targets))
    same = [result_of(target, number) for number, target in enumerate(targets)]
    others = [result_of(target, number, changed=1) for number, target in enumerate(targets)]
    for result in same:
        metrics.record(result)
    section.add("metrics, facts as before", f"{microseconds(metrics.record, same):.0f} µs")
    section.add("metrics, other facts each time", f"{microseconds(metrics.record, [*others, *same]):.0f} µs")
    section.add("history", f"{microseconds(history.record, same):.1f} µs")
    section.add("scheduler, gate, its metrics", f"{1e6 * uvloop.run(_scheduled(targets)):.0f} µs")


class Nothing:
    """A runner whose runs end at once."""

    def __init__(self) -> None:
        self.runs = 0

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        self.runs += 1
        return ok(target)


async def _scheduled(targets: list[Target]) -> float:
    runner, own = Nothing(), SelfMetrics()
    own.load(EffectiveConfig(targets))
    limits = Limits(per_host=1000, logins_per_host_per_minute=1_000_000)
    scheduler = Scheduler(runner, (), watcher=own)
    often = [mailbox(target.name, ProbeName.IMAP, interval=0.5) for target in targets]
    scheduler.load(EffectiveConfig(often, limits=limits))
    loop = asyncio.create_task(scheduler.run())
    await asyncio.sleep(1)
    runs, spent = runner.runs, time.process_time()
    await asyncio.sleep(3)
    runs, spent = runner.runs - runs, time.process_time() - spent
    await scheduler.stop()
    await loop
    return spent / runs
