"""Signals at any moment from the start to the end: SIGTERM and SIGINT end the daemon with 0, SIGHUP never does."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.daemon import Daemon
from tests.servers.process import PATIENCE, wait_until

CONFIG = "endpoints: [{name: first, host: 127.0.0.1, port: 1, security: tls, protocol: imap}]\n"
# Seconds after its handlers are there; on a machine of any speed some of them fall into the imports and some after.
MOMENTS = [0.0, 0.05, 0.2, 0.5, 1.0]
HELD = "SigCgt"


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    made = Daemon(CONFIG, {})
    yield made
    made.close()


def catches(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """Whether the process has a handler for a signal, by the kernel's word."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith(HELD))
    return bool(int(mask, 16) >> (number - 1) & 1)


def launched(daemon: Daemon) -> subprocess.Popen[bytes]:
    """A process that has just begun: it has handlers, and next to nothing else."""
    with daemon.log.open("ab") as log:
        process = subprocess.Popen(daemon.argv(), stdout=log, stderr=log, cwd=daemon.folder, start_new_session=True)
    daemon._process = process
    wait_until(lambda: catches(process, signal.SIGHUP), 10, "a handler")
    return process


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_stop_during_the_start_ends_it_with_code_0(daemon: Daemon, number: signal.Signals, moment: float):
    process = launched(daemon)
    time.sleep(moment)
    process.send_signal(number)
    assert process.wait(20 * PATIENCE) == 0, daemon.tail()
    assert "Traceback" not in daemon.tail()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_sighup_during_the_start_is_a_reload_afterwards(daemon: Daemon, moment: float):
    process = launched(daemon)
    time.sleep(moment)
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: "configuration reloaded" in daemon.tail(), 30, "the reload")
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20 * PATIENCE) == 0


def test_a_stop_while_reloads_wait_is_quiet(daemon: Daemon):
    daemon.start()
    process = daemon._process
    assert process is not None
    for _ in range(50):
        process.send_signal(signal.SIGHUP)
        daemon.text("/-/healthy")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20 * PATIENCE) == 0
    for word in ("Traceback", "never retrieved", "IndexError"):
        assert word not in daemon.tail(1000)
