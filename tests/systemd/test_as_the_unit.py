"""Tests of the real daemon with the command line, filters, credentials and notify socket of the unit."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.servers.daemon import CONFIG, ROOT, Daemon, daemon_for
from tests.servers.process import wait_until
from tests.servers.world import MailWorld
from tests.systemd.unit import one

PROBES = (("alice", "imap"), ("alice", "smtp"), ("bob", "imap"), ("alice-to-bob", "roundtrip"), ("example.test", "dns"))


def credentials(config: str) -> str:
    """One password as a credential, one by a program: a child process lives under the same filters."""
    return config.replace("password_file: secrets/alice", "password_credential: mailbox_alice").replace(
        "password_file: secrets/bob", "password_command: [cat, secrets/bob]"
    )


class Unit(Daemon):
    """The daemon, started as ExecStart= says, in this folder instead of the system's."""

    notify = ""

    def argv(self) -> list[str]:
        where = {
            "/opt/mailprobe/bin/mailprobe": f"{sys.executable} -m exporter",
            "/etc/mailprobe": str(self.folder),
            "%S": str(self.folder / "state"),
            "$ARGS": "",
        }
        line = one("ExecStart")
        for there, here in where.items():
            line = line.replace(there, here)
        environment = {
            "PYTHONPATH": str(ROOT),
            "CREDENTIALS_DIRECTORY": str(self.folder / "credentials"),
            "MAILPROBE_WEB_LISTEN_ADDRESS": f"127.0.0.1:{self.port}",
            "NOTIFY_SOCKET": self.notify,
            "WATCHDOG_USEC": "4000000",
        }
        variables = [f"{name}={value}" for name, value in environment.items()]
        return ["env", *variables, sys.executable, "-m", "tests.systemd.confine", *line.split()]


@pytest.fixture
def systemd() -> Iterator[socket.socket]:
    """The manager's end of the notify socket, in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0mailprobe-unit-{os.getpid()}")
        sock.setblocking(False)
        yield sock


def heard(sock: socket.socket, into: list[str]) -> list[str]:
    """All that was said since, added to `into`."""
    with contextlib.suppress(BlockingIOError):
        while True:
            into.append(sock.recv(4096).decode())
    return into


@pytest.fixture
def unit(mail_world: MailWorld, launch: Callable[[Unit], Unit], systemd: socket.socket) -> Unit:
    made = daemon_for(mail_world, credentials(CONFIG))
    daemon = Unit(made.config.read_text(), {"bob": mail_world.users["bob@example.test"]})
    made.close()
    daemon.notify = systemd.getsockname().decode().replace("\0", "@", 1)
    folder = daemon.folder / "credentials"
    folder.mkdir(mode=0o500)
    secret = folder / "mailbox_alice"
    secret.write_text(mail_world.users["alice@example.test"])
    secret.chmod(0o400)
    return launch(daemon)


def success(unit: Unit, name: str, probe: str) -> bool:
    kinds = {"roundtrip": "route", "dns": "domain"}
    for line in unit.text("/metrics").splitlines():
        if line.startswith("mailprobe_probe_success{") and f'target="{name}"' in line and f'probe="{probe}"' in line:
            assert f'kind="{kinds.get(probe, "mailbox")}"' in line
            return float(line.rsplit(" ", 1)[1]) == 1
    return False


def test_everything_works_inside_the_sandbox(unit: Unit, systemd: socket.socket):
    said: list[str] = []
    for name, probe in PROBES:
        wait_until(partial(success, unit, name, probe), 20, f"{probe} of {name}")
    assert (unit.metric("process_resident_memory_bytes") or 0) > 0
    assert (unit.folder / "state" / "mailprobe").is_dir()
    status = Path(f"/proc/{unit.pid}/status").read_text()
    assert "\nSeccomp:\t2\n" in status
    assert "\nNoNewPrivs:\t1\n" in status

    assert "READY=1\nSTATUS=watching" in heard(systemd, said)[0]
    wait_until(lambda: heard(systemd, said).count("WATCHDOG=1") >= 3, 20, "the watchdog is fed")

    unit.config.write_text(unit.config.read_text() + "login_guard: {failures: 3}\n")
    said.clear()
    os.kill(unit.pid, signal.SIGHUP)
    wait_until(lambda: any(each.startswith("STATUS=") for each in heard(systemd, said)), 20, "reloaded")
    told = [each for each in said if each != "WATCHDOG=1"]
    assert told[0].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert told[1] == "READY=1"

    said.clear()
    unit.stop()
    assert "STOPPING=1" in heard(systemd, said)


@pytest.mark.parametrize(
    "attempt",
    [
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
        "import os; os.sched_setaffinity(0, {0})",
        "import os; os.chroot('/')",
    ],
)
def test_the_sandbox_is_one(attempt: str):
    free = [sys.executable, "-c", attempt]
    subprocess.run(free, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.systemd.confine", *free], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "PermissionError" in done.stderr
