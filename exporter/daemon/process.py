"""Runs `mailprobe run` and `--config.check`: starts the process, handles signals, returns the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

import uvloop

from exporter.config import ConfigError
from exporter.daemon import descriptors, log_setup
from exporter.daemon.app import App
from exporter.daemon.early_signals import early
from exporter.daemon.loading import load_all
from exporter.daemon.options import Options
from exporter.state.store import StateError
from exporter.web.config.load import load as load_web_config
from exporter.web.listener import StartError

STOP_WITHIN = 8  # seconds


def check_config(options: Options) -> int:
    """Check all configuration files. Prints each problem on its own line; returns 0 if they are valid, else 2."""
    web_config_good = _check_web_config(options)
    try:
        loaded = load_all(options, options.sharding)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    problems = loaded.config.problems()
    for warning in (*(each for each in loaded.config.warnings if each not in problems), *loaded.built.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems or not web_config_good:
        return 2
    names = {target.name for target in loaded.built.targets}
    shard = f" on shard {options.sharding}" if options.sharding.on else ""
    print(f"{options.config_file}: good, {len(names)} targets with {len(loaded.built.targets)} probes{shard}")
    waiting = loaded.built.waiting
    if not names and not waiting and not options.sharding.on:
        print("warning: nothing is watched: there are no mailboxes, domains or endpoints", file=sys.stderr)
    if waiting:
        some = ", ".join(sorted({each.domain for each in waiting})[:10])
        print(f"{len(waiting)} mailboxes name no provider and no server: recognised at run time, by the MX of {some}")
    return 0


def _check_web_config(options: Options) -> bool:
    try:
        settings = load_web_config(options.web_config_file) if options.web_config_file is not None else None
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return False
    for warning in settings.warnings if settings is not None else ():
        print(f"warning: {warning}", file=sys.stderr)
    return True


def serve(options: Options, started: Callable[[], None] = lambda: None) -> int:
    """Run the daemon until SIGTERM or SIGINT and return the exit code. `started` is called as soon as it listens."""
    early.hold()
    descriptors.raise_limit()
    app = App(options)
    log_setup.setup(options.log_level, options.log_format, app.self_metrics.log_message)
    try:
        return uvloop.run(_serve(app, started))
    finally:
        early.ignore()


async def _serve(app: App, started: Callable[[], None]) -> int:
    loop = asyncio.get_running_loop()
    stop, reloads = asyncio.Event(), Reloads(app)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reloads.ask)
    if early.stop:
        return 0
    try:
        if not await _started(app, stop):
            return 0
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except (StateError, StartError) as exc:
        print(f"mailprobe: {exc}", file=sys.stderr)
        return 1
    started()
    reloads.begin(asked=early.hangup)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_WITHIN):
            await reloads.end()
            await app.stop()
    return 0


async def _started(app: App, stop: asyncio.Event) -> bool:
    """Start, unless the stop comes first. Raises what `App.start` does."""
    starting = asyncio.ensure_future(app.start())
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.wait({starting})
    if starting.cancelled():
        return False
    starting.result()
    return True


class Reloads:
    """Those that SIGHUP asks for: one under way, one waiting, which stands for all that are asked for meanwhile."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[str | None]] = set()
        self._open = False
        self._asked = False  # before `begin`

    def begin(self, *, asked: bool) -> None:
        """The daemon has started. `asked`: a SIGHUP came before there was an event loop."""
        self._open = True
        if asked or self._asked:
            self.ask()

    def ask(self) -> None:
        if not self._open:
            self._asked = True
        elif len(self._tasks) < 2:
            task = asyncio.ensure_future(self._app.reload())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """The daemon stops."""
        self._open = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
