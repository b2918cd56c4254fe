"""Starts our own programs as processes, each bound to a core."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.certs import Pem
from tests.servers.daemon import ROOT, Daemon
from tests.servers.process import Server, ServerError, accepts, free_port

CORES = sorted(os.sched_getaffinity(0))
OURS, OTHERS = CORES[0], CORES[1:] or CORES  # the daemon has one core for itself, if the machine has two


def bound(cores: Sequence[int], argv: Sequence[str]) -> list[str]:
    """Return a command that runs only on these cores, with high priority: other load must not change the result."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), "chrt", "--rr", "5", *argv]


class Stub(Server):
    """`tests.bench.stub` with the ports `imap`, `smtp` (TLS) or `waiting` (waits a known time before its greeting)."""

    def __init__(self, names: Sequence[str], *, wait: float = 0.0, pem: Pem | None = None) -> None:
        super().__init__("stub")
        self.ports = {name: free_port() for name in names}
        self._wait = wait
        self._pem = pem

    def argv(self) -> list[str]:
        ports = ",".join(f"{name}={port}" for name, port in self.ports.items())
        files = [str(self._pem.chain), str(self._pem.key)] if self._pem else []
        command = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.bench.stub", ports, str(self._wait)]
        return bound(OTHERS, [*command, *files])

    def ready(self) -> bool:
        return all(accepts(port) for port in self.ports.values())


class Watched(Daemon):
    """The daemon on one core, with a watcher in its process that measures its event loop."""

    def argv(self) -> list[str]:
        command = super().argv()
        at = command.index("exporter")
        return bound([OURS], [*command[:at], "tests.bench.watched", *command[at + 2 :]])

    def watch(self, seconds: float, scrape: Sequence[str] = ()) -> dict[str, Any]:
        """Return the result of `tests.bench.watched.Watch`.

        Meanwhile another process fetches the paths in `scrape` in turn, without a pause.
        """
        answer = self.folder / "watched"
        (self.folder / "watch").write_text(f"{seconds}")
        urls = [self.url + path for path in scrape]
        scraper = subprocess.Popen(
            bound(OTHERS, [sys.executable, "-c", SCRAPER, str(seconds), *urls]), stdout=subprocess.PIPE, text=True
        )
        said, _ = scraper.communicate(timeout=seconds + 60)
        for _ in range(200):
            if answer.exists():
                seen: dict[str, Any] = json.loads(answer.read_text())
                answer.unlink()
                return seen | {"scrapes": json.loads(said)}
            subprocess.run(["sleep", "0.1"], check=True)
        raise ServerError(f"the daemon tells nothing\n{self.tail()}")

    def rss(self) -> tuple[float, float]:
        """Return the resident memory now and its maximum, in MB."""
        text = Path(f"/proc/{self.daemon_pid()}/status").read_text(encoding="ascii")
        now, peak = (int(re.findall(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[0]) for name in ("VmRSS", "VmHWM"))
        return now / 1000, peak / 1000

    def daemon_pid(self) -> int:
        """Return the process id of the daemon: taskset and env replace themselves with it (exec)."""
        return self.pid


SCRAPER = """
import json, sys, time, urllib.request
until = time.monotonic() + float(sys.argv[1])
took = []
while time.monotonic() < until:
    for url in sys.argv[2:]:
        began = time.monotonic()
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        size = len(urllib.request.urlopen(request, timeout=60).read())
        took.append((time.monotonic() - began, size))
    time.sleep(0.2)
print(json.dumps(took))
"""
