"""The state file: one SQLite file in the storage folder, written by one worker thread.

It holds login pauses, mails in flight, incidents, notes and the signing key. All values are in memory and saved in the
background, so a full disk stops saving but not probing. A lock prevents two daemons from using one folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from exporter.state.in_flight import MAX_AGE, InFlight, Mailbag
from exporter.state.key_values import Notes
from exporter.state.rows import breaker, mail_in_flight, texts, three_texts_and_a_time, two_texts_and_a_time

__all__ = ["InFlight", "Mailbag", "Notes", "State", "StateError", "StateLocked"]

FILE = "mailprobe.db"
LOCK_FILE = "mailprobe.lock"
APPLICATION_ID = 0x6D707262  # "mprb": recognises our own files among other SQLite files
BUSY_AT_START = 5.0  # seconds to wait for another process (a backup, `sqlite3`) that locks the file
BUSY = 1000  # milliseconds to wait for it later
MAX_PENDING = 10_000  # writes kept for a retry while the disk refuses them; the oldest are dropped first

# One script per schema version; `user_version` is the number of scripts that were run. Released scripts are never
# edited.
MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE guard (
        account TEXT NOT NULL, fingerprint TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (account, fingerprint)
    );
    CREATE TABLE in_flight (
        token TEXT PRIMARY KEY, route TEXT NOT NULL, sent_at REAL NOT NULL, late INTEGER NOT NULL,
        watermarks TEXT NOT NULL
    );
    CREATE TABLE settled (token TEXT PRIMARY KEY, route TEXT NOT NULL, at REAL NOT NULL);
    CREATE TABLE notes (
        subject TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, changed REAL NOT NULL,
        PRIMARY KEY (subject, key)
    );
    """,
    """
    CREATE TABLE incidents (key TEXT PRIMARY KEY, record TEXT NOT NULL);
    """,
    """
    ALTER TABLE in_flight ADD COLUMN uncertain INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE damaged (found REAL NOT NULL, source TEXT NOT NULL, content TEXT NOT NULL);
    """,
    """
    CREATE TABLE standings (
        target TEXT NOT NULL, probe TEXT NOT NULL, record TEXT NOT NULL, changed REAL NOT NULL,
        PRIMARY KEY (target, probe)
    );
    """,
)
SCHEMA = len(MIGRATIONS)

# Table → how its rows are read, oldest first where it matters, and how one is removed.
TABLES = {
    "guard": ("SELECT rowid, * FROM guard", "DELETE FROM guard WHERE rowid = ?"),
    "in_flight": ("SELECT rowid, * FROM in_flight ORDER BY sent_at", "DELETE FROM in_flight WHERE rowid = ?"),
    "settled": ("SELECT rowid, * FROM settled ORDER BY at", "DELETE FROM settled WHERE rowid = ?"),
    "notes": ("SELECT rowid, * FROM notes", "DELETE FROM notes WHERE rowid = ?"),
    "incidents": ("SELECT rowid, * FROM incidents", "DELETE FROM incidents WHERE rowid = ?"),
    "standings": ("SELECT rowid, * FROM standings", "DELETE FROM standings WHERE rowid = ?"),
}

T = TypeVar("T")

logger = logging.getLogger(__name__)


class StateError(Exception):
    """The storage folder cannot be used. The message names the file, the cause and the remedy."""


class StateLocked(StateError):
    """Another mailprobe uses the folder. Two of them would not see each other's refused logins."""


class State:
    """The open state file. Create it with `State.open`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        self.write_failures = 0
        self.signing_key = b""
        # (account, fingerprint) → record of the login guard, as read by `open`
        self.breakers: dict[tuple[str, str], str] = {}
        self.incidents: dict[str, str] = {}  # key → record, as read by `open`
        # (target, probe) → record of its failures, as read by `open`
        self.standings: dict[tuple[str, str], str] = {}
        self.mailbag = Mailbag(self.write)
        self.notes = Notes(self.write)
        self._directory = directory
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="state")
        self._pending: deque[tuple[str, tuple[object, ...]]] = deque(maxlen=MAX_PENDING)
        self._impossible: list[tuple[str, tuple[object, ...]]] = []  # of the last transaction; see `_execute`
        self.write_error = ""  # why the last write failed; empty if it succeeded
        self._closed = False
        self._lock_fd = -1
        self._db: sqlite3.Connection

    @classmethod
    async def open(cls, directory: Path) -> State:
        """Create or open the state in a folder and lock it. Raises StateError with a message for the user."""
        state = cls(directory)
        try:
            await asyncio.get_running_loop().run_in_executor(state._worker, state._open)
        except BaseException:
            await state.close()
            raise
        return state

    async def close(self) -> None:
        """Write what is pending, close the file and release the lock."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._worker, self._close)
        self._worker.shutdown()

    def write(self, sql: str, parameters: tuple[object, ...], *, durable: bool = False) -> asyncio.Future[bool]:
        """Queue one write. The result is False if the disk refused it; then it is repeated with the next write.

        The login guard and the mails in flight act on False; other callers need not await the result.

        A committed write survives a kill; a `durable` one is synced to disk and survives a power failure too.
        """
        loop = asyncio.get_running_loop()
        if self._closed:
            self.write_failures += 1
            done: asyncio.Future[bool] = loop.create_future()
            done.set_result(False)
            return done
        return loop.run_in_executor(self._worker, self._write, sql, parameters, durable)

    def save_breaker(
        self, account: str, fingerprint: str, record: str | None, *, durable: bool = False
    ) -> asyncio.Future[bool]:
        """Store the login guard's record of a credential; None deletes it."""
        if record is None:
            return self.write("DELETE FROM guard WHERE account = ? AND fingerprint = ?", (account, fingerprint))
        row = (account, fingerprint, record)
        return self.write("INSERT OR REPLACE INTO guard VALUES (?, ?, ?)", row, durable=durable)

    def save_incident(self, key: str, record: str | None, *, durable: bool = False) -> asyncio.Future[bool]:
        """Store an incident; None deletes it."""
        if record is None:
            return self.write("DELETE FROM incidents WHERE key = ?", (key,))
        return self.write("INSERT OR REPLACE INTO incidents VALUES (?, ?)", (key, record), durable=durable)

    def save_standing(self, target: str, probe: str, record: str | None) -> asyncio.Future[bool]:
        """Store what is known of the failures of a target's probe; None deletes it."""
        if record is None:
            return self.write("DELETE FROM standings WHERE target = ? AND probe = ?", (target, probe))
        row = (target, probe, record, time.time())
        return self.write("INSERT OR REPLACE INTO standings VALUES (?, ?, ?, ?)", row)

    # -- in the worker thread -----------------------------------------------------------------------------------

    def _write(self, sql: str, parameters: tuple[object, ...], durable: bool) -> bool:
        write = (sql, parameters)
        self._pending.append(write)
        return self._commit(durable=durable) and write not in self._impossible

    def _commit(self, *, durable: bool) -> bool:
        self._impossible.clear()
        try:
            self._db.execute(f"PRAGMA busy_timeout = {self._busy_timeout()}")
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            for write in self._pending:
                self._execute(write)
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            self._failed(exc)
            return False
        self._pending.clear()
        if self.write_error:
            logger.warning("%s can be written again", self.path)
        self.write_error = ""
        return True

    def _busy_timeout(self) -> int:
        """Milliseconds to wait for another process that holds the file: once, not for each write."""
        return 0 if self.write_error else BUSY

    def _execute(self, write: tuple[str, tuple[object, ...]]) -> None:
        """One write of a transaction. What SQLite cannot hold is left out, for it would block all others for ever."""
        try:
            self._db.execute(*write)
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError, UnicodeError) as exc:
            self.write_failures += 1
            self._impossible.append(write)
            logger.error("a value cannot be written to %s: %s", self.path, exc)  # noqa: TRY400 - the message tells all

    def _failed(self, exc: sqlite3.Error) -> None:
        self.write_failures += 1
        with contextlib.suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        if not self.write_error:
            logger.error(
                "cannot write %s: %s. Probing continues, but new state will be lost at the next restart", self.path, exc
            )
        self.write_error = str(exc) or type(exc).__name__

    def _open(self) -> None:
        self._lock()
        try:
            self._connect()
            self._load()
        except (sqlite3.DatabaseError, UnicodeDecodeError, json.JSONDecodeError) as exc:
            if isinstance(exc, sqlite3.OperationalError) and not shutil.disk_usage(self._directory).free:
                raise StateError(
                    f"cannot use {self.path}: the disk is full ({exc}); make room, then start again"
                ) from exc
            if isinstance(exc, sqlite3.OperationalError):
                raise StateError(f"cannot use {self.path}: {exc}; look at its permissions and at the disk") from exc
            raise StateError(
                f"{self.path} is damaged ({exc}): move it and {FILE}-wal to another place and start again; "
                "login pauses and mails in flight are forgotten then"
            ) from exc
        except OSError as exc:
            raise StateError(f"cannot use {self.path}: {exc.strerror}") from exc

    def _lock(self) -> None:
        folder = self._directory
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as exc:
            raise StateError(f"the storage path {folder} is not a folder") from exc
        except OSError as exc:
            raise StateError(
                f"cannot create the storage folder {folder}: {exc.strerror}; choose another with --storage.path"
            ) from exc
        try:
            self._lock_fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StateError(
                f"cannot write to the storage folder {folder}: {exc.strerror} (as user id {os.geteuid()}); "
                "give it to that user, or choose another with --storage.path"
            ) from exc
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            owner = os.pread(self._lock_fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise StateLocked(
                f"the storage folder {folder} is in use by another mailprobe (process {owner}): "
                "stop it, or choose another folder with --storage.path"
            ) from exc
        except OSError as exc:
            raise StateError(f"cannot lock {folder / LOCK_FILE}: {exc.strerror}") from exc
        with contextlib.suppress(OSError):  # the process id is only for messages
            os.ftruncate(self._lock_fd, 0)
            os.pwrite(self._lock_fd, f"{os.getpid()}\n".encode(), 0)

    def _connect(self) -> None:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite would use the umask
        db = self._db = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_AT_START)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application != APPLICATION_ID and (tables or version):
            raise StateError(f"{self.path} is the SQLite file of another program: choose another with --storage.path")
        if version > SCHEMA:
            raise StateError(
                f"{self.path} was written by a newer mailprobe (schema {version}, this one knows {SCHEMA}): "
                "start that version again, or move the file to another place to start with an empty state"
            )
        db.execute("PRAGMA journal_mode = WAL")
        for number in range(version, SCHEMA):
            db.executescript(
                f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; "
                f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
            )
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _load(self) -> None:
        db = self._db
        db.execute("PRAGMA synchronous = FULL")
        db.execute("INSERT OR IGNORE INTO meta VALUES ('signing_key', ?)", (secrets.token_bytes(32),))
        # One write at each start: a disk that takes none is told now, not at the first login.
        db.execute("INSERT OR REPLACE INTO meta VALUES ('opened', ?)", (str(time.time()),))
        (self.signing_key,) = db.execute("SELECT value FROM meta WHERE key = 'signing_key'").fetchone()
        self.breakers = {
            (account, fingerprint): record for account, fingerprint, record in self._rows("guard", breaker)
        }
        self.incidents = dict(self._rows("incidents", texts))
        standings = self._rows("standings", three_texts_and_a_time)
        self.standings = {(target, probe): record for target, probe, record, _ in standings}
        oldest = time.time() - MAX_AGE
        db.execute("DELETE FROM in_flight WHERE sent_at < ?", (oldest,))
        db.execute("DELETE FROM settled WHERE at < ?", (oldest,))
        in_flight = self._rows("in_flight", mail_in_flight)
        self.mailbag = Mailbag(self.write, in_flight, self._rows("settled", two_texts_and_a_time))
        self.notes = Notes(self.write, self._rows("notes", three_texts_and_a_time))

    def _rows(self, table: str, read: Callable[[Sequence[object]], T]) -> list[T]:
        """The rows of a table. A damaged one is set aside, where it does no harm and can be looked at."""
        select, delete = TABLES[table]
        found = []
        for rowid, *values in self._db.execute(select).fetchall():
            try:
                found.append(read(values))
            except (ValueError, TypeError, OverflowError):
                self._db.execute("INSERT INTO damaged VALUES (?, ?, ?)", (time.time(), table, repr(values)))
                self._db.execute(delete, (rowid,))
                logger.error("%s: a row of table %s is damaged and set aside, in table damaged", self.path, table)  # noqa: TRY400
        return found

    def _close(self) -> None:
        if hasattr(self, "_db"):
            if self._pending:
                self._commit(durable=False)
            self._db.close()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
