"""`mailprobe run` and `--config.check`: the daemon in a process of its own, from signals to exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import uvloop

from exporter import log, signatures
from exporter.app import App
from exporter.config import ConfigError
from exporter.listening import StartError
from exporter.loading import load_all
from exporter.options import Options
from exporter.state import StateError

STOP_WITHIN = 8  # seconds


def check_config(options: Options) -> int:
    """`--config.check`: 0 good, 2 bad; every problem on a line of its own."""
    try:
        loaded = load_all(options)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    problems = loaded.config.problems()
    for warning in (*(each for each in loaded.config.warnings if each not in problems), *loaded.built.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 2
    names = {target.name for target in loaded.built.targets}
    print(f"{options.config_file}: good, {len(names)} targets with {len(loaded.built.targets)} probes")
    waiting = loaded.built.waiting
    if waiting:
        some = ", ".join(sorted({each.domain for each in waiting})[:10])
        print(f"{len(waiting)} mailboxes name no provider and no server: recognised at run time, by the MX of {some}")
    return 0


def serve(options: Options) -> int:
    """`mailprobe run`: until SIGTERM or SIGINT. Returns the exit code."""
    app = App(options)
    log.setup(options.log_level, options.log_format, app.metrics.log_message)
    signatures.warm()  # before there is a loop that it would block
    return uvloop.run(_serve(app))


async def _serve(app: App) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await app.start()
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except (StateError, StartError) as exc:
        print(f"mailprobe: {exc}", file=sys.stderr)
        return 1
    reloads: set[asyncio.Task[str | None]] = set()

    def on_hangup() -> None:
        task = asyncio.ensure_future(app.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_WITHIN):
            await app.stop()
    return 0
