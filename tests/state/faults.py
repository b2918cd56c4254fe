"""A state file that fails: what SQLite says when the disk is full, broken, locked or cannot be written."""

from __future__ import annotations

import sqlite3

from exporter.state.store import State

FAULTS = {
    "full": sqlite3.OperationalError("database or disk is full"),
    "broken": sqlite3.OperationalError("disk I/O error"),
    "locked": sqlite3.OperationalError("database is locked"),
    "read-only": sqlite3.OperationalError("attempt to write a readonly database"),
    "corrupt": sqlite3.DatabaseError("database disk image is malformed"),
}
STEPS = ("BEGIN", "INSERT", "COMMIT")


class Faulty:
    """The connection, but a statement that begins with `step` fails while there is a fault."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.fault: sqlite3.Error | None = None
        self.step = "BEGIN"

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if self.fault is not None and sql.startswith(self.step):
            raise self.fault
        return self._db.execute(sql, parameters)

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        self._db.close()


def break_disk(state: State, fault: str = "full", step: str = "BEGIN") -> Faulty:
    """From now on every write of this state fails, until `mend` is called with what this returns."""
    db = state._db
    faulty = db if isinstance(db, Faulty) else Faulty(db)
    faulty.fault, faulty.step = FAULTS[fault], step
    state._db = faulty  # type: ignore[assignment]  # it has all that is called
    return faulty


def mend(faulty: Faulty) -> None:
    faulty.fault = None
