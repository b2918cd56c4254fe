"""Benchmark: time and size of the status page of 5,000 mailboxes, and how long it blocks the event loop."""

from __future__ import annotations

import asyncio
import gc
import itertools
import statistics
import time
from typing import Self

import pytest
from aiohttp import ClientSession, web

from exporter.model import Kind, Phase, ProbeName, Target
from exporter.model.reasons import Reason
from exporter.web.pages import status
from exporter.web.server import Runner, build
from tests.bench.report import Report
from tests.results import failed, ok
from tests.web.view import FakeView

MAILBOXES = 5_000  # each with imap and smtp
ROUNDS = 40
NEWS = 100
LIMIT_MS, LIMIT_KB = 50.0, 300.0
TEXT = "535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6 (please use the authorization code) " * 3
HOW = f"""{MAILBOXES:,} mailboxes with imap and smtp at 20 providers, 50 servers, 300 labels, one of a hundred
failing, or all. CPU time of the process, which also contains the client, for a request and its answer, median of
{ROUNDS}; and the elapsed time, which also depends on other programs on the machine. Afresh: for each request a new
snapshot of all targets is made, {NEWS} of which have a new result, as many as come in three seconds. Shared: as in
the daemon, a snapshot is reused for 20 times as long as it took to make."""
CASES = {"one of a hundred fails": 100, "everything fails": 1}
PATHS = {
    "first page": "/?lang=en",
    "filtered, sorted by time": "/?lang=zh&sort=took&label=team%3Dt7&q=user",
}


def targets() -> list[Target]:
    return [
        Target(
            f"user{n}@d{n % 300}.example.test", Kind.MAILBOX, probe, None, 300.0, 20.0, 20.0,
            provider=f"provider{n % 20}", domain=f"d{n % 300}.example.test", labels=(("team", f"t{n % 300}"),),
            servers=(f"{probe}{n % 50}.example.test:993",),
        )
        for n in range(MAILBOXES)
        for probe in (ProbeName.IMAP, ProbeName.SMTP)
    ]  # fmt: skip


def view_of(one_of: int) -> FakeView:
    everyone, now = targets(), time.time() - 5
    view = FakeView(everyone)
    for number, target in enumerate(everyone):
        bad = number // 2 % one_of == 0
        made = failed(target, Reason.WRONG_PASSWORD, Phase.LOGIN, TEXT, started=now) if bad else ok(target, started=now)
        view.record(made)
    view.root_causes.look()
    return view


def settle() -> None:
    """Exclude existing objects from garbage collection, as the daemon does after its start."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


class Lateness:
    """An async context manager: measures how late a timer of 1 ms runs."""

    async def __aenter__(self) -> Self:
        self.found: list[float] = []
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _watch(self) -> None:
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            self.found.append(1000 * max(time.perf_counter() - due, 0.0))


@pytest.mark.bench
@pytest.mark.parametrize("case", CASES)
async def test_the_status_page_of_many_targets(case: str, report: Report) -> None:
    section = report.section(f"The status page of {MAILBOXES:,} mailboxes: {case}", HOW)
    view = view_of(CASES[case])
    settle()
    app = build(view)
    runner = Runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with ClientSession() as client:
        news = itertools.cycle(view.targets())

        async def ask(path: str, afresh: bool) -> tuple[float, float, int]:
            if afresh:
                app[status.WATCH].forget()
                for target in itertools.islice(news, NEWS):
                    view.record(ok(target, started=time.time()))
            began, worked = time.perf_counter(), time.process_time()
            async with client.get(url + path) as answer:
                body = await answer.read()
            assert answer.status == 200
            return 1000 * (time.process_time() - worked), 1000 * (time.perf_counter() - began), len(body)

        for name, path in PATHS.items():
            for afresh in (True, False):
                await ask(path, afresh)
                took = [await ask(path, afresh) for _ in range(ROUNDS)]
                cpu, clock, sizes = zip(*took, strict=True)
                how, figure = "afresh" if afresh else "shared", statistics.median(cpu)
                shown = f"{figure:.1f} ms ({statistics.median(clock):.0f} ms by the clock)"
                section.add(f"{name}, {how}", shown, f"< {LIMIT_MS:.0f} ms", figure < LIMIT_MS)
            size = max(sizes) / 1000
            section.add(f"{name}, size", f"{size:.0f} kB", f"< {LIMIT_KB:.0f} kB", size < LIMIT_KB)
        async with Lateness() as quiet:
            await asyncio.sleep(2)
        async with Lateness() as busy:
            for _ in range(ROUNDS):
                await ask(PATHS["first page"], afresh=False)
        p99 = statistics.quantiles(busy.found, n=100)[-1]
        section.add("timer late while nobody asks, at most", f"{max(quiet.found):.1f} ms")
        section.add(
            "timer late while somebody asks without a pause, p99, at most", f"{p99:.1f}, {max(busy.found):.1f} ms"
        )
    await runner.cleanup()
    gc.unfreeze()
