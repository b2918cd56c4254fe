"""The sources of passwords: file, environment variable, program, systemd credential, or the configuration itself.

Sources are frozen and comparable, and are read at each login, outside the event loop. Errors name the source and never
show its content.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, cast
from weakref import WeakKeyDictionary

from exporter.model import Secret
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason

MAX_BYTES = 64 * 1024
COMMAND_DEADLINE = 10.0  # seconds
COMMAND_CACHE = 60.0  # seconds: imap, smtp and routes of a mailbox share one run of the program
AT_ONCE = 4  # programs running at the same time
GONE = 1.0  # seconds after which a killed program has ended, unless the kernel holds it
CREDENTIALS = "CREDENTIALS_DIRECTORY"

# Our own threads: a secret on a hanging file system must not block other work.
_THREADS = ThreadPoolExecutor(max_workers=4, thread_name_prefix="secrets")
_TURNS: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


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

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
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
        async with self.printed.lock:
            if self.printed.secret is None or time.monotonic() >= self.printed.until:
                self.printed.secret = None
                async with _turns():
                    self.printed.secret = await self._run()
                self.printed.until = time.monotonic() + COMMAND_CACHE
            return self.printed.secret

    async def _run(self) -> Secret:
        """Run the program and return the secret. Raises ProbeError(local_error)."""
        what = f"password_command {self.argv[0]}"  # never its arguments, which may contain a secret
        program = await self._start()
        if isinstance(program, str):
            _fail(what, program)
        try:
            in_time, _ = await asyncio.wait([program.done], timeout=self.deadline)
        finally:
            await program.stop()
        if not in_time:
            _fail(what, f"no end within {self.deadline:g} s")
        code = program.code if len(program.output) <= MAX_BYTES else 0
        if code:
            _fail(what, f"exit status {code}" if code > 0 else f"ended by signal {-code}")
        return _checked(bytes(program.output), what)

    async def _start(self) -> _Program | str:
        """Start the program. Returns it, or why it cannot be started."""
        loop = asyncio.get_running_loop()
        if any("\0" in word for word in self.argv):
            return "a NUL character in its arguments"
        starting = loop.create_task(
            loop.subprocess_exec(
                _Program,
                *self.argv,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        try:
            return (await asyncio.shield(starting))[1]
        except asyncio.CancelledError:
            await asyncio.wait([starting])
            if starting.exception() is None:
                await starting.result()[1].stop()
            raise
        except OSError as exc:
            return exc.strerror or "cannot be started"
        except ValueError:
            return "arguments that no program can be given"


class _Program(asyncio.SubprocessProtocol):
    """One run of a password command: collects its output, at most one byte more than allowed, and waits for its end."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        # it has ended and closed its output, or printed too much
        self.done: asyncio.Future[None] = loop.create_future()
        self._exited: asyncio.Future[None] = loop.create_future()
        self._lost = False

    @property
    def code(self) -> int:
        """The exit status, or the negative number of the signal that ended it."""
        return self._transport.get_returncode() or 0

    async def stop(self) -> None:
        """Kill the program and its children (same process group), and wait for the end.

        A program that has closed its output and ended is not killed: its process group id may be reused.
        """
        if not self._lost:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)
        try:
            await asyncio.wait([self._exited], timeout=GONE)
        finally:
            self._transport.close()

    # -- called by the event loop -----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, _: int, data: bytes) -> None:
        self.output += data[: MAX_BYTES + 1 - len(self.output)]
        if len(self.output) > MAX_BYTES:
            self._end()

    def process_exited(self) -> None:
        if not self._exited.done():
            self._exited.set_result(None)

    def connection_lost(self, _: Exception | None) -> None:
        self._lost = True
        self._end()

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _turns() -> asyncio.Semaphore:
    """Limit the programs that run at the same time, because hundreds of mailboxes may be read at the start."""
    return _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
