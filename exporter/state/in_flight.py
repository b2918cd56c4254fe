"""The Mailbag: probe mails in flight, and those settled recently. In memory, saved to the state file.

The roundtrip probe adds a mail before it is sent and settles it when it arrived, bounced or was lost.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

MAX_AGE = 7 * 86400.0  # seconds after which a settled token, or a mail that nobody asks for, is forgotten
MAX_ROWS = 10_000

Write = Callable[[str, tuple[object, ...]], asyncio.Future[bool]]


@dataclass(frozen=True, slots=True)
class InFlight:
    """A mail that was submitted and has not arrived yet."""

    token: str
    route: str
    sent_at: float  # Unix time, seconds
    late: bool = False  # it has been reported as late
    # before it was sent: (folder as the server names it, UIDVALIDITY, UIDNEXT)
    watermarks: tuple[tuple[str, int, int], ...] = ()
    uncertain: bool = False  # the server has not confirmed it: perhaps it did not accept the mail


class Mailbag:
    """The mails in flight of all routes. They survive restarts. With a full disk they are only kept in memory."""

    def __init__(
        self,
        write: Write,
        in_flight: Iterable[InFlight] = (),
        settled: Iterable[tuple[str, str, float]] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._write = write
        self._now = now
        self._in_flight = {mail.token: mail for mail in in_flight}
        self._settled = {token: (route, at) for token, route, at in settled}  # oldest first

    async def add(self, mail: InFlight) -> bool:
        """Store a mail before it is sent. True: it is on disk, so a kill loses nothing. False: the disk refused it."""
        self._in_flight[mail.token] = mail
        if len(self._in_flight) > MAX_ROWS:
            self._discard(next(iter(self._in_flight)))
        marks = json.dumps(mail.watermarks)
        row = (mail.token, mail.route, mail.sent_at, int(mail.late), marks, int(mail.uncertain))
        try:
            return await self._write("INSERT OR REPLACE INTO in_flight VALUES (?, ?, ?, ?, ?, ?)", row)
        except asyncio.CancelledError:
            # It will never be submitted, so nobody may wait for it.
            self._discard(mail.token)
            raise

    async def in_flight(self, route: str) -> tuple[InFlight, ...]:
        """Return the mails of a route, oldest first."""
        mails = (mail for mail in self._in_flight.values() if mail.route == route)
        return tuple(sorted(mails, key=lambda mail: mail.sent_at))

    async def accepted(self, token: str) -> None:
        """The server has taken it. A kill before this is written leaves it uncertain, which counts nothing wrongly."""
        mail = self._in_flight.get(token)
        if mail is not None:
            self._in_flight[token] = replace(mail, uncertain=False)
            self._write("UPDATE in_flight SET uncertain = 0 WHERE token = ?", (token,))

    async def mark_late(self, token: str) -> None:
        mail = self._in_flight.get(token)
        if mail is not None:
            self._in_flight[token] = replace(mail, late=True)
            self._write("UPDATE in_flight SET late = 1 WHERE token = ?", (token,))

    async def settle(self, token: str) -> bool:
        """The mail arrived or was given up: it is no longer in flight, and a second copy of it is a duplicate.

        False: this is not on disk yet. After a kill the mail would be in flight again.
        """
        mail = self._in_flight.get(token)
        if mail is None:
            return True
        now = self._now()
        self._settled[token] = (mail.route, now)
        self._write("INSERT OR REPLACE INTO settled VALUES (?, ?, ?)", (token, mail.route, now))
        stored = self._discard(token)
        while self._settled:
            oldest, (_, at) = next(iter(self._settled.items()))
            if len(self._settled) <= MAX_ROWS and now - at <= MAX_AGE:
                break
            del self._settled[oldest]
            self._write("DELETE FROM settled WHERE token = ?", (oldest,))
        return await stored

    async def settled_before(self, route: str, token: str) -> bool:
        found = self._settled.get(token)
        return found is not None and found[0] == route

    def _discard(self, token: str) -> asyncio.Future[bool]:
        self._in_flight.pop(token, None)
        return self._write("DELETE FROM in_flight WHERE token = ?", (token,))
