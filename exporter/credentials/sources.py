"""The sources of passwords: file, environment variable, program, systemd credential, or the configuration itself.

Sources are frozen and comparable, and are read at each login, outside the event loop. Errors name the source and never
show its content.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import NoReturn

from exporter.model import Secret
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason

MAX_BYTES = 64 * 1024
COMMAND_DEADLINE = 10.0  # seconds
COMMAND_CACHE = 60.0  # seconds: imap, smtp and routes of a mailbox share one run of the program
CREDENTIALS = "CREDENTIALS_DIRECTORY"

# Our own threads: a secret on a hanging file system, or a slow program, must not block other work.
_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="secrets")


def _fail(what: str, why: str) -> NoReturn:
    # Callers use `from None`: the text of the original exception may contain what was read.
    raise ProbeError(Reason.LOCAL_ERROR, f"{what}: {why}")


def _checked(raw: bytes, what: str, *, one_line: bool = True) -> Secret:
    """Return the secret from the bytes read. Only line ends are removed: a password may end with a space."""
    if len(raw) > MAX_BYTES:
        _fail(what, f"longer than {MAX_BYTES // 1024} KiB")
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        text = "\0"
    if not text:
        _fail(what, "empty")
    if "\0" in text:
        _fail(what, "not UTF-8 text")
    if one_line and ("\n" in text or "\r" in text):
        _fail(what, "more than one line")
    return Secret(text)


async def _in_thread(read: Callable[[], Secret]) -> Secret:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, read)


def _read_file(path: Path, what: str, *, one_line: bool = True) -> Secret:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as exc:
        why = exc.strerror or "cannot be read"
        raw = None
    return _checked(raw, what, one_line=one_line) if raw is not None else _fail(what, why)


@dataclass(frozen=True, slots=True)
class FileSecret:
    """`password_file`: read at each login, so a changed password needs no reload. Also used for similar keys."""

    path: Path
    key: str = "password_file"

    async def read(self) -> Secret:
        return await _in_thread(lambda: _read_file(self.path, f"{self.key} {self.path}"))


@dataclass(frozen=True, slots=True)
class KeySecret:
    """`key_file`: a private key, which has several lines."""

    path: Path

    async def read(self) -> Secret:
        return await _in_thread(lambda: _read_file(self.path, f"key_file {self.path}", one_line=False))


@dataclass(frozen=True, slots=True)
class CredentialSecret:
    """`password_credential`: a file in systemd's credentials directory."""

    name: str

    async def read(self) -> Secret:
        what = f"password_credential {self.name}"
        folder = os.environ.get(CREDENTIALS)
        if not folder:
            _fail(what, f"${CREDENTIALS} is not set: not started by systemd with LoadCredential=?")
        return await _in_thread(lambda: _read_file(Path(folder) / self.name, what))


@dataclass(frozen=True, slots=True)
class EnvSecret:
    """`password_env`: the value when the process was started."""

    variable: str

    async def read(self) -> Secret:
        value = os.environ.get(self.variable)
        what = f"password_env {self.variable}"
        return _fail(what, "not set") if value is None else _checked(os.fsencode(value), what)


@dataclass(frozen=True, slots=True)
class InlineSecret:
    """`password`: in the configuration itself."""

    secret: Secret

    async def read(self) -> Secret:
        return self.secret


@dataclass(slots=True)
class _Printed:
    """The last output of a program."""

    lock: Lock = field(default_factory=Lock)
    secret: Secret | None = None
    until: float = 0.0  # time.monotonic()


@dataclass(frozen=True, slots=True)
class CommandSecret:
    """`password_command`: the output of a program, run without a shell in the folder of the configuration file."""

    argv: tuple[str, ...]
    folder: Path
    deadline: float = COMMAND_DEADLINE
    printed: _Printed = field(default_factory=_Printed, compare=False, repr=False)

    async def read(self) -> Secret:
        program = _Program(self)
        try:
            return await _in_thread(lambda: self._cached(program))
        except asyncio.CancelledError:
            program.stop()
            raise

    def _cached(self, program: _Program) -> Secret:
        with self.printed.lock:
            if self.printed.secret is None or time.monotonic() >= self.printed.until:
                self.printed.secret = None
                self.printed.secret = program.run()
                self.printed.until = time.monotonic() + COMMAND_CACHE
            return self.printed.secret


class _Program:
    """One run of a password command."""

    def __init__(self, source: CommandSecret) -> None:
        self.source = source
        self.what = f"password_command {source.argv[0]}"  # never its arguments, which may contain a secret
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = Event()
        self.lock = Lock()

    def stop(self) -> None:
        """Called when nobody waits any more. From any thread."""
        self.stopped.set()
        self._kill()

    def _kill(self) -> None:
        """Kill the program and its children (same process group); not after its end, when the id may be reused."""
        with self.lock, contextlib.suppress(ProcessLookupError, PermissionError):
            if self.process is not None and self.process.returncode is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def run(self) -> Secret:
        """Run the program and return the secret. Raises ProbeError(local_error)."""
        process = self._start()
        try:
            raw = self._output(process, time.monotonic() + self.source.deadline)
        finally:
            self._kill()
            self._reap(process)
        if raw is None:
            _fail(self.what, f"no end within {self.source.deadline:g} s")
        if len(raw) <= MAX_BYTES and process.returncode:
            code = process.returncode
            _fail(self.what, f"exit status {code}" if code > 0 else f"ended by signal {-code}")
        return _checked(raw, self.what)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            with self.lock:
                if not self.stopped.is_set():
                    self.process = subprocess.Popen(  # noqa: S603 - what the user asks for, without a shell
                        self.source.argv,
                        cwd=self.source.folder,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        start_new_session=True,
                    )
            why = "stopped"
        except OSError as exc:
            why = exc.strerror or "cannot be started"
        except ValueError:
            why = "a NUL character in its arguments"
        return self.process if self.process is not None else _fail(self.what, why)

    def _output(self, process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
        """Return its output, at most one byte more than allowed. None: the deadline has passed."""
        raw = bytearray()
        pipe = process.stdout.fileno() if process.stdout else -1
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while len(raw) <= MAX_BYTES:
                left = deadline - time.monotonic()
                if left <= 0 or not selector.select(left):
                    return None
                chunk = os.read(pipe, MAX_BYTES + 1 - len(raw))
                if not chunk:
                    break
                raw += chunk
        return bytes(raw) if len(raw) > MAX_BYTES or self._ended(process, deadline) else None

    def _ended(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Tell whether it ends in time after it closed its output. Polled, because most end at once."""
        pause = 0.001
        while True:
            with self.lock:
                if process.poll() is not None:
                    return True
            if time.monotonic() >= deadline or self.stopped.wait(pause):
                return False
            pause = min(pause * 2, 0.1)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        with self.lock:
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
