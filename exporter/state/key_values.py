"""Notes: small values kept from run to run, with the time of their last change (DNS records, recognised providers)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable

MAX_NOTES = 100_000
MAX_VALUE = 2048  # characters; for a longer value only its digest is stored, which is enough to see a change

Write = Callable[[str, tuple[object, ...]], asyncio.Future[bool]]


class Notes:
    """Values by (subject, key), e.g. ("example.com", "mx"). In memory, saved to the state file."""

    def __init__(self, write: Write, rows: Iterable[tuple[str, str, str, float]] = ()) -> None:
        self._write = write
        self._values = {(subject, key): (value, changed) for subject, key, value, changed in rows}

    async def changed(self, subject: str, key: str, value: str, now: float) -> float:
        """Store a value. Returns the Unix time of its last change, 0 if no change was seen."""
        if len(value) > MAX_VALUE:
            value = "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
        known = self._values.get((subject, key))
        if known is None:
            self._keep(subject, key, value, 0.0)
            return 0.0
        before, at = known
        if before != value:
            at = now
            self._keep(subject, key, value, at)
        return at

    async def get(self, subject: str, key: str) -> str | None:
        known = self._values.get((subject, key))
        return None if known is None else known[0]

    async def put(self, subject: str, key: str, value: str) -> None:
        known = self._values.get((subject, key), ("", 0.0))
        if known[0] != value or (subject, key) not in self._values:
            self._keep(subject, key, value, known[1])

    def _keep(self, subject: str, key: str, value: str, changed: float) -> None:
        self._values[subject, key] = (value, changed)
        self._write("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", (subject, key, value, changed))
        if len(self._values) > MAX_NOTES:
            oldest = next(iter(self._values))
            del self._values[oldest]
            self._write("DELETE FROM notes WHERE subject = ? AND key = ?", oldest)
