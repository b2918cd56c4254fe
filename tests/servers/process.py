"""Starting, watching and stopping one real server: its folder, its log, its process."""

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

# Below Linux's range for outgoing connections (32768 and up), so that no client of ours takes a port in between.
BLOCK = 250  # ports that a process takes at a time
BLOCKS = range(12000, 32000, BLOCK)
SBIN = ("/usr/sbin", "/sbin", "/usr/lib/postfix/sbin", "/usr/lib/dovecot")
REQUIRED = "MAILPROBE_TEST_REQUIRE_SERVERS"  # set by `make test`

PATIENCE = 5.0  # a machine that is busy with other things is so many times slower; only a test that fails waits longer

RUNNING: list[Server] = []
_claims: list[socket.socket] = []
_ports: list[int] = []  # claimed, and not given yet


class ServerError(Exception):
    """A server did not start, or did not do what it was asked. The text ends with its log."""


def binary(name: str, package: str) -> str:
    """The path of a program; a missing one fails the test (it never skips: what is not tried is not known to work)."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))
    if found:
        return found
    how = "`make test` installs it when run as root" if REQUIRED not in os.environ else "see tests/packages.debian.txt"
    pytest.fail(f"{name} is missing: apt-get install {package} ({how})", pytrace=False)


def free_port() -> int:
    """A port that nobody listens on, for TCP and UDP, on every loopback address; never given twice.

    Nor is it given by another test process, or a server could not have its port again after a restart.
    """
    while True:
        if not _ports:
            _ports.extend(_claimed_block())
        port = _ports.pop()
        if _is_free(port):
            return port


def _claimed_block() -> list[int]:
    """Some ports in any order. The claim is a name in the kernel's abstract namespace, gone with this process."""
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
    """Does somebody answer a TCP connection?"""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until true. Raises ServerError that says what did not happen.

    `seconds` are those of a machine that does nothing else: it is waited PATIENCE times as long.
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
    """The start time of a process in clock ticks, "" when there is none: with the id it names one process for ever."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def short_folder() -> Path:
    """A folder with a short path (a unix socket's has at most 108 bytes) that servers' own users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="mp-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "owner").write_text(f"{os.getpid()} {started_at(os.getpid())}")
    return folder


def sweep() -> None:
    """Stop what a killed test run left behind, known by process id and start time from the files it wrote."""
    for owner in Path("/tmp").glob("mp-*/owner"):
        with contextlib.suppress(FileNotFoundError):  # another run may be tidying up
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
    """Zombies are not alive; who adopts them may take seconds to notice."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
            if its_group == str(group) and state not in "ZX":
                return True
    return False


def user_id(name: str) -> tuple[int, int]:
    """User and group id; `vmail`, which no package brings, is made when root."""
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
    """A daemon in the foreground. A subclass writes its configuration and says `argv` and `ready`."""

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
        """Whether a test finds it as it must be. A subclass adds what else can spoil it."""
        return self.running

    def ensure_usable(self) -> Self:
        """Start it again where an earlier test has stopped, killed or spoilt it."""
        if not self.usable:
            self.restart()
        return self

    def start(self) -> Self:
        """Start and wait until it serves."""
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
        """End it with all its children, which would hold the ports otherwise. Its state stays for the next start."""
        process, self._process = self._process, None
        if process is None:
            return
        # A group's id is not given to anybody else while the group has members, and our own zombie counts as one.
        # Asked twice: a child of dovecot that is just starting does not hear it.
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
        """Stop and remove everything. Nobody needs its state any more, so it need not tidy up."""
        self.stop(signal.SIGKILL)
        if self in RUNNING:
            RUNNING.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self, lines: int = 100, after: int = 0) -> str:
        """The last lines of the log, from byte `after` on."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(after, self.log.stat().st_size - 100_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def run(self, *argv: str, stdin: bytes = b"") -> str:
        """Run one of the server's own tools to its end. Raises ServerError with what it said."""
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
