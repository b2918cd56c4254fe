"""Starts, monitors and stops one real server: its folder, its log, its process."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest

# Below Linux's range for outgoing connections (32768 and up), so that no client takes one of these ports.
BLOCK = 250  # number of ports that a process reserves at a time
BLOCKS = range(12000, 32000, BLOCK)
SBIN = ("/usr/sbin", "/sbin", "/usr/lib/postfix/sbin", "/usr/lib/dovecot")
REQUIRED = "MAILPROBE_TEST_REQUIRE_SERVERS"  # set by `make test`

PATIENCE = 5.0  # factor for a machine that is busy with other things; only a failing test really waits longer

RUNNING: list[Server] = []
_claims: list[socket.socket] = []
_ports: list[int] = []  # reserved by this process, and not yet returned by free_port


class ServerError(Exception):
    """A server did not start, or an operation failed. The text ends with its log."""


def binary(name: str, package: str) -> str:
    """Return the path of a program. A missing program fails the test and never skips it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
    if found:
        return found
    how = "`make test` installs it when run as root" if REQUIRED not in os.environ else "see tests/packages.debian.txt"
    pytest.fail(f"{name} is missing: apt-get install {package} ({how})", pytrace=False)


def free_port() -> int:
    """Return a port that is free for TCP and UDP on every loopback address. It is never returned twice.

    No other test process gets it either: otherwise a server could not use its port again after a restart.
    """
    while True:
        if not _ports:
            _ports.extend(_claimed_block())
        port = _ports.pop()
        if _is_free(port):
            return port


def _claimed_block() -> list[int]:
    """Reserve a block of ports.

    The reservation is a name in the kernel's abstract namespace, which ends with this process.
    """
    for first in random.sample(BLOCKS, len(BLOCKS)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0mailprobe-tests-ports-{first}")
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return random.sample(range(first, first + BLOCK), BLOCK)
    raise ServerError("no free port found")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a TCP connection is accepted."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until the condition is true. Raises ServerError with `what` did not happen.

    `seconds` are for a machine that does nothing else; the real limit is PATIENCE times as long.
    """
    if not _happens(condition, PATIENCE * seconds):
        raise ServerError(f"{what}: not within {PATIENCE * seconds:g} s")


def _happens(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def started_at(pid: int) -> str:
    """Return the start time of a process in clock ticks, "" if there is none. With the id, it identifies a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def short_folder() -> Path:
    """Return a folder that servers' own users may enter, with a short path:

    that of a Unix socket has at most 108 bytes.
    """
    folder = Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "owner").write_text(f"{os.getpid()} {started_at(os.getpid())}")
    return folder


def sweep() -> None:
    """Stop the servers that a killed test run left behind.

    It finds them by process id and start time in the run's files.
    """
    for owner in Path("/tmp").glob("mp-*/owner"):
        with contextlib.suppress(FileNotFoundError):  # another test run may remove it at the same time
            pid, _, started = owner.read_text().partition(" ")
            if pid.isdigit() and started_at(int(pid)) != started:
                for note in owner.parent.glob("*.pid"):
                    _kill(note)
                shutil.rmtree(owner.parent, ignore_errors=True)


def _kill(note: Path) -> None:
    pid, _, started = note.read_text().partition(" ")
    if pid.isdigit() and started and started_at(int(pid)) == started:
        os.killpg(int(pid), signal.SIGKILL)


def _alive_in_group(group: int) -> bool:
    """Return whether a process of the group lives.

    Zombies do not count: their new parent may need seconds to reap them.
    """
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if its_group == str(group) and state not in "ZX":
                return True
    return False


def user_id(name: str) -> tuple[int, int]:
    """Return user and group id. `vmail` belongs to no package and is created if the tests run as root."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        if name != "vmail" or os.geteuid() != 0:
            pytest.fail(f"the user {name} is missing", pytrace=False)
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            check=True,
        )
        entry = pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid


class Server:
    """A server process in the foreground. A subclass writes its configuration and defines `argv` and `ready`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = short_folder()
        self.log = self.folder / "log"
        self.log.touch()
        self._process: subprocess.Popen[bytes] | None = None

    def argv(self) -> Sequence[str]:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def usable(self) -> bool:
        """Return whether a test can use it. A subclass adds other conditions."""
        return self.running

    def ensure_usable(self) -> Self:
        """Start it again if an earlier test has stopped, killed or damaged it."""
        if not self.usable:
            self.restart()
        return self

    def start(self) -> Self:
        """Start it and wait until it serves."""
        with self.log.open("ab") as log:
            self._process = process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        (self.folder / f"{self.name}.pid").write_text(f"{process.pid} {started_at(process.pid)}")
        if self not in RUNNING:
            RUNNING.append(self)
        try:
            wait_until(lambda: process.poll() is not None or self.ready(), 20, f"{self.name} serves")
        except BaseException as exc:
            self.stop(signal.SIGKILL)
            if isinstance(exc, ServerError):
                raise ServerError(f"{exc}\n{self.tail()}") from exc
            raise
        if process.poll() is not None:
            self.stop(signal.SIGKILL)
            raise ServerError(f"{self.name} ended at once with {process.returncode}\n{self.tail()}")
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it with all its children, which would keep the ports otherwise. Its state stays for the next start."""
        process, self._process = self._process, None
        if process is None:
            return
        # The id of a group is not reused while the group has members, and our own zombie is a member.
        # Signalled twice: a child that dovecot is just starting may miss the first signal.
        for signal_number in (number, number, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal_number)
            if _happens(lambda: not _alive_in_group(process.pid), 1.5):
                break
        process.wait()
        (self.folder / f"{self.name}.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and remove everything. Its state is not needed any more, so it is killed."""
        self.stop(signal.SIGKILL)
        if self in RUNNING:
            RUNNING.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self, lines: int = 100, after: int = 0) -> str:
        """Return the last lines of the log, from byte `after` on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(after, self.log.stat().st_size - 100_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """Run one of the server's own tools and wait for its end. Raises ServerError with the tool's output."""
        done = subprocess.run(
            argv, input=stdin, capture_output=True, timeout=20 * PATIENCE, check=False, cwd=self.folder
        )
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace").strip()
            raise ServerError(f"{' '.join(argv[:3])}…: exit {done.returncode}: {said}")
        return done.stdout.decode(errors="replace")

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc: object) -> None:
        self.close()
