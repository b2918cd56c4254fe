"""Benchmark: loading a large configuration."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from exporter.config import load
from exporter.targets.build import build
from tests.bench.report import Report

MAILBOXES = 5000
MAILBOX = """\
- name: user{number}
  address: user{number}@d{domain}.example.test
  password_file: secrets/user{number}
  labels: {{tenant: t{domain}}}
  imap: {{host: mail{host}.example.test}}
  smtp: {{host: mail{host}.example.test}}
"""
HOW = f"""{MAILBOXES} mailboxes on 50 servers in 300 domains: read, checked, and built into targets in a thread, as
the daemon does at start and reload; median of 5. A stall is the delay of a timer of 1 ms during this time."""


@pytest.mark.bench
def test_five_thousand_mailboxes_are_loaded(tmp_path: Path, report: Report) -> None:
    section = report.section("Loading a configuration of 5,000 mailboxes", HOW)
    file = tmp_path / "config.yaml"
    file.write_text(
        "mailboxes:\n"
        + "".join(MAILBOX.format(number=number, domain=number % 300, host=number % 50) for number in range(MAILBOXES))
    )
    took, stalls, targets = asyncio.run(_loads(file))
    seconds = statistics.median(took)
    section.add("targets", f"{targets}")
    section.add("time to load and build", f"{seconds:.2f} s", "< 1 s", seconds < 1)
    section.add("longest stall of the event loop meanwhile", f"{1000 * statistics.median(stalls):.0f} ms")


async def _loads(file: Path) -> tuple[list[float], list[float], int]:
    took, stalls, count = [], [], 0
    for _ in range(5):
        began = time.perf_counter()
        work = asyncio.create_task(asyncio.to_thread(lambda: build(load(file))))
        worst = 0.0
        while not work.done():
            now = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - now - 0.001)
        took.append(time.perf_counter() - began)
        stalls.append(worst)
        count = len((await work).targets)
    return took, stalls, count
