"""A wrong password, a disk that is full from the first login on, and a daemon that is killed again and again."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.servers.daemon import Daemon
from tests.servers.process import binary, wait_until

CONFIG = """\
defaults: {{interval: {{login: 1s}}, timeout: 5s, recheck: 1s}}
mailboxes:
  - name: sales
    address: sales@example.test
    password_file: secrets/sales
    imap: {{host: 127.0.0.1, port: {port}, security: plain}}
    smtp: false
"""
LIVES = 6
REFUSALS_IN_A_ROW = 2  # `login_guard.failures`


class Refusing:
    """An IMAP server that refuses every login and counts them. `on_login` is called before the answer."""

    def __init__(self) -> None:
        self.logins = 0
        self.on_login: Callable[[], object] = lambda: None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
            for line in lines:
                tag, command = line.split()[:2]
                if command.upper() == b"LOGIN":
                    self.logins += 1
                    self.on_login()
                    connection.sendall(tag + b" NO [AUTHENTICATIONFAILED] Authentication failed.\r\n")
                else:
                    connection.sendall(tag + b" OK done\r\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Refusing]:
    made = Refusing()
    yield made
    made.close()


class OnAFullDisk(Daemon):
    """`size`: bytes, beyond which no file can grow; None: as it likes."""

    size: int | None = None

    def argv(self) -> list[str]:
        limit = [] if self.size is None else [binary("prlimit", "util-linux"), f"--fsize={self.size}"]
        return [*limit, *super().argv()]

    def fill(self) -> int:
        """No file of the running daemon grows any more. Returns the size of the largest."""
        self.size = max(file.stat().st_size for file in (self.folder / "data").iterdir())
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (self.size, self.size))
        return self.size


def test_a_crash_loop_on_a_full_disk_stays_within_the_bound_of_refused_logins(server: Refusing):
    with OnAFullDisk(CONFIG.format(port=server.port), {"sales": "wrong"}) as daemon:
        server.on_login = daemon.fill
        wait_until(lambda: server.logins == 1, 30, "a login")
        told = json.loads(daemon.post("/api/v1/run?target=sales&probe=imap")[1])
        assert (told["outcome"], told["reason"], told["phase"]) == ("inconclusive", "local_error", "login"), told
        assert "no password is sent while the login guard cannot write its state file" in told["text"]
        wait_until(lambda: bool(daemon.metric("mailprobe_state_write_failures_total")), 30, "a failed write")
        assert server.logins == 1
        daemon.stop(signal.SIGKILL)
        for _ in range(LIVES):
            live(daemon, server)
    # A life may find room in the WAL file. Then the attempt is stored, and the pause that follows holds.
    assert server.logins <= REFUSALS_IN_A_ROW


def live(daemon: OnAFullDisk, server: Refusing) -> None:
    """Until the disk ends it at the start, it is killed when a login comes, or it has had a run."""
    with daemon.log.open("ab") as log:
        process = subprocess.Popen(daemon.argv(), stdout=log, stderr=log, cwd=daemon.folder, start_new_session=True)
    server.on_login = process.kill

    def over() -> bool:
        if process.poll() is not None:
            return True
        try:
            return 'probe_success{target="sales"' in daemon.text("/metrics")
        except OSError:
            return False  # it does not listen yet

    try:
        wait_until(over, 30, "a life")
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (-signal.SIGKILL, 1), daemon.tail()
