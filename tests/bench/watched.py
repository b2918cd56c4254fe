"""The daemon with a watcher on its event loop: `python -m tests.bench.watched` takes the flags of `mailprobe run`.

A file `watch` next to the configuration, with a number of seconds in it, starts a measurement. The result is written to
`watched`, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop

from exporter.daemon.app import App
from exporter.daemon.options import add_flags, options
from exporter.model import Result

TICK = 0.001  # seconds


class Watch:
    """Measures how late the loop runs a timer of one millisecond, and how long runs take.

    The lateness caused by our own code is the CPU time of the loop's thread, so that other programs do not count.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._late: list[float] = []
        self._phases: dict[str, list[float]] = {}
        self._looking = False

    def record(self, result: Result) -> None:
        if self._looking:
            for phase, seconds in result.phases:
                self._phases.setdefault(phase, []).append(seconds)

    async def run(self) -> None:
        wanted, seen = self._folder / "watch", self._folder / "watched"
        while True:
            await asyncio.sleep(0.1)
            if wanted.exists():
                seconds = float(wanted.read_text())
                wanted.unlink()
                (self._folder / "new").write_text(json.dumps(await self._look(seconds)))
                (self._folder / "new").rename(seen)

    async def _look(self, seconds: float) -> dict[str, object]:
        self._late, self._phases, self._looking = [], {}, True
        worked: list[float] = []
        until = time.perf_counter() + seconds
        while (now := time.perf_counter()) < until:
            spent = time.thread_time()
            await asyncio.sleep(TICK)
            worked.append(time.thread_time() - spent)
            self._late.append(time.perf_counter() - now - TICK)
        self._looking = False
        return {"late": sorted(self._late), "worked": sorted(worked), "phases": self._phases}


async def main() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    given = options(parser.parse_args(sys.argv[1:]))
    app = App(given)
    await app.start()
    watch = Watch(given.config_file.parent)
    app._scheduler._sinks = (*app._scheduler._sinks, watch)
    await watch.run()


if __name__ == "__main__":
    uvloop.run(main())
