"""Benchmark: the error of the reported latency, measured with a server that states how long it took."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.bench.processes import OURS, Stub, bound
from tests.bench.report import Report
from tests.servers.certs import Authority
from tests.servers.daemon import ROOT
from tests.servers.process import ServerError

WAIT = 3.0  # seconds before the greeting
TARGETS = 4000
SECONDS = 60.0
HOW = f"""{TARGETS} targets, with starts spread over {SECONDS:g} s; each server waits {WAIT:g} s before its greeting,
so that {TARGETS / SECONDS * WAIT:.0f} runs are in flight. Half of them do a TLS handshake first, which keeps our
event loop busy. For the others, the measured phase `greeting` is compared with the time that the server has really
waited. Our process has one core."""


@pytest.mark.bench
@pytest.mark.timeout(200)
def test_latency_with_two_hundred_in_flight(authority: Authority, report: Report) -> None:
    section = report.section("Honest latencies", HOW)
    pem = authority.good("127.0.0.1")
    with Stub(("waiting",), wait=WAIT) as waiting, Stub(("imap",), wait=WAIT, pem=pem) as busy:
        order = {
            "waiting": waiting.ports["waiting"],
            "busy": busy.ports["imap"],
            "ca_file": str(authority.ca_file),
            "targets": TARGETS,
            "seconds": SECONDS,
            "wait": WAIT,
        }
        done = subprocess.run(
            bound([OURS], [sys.executable, "-m", "tests.bench.patience", json.dumps(order)]),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        if done.returncode:
            raise ServerError(done.stderr)
    seen = json.loads(done.stdout)
    errors = [1000 * each for each in seen["errors"]]
    p50, p99 = errors[len(errors) // 2], errors[int(len(errors) * 0.99)]
    section.add(
        "runs in flight", f"{seen['in_flight']:.0f} in the mean, {seen['most']} at most", "≥ 200", seen["most"] >= 200
    )
    section.add("runs compared", f"{len(errors)}")
    section.add("reported latency off by, median", f"{p50:.2f} ms")
    section.add("reported latency off by, p99", f"{p99:.2f} ms", "≤ 2 ms", p99 <= 2)
    section.add("reported latency off by, worst", f"{errors[-1]:.2f} ms")
