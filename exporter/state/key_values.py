"""Small values remembered from one run to the next, and when they last changed (DNS records, recognised providers)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable

MAX_NOTES = 100_000
MAX_VALUE = 2048  # characters; of a longer value only the digest is kept, which tells a change as well

Write = Callable[[str, tuple[object, ...]], asyncio.Future[bool]]


class Notes:
    """Values by (subject, key), e.g. ("example.com", "mx"). In memory, written behind."""

    def __init__(self, write: Write, rows: Iterable[tuple[str, str, str, float]] = ()) -> None:
        self._write = write
        self._values = {(subject, key): (value, changed) for subject, key, value, changed in rows}

    async def changed(self, subject: str, key: str, value: str, now: float) -> float:
        """Remember a value. Returns the Unix time of the last change seen, 0 while none was."""
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
