"""Runs `mailprobe demo`: the daemon, and the demo's servers in a thread of their own that ends with it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from exporter.daemon.address import address
from exporter.daemon.options import Options
from exporter.daemon.process import check_config, serve
from exporter.demo.references import OFFLINE
from exporter.demo.scene import STORIES, Scene

START = 60.0  # seconds to wait until the servers run
STOP = 5.0  # seconds to wait until they have stopped


def demo(options: Options, given: argparse.Namespace) -> int:
    """Start the demo servers, print what there is to see, run the daemon. Returns the exit code."""
    with tempfile.TemporaryDirectory(prefix="mailprobe-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        changed = dataclasses.replace(options, config_file=folder / "config.yaml")
        if not (hasattr(given, "storage_path") or "MAILPROBE_STORAGE_PATH" in os.environ):
            changed = dataclasses.replace(changed, storage_path=folder / "data")
        with in_thread(Scene(folder)) as scene:
            if changed.config_check:
                return check_config(changed)

            def started() -> None:
                sys.stdout.write(_welcome(scene, changed) + "\n")
                sys.stdout.flush()

            return serve(changed, started)


def _welcome(scene: Scene, options: Options) -> str:
    url = address(options)
    width = max(len(names) for names, _ in STORIES)
    stories = "\n".join(f"  {names:<{width}}  {story}" for names, story in STORIES)
    return (
        "Small mail servers on 127.0.0.1, some of them broken on purpose:\n\n"
        f"{stories}\n\n"
        f"  page     {url}/\n"
        f"  metrics  {url}{options.telemetry_path}\n"
        f"  config   {scene.config} (an example to copy; deleted when the demo ends)\n\n"
        f"To see what mailprobe says when its own network is down:  touch {scene.folder / OFFLINE}\n\n"
        "First results appear within seconds, the last ones within half a minute. Press Ctrl-C to stop.\n"
    )


@contextlib.contextmanager
def in_thread(scene: Scene) -> Iterator[Scene]:
    """Run the scene on its own event loop, so that its work does not add to the measured latency."""
    started: Future[Callable[[], object]] = Future()
    thread = threading.Thread(target=_live, args=(scene, started), name="demo", daemon=True)
    thread.start()
    stop = started.result(START)
    try:
        yield scene
    finally:
        stop()
        thread.join(STOP)


def _live(scene: Scene, started: Future[Callable[[], object]]) -> None:
    async def live() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(_handle)
        async with scene:
            started.set_result(lambda: loop.call_soon_threadsafe(over.set))
            await over.wait()

    try:
        asyncio.run(live())
    except BaseException as exc:
        if started.done():
            raise
        started.set_exception(exc)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignore clients that close the connection or reject our certificate."""
    if not isinstance(context.get("exception"), ConnectionError | ssl.SSLError):
        loop.default_exception_handler(context)
