"""Looks for our own probe mails in inbox and junk, by remembered UIDs and signed tokens.

In: a logged-in ImapSession and the marks of earlier runs. Out: Copy objects (a found mail, or a delivery report). Of
other people's mail only three header fields are read (and a delivery status notification, to see whether it is about
our mail). A mail without our valid signature is never removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.model import bounds
from exporter.model.errors import ProbeError, Refusal
from exporter.model.trace import Trace
from exporter.net import utf7
from exporter.net.imap.session import ImapSession
from exporter.net.wire import Wire
from exporter.probes.roundtrip.message import LOOKED_AT, Bounce, read_bounce, recognise, short_id
from exporter.probes.roundtrip.report import may_be_report
from exporter.probes.roundtrip.reports_seen import ReportsSeen

MAX_BACK = 2000  # UIDs: a search starts at most so far below UIDNEXT
RESCAN = 200  # UIDs searched after UIDVALIDITY has changed, which makes the remembered UIDs useless
MAX_REPORTS = 5  # delivery status notifications read in one run
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 10.0  # seconds between polls; each pause is twice the one before
# seconds: for shorter pauses polling is used even with IDLE, because dovecot reports half a second late
IDLE_FROM = 0.5
LONGEST_IDLE = 240.0  # seconds: NAT devices drop a silent connection after five minutes; RFC 2177 allows 29
# seconds of IDLE before the first look by hand; each time twice as long: some servers accept IDLE and never push
FIRST_LOOK = 2.0
JUNK_EVERY = 5.0  # seconds between searches in junk while IDLE watches the inbox

Mark = tuple[str, int, int]  # (folder as the server names it, UIDVALIDITY, UIDNEXT)


@dataclass(frozen=True, slots=True)
class Copy:
    """A mail of ours found in a folder, or a report that one could not be delivered."""

    token: str
    folder: str
    uidvalidity: int
    uid: int
    junk: bool
    seen_at: float  # time.perf_counter()
    bounce: str = ""  # why it could not be delivered; "" for the mail itself
    within: float = 0.0  # seconds by which it may have been there before; 0 if the server announced it

    @property
    def key(self) -> str:
        """Identifies this copy among copies of the same mail; short enough to store."""
        return f"{short_id(self.token)}:{self.uidvalidity}:{self.uid}"


@dataclass(slots=True)
class _Place:
    """A folder, and how far it has been searched."""

    name: str
    junk: bool
    uidvalidity: int = 0
    next: int = 1  # the first UID that was not searched yet
    following: int = 1  # the lowest UID that the next mail can have
    messages: int | None = None  # if the server omits UIDNEXT, a changed count shows that mail has arrived
    fresh: bool = False  # there is something to search


class InboxWatch:
    """Watches the folders of one logged-in session for our mails."""

    def __init__(
        self,
        session: ImapSession,
        wire: Wire,
        trace: Trace,
        *,
        key: bytes,
        route: str,
        inbox: str,
        junk: str | None,
        idle: bool,
        idle_timeout: float | None = None,
        by_status: bool = True,
        seen: ReportsSeen | None = None,
    ) -> None:
        """`idle_timeout`: seconds after which the server closes a silent connection.

        `by_status`: STATUS shows whether mail has arrived in a folder; otherwise the folder is opened to find out.
        `seen`: the reports that earlier runs have looked at.
        """
        self._session = session
        self._wire = wire
        self._trace = trace
        self._key = key
        self._route = route
        self._inbox = _Place(inbox, junk=False)
        self._junk = _Place(junk, junk=True) if junk else None
        self._idle = idle and "IDLE" in session.capabilities
        self._longest_idle = LONGEST_IDLE if idle_timeout is None else idle_timeout / 2
        self._by_status = by_status
        self._pause = FIRST_PAUSE
        self._open: str | None = None  # the selected folder
        self._reports = 0
        self._seen = seen or ReportsSeen()
        self._heard_at: float | None = None  # when IDLE reported something
        self._patience = FIRST_LOOK  # of the next IDLE
        self._looked_at: float | None = None  # when the inbox was last searched, `time.perf_counter()`

    async def open(self, marks: Iterable[Mark]) -> None:
        """Find where the search starts: at the lowest mark. Without marks, the existing mail is not ours."""
        known = list(marks)
        if self._junk is not None and not self._by_status:
            await self._begin_selected(self._junk, known)
        elif self._junk is not None:
            status = await self._session.status(self._junk.name)
            self._junk.messages = status.messages
            if status.uidnext is None:
                await self._begin_selected(self._junk, known)
            else:
                self._begin(self._junk, status.uidvalidity or 0, status.uidnext, known)
        await self._begin_selected(self._inbox, known)

    async def _begin_selected(self, place: _Place, marks: list[Mark]) -> None:
        selected = await self._session.examine(place.name)
        self._open = place.name
        following = selected.uidnext
        if following is None:
            following = await self._session.following_uid()
        self._begin(place, selected.uidvalidity, following, marks)

    def _begin(self, place: _Place, uidvalidity: int, following: int, marks: list[Mark]) -> None:
        place.uidvalidity = uidvalidity
        here = [mark for mark in marks if mark[0] == place.name]
        start = min((uid for _, _, uid in here), default=following)
        if any(validity != uidvalidity for _, validity, _ in here):
            self._trace.said(
                "#", f"UIDVALIDITY of {self.shown(place.name)} has changed: looking at the last {RESCAN} UIDs"
            )
            start = following - RESCAN
        elif start < following - MAX_BACK:
            name, many = self.shown(place.name), following - start
            self._trace.said("#", f"{many} UIDs to look at in {name}: only the last {MAX_BACK} are")
        place.next, place.following = max(1, start, following - MAX_BACK), following
        place.fresh = place.next < following

    def shown(self, folder: str) -> str:
        """Return a folder's name for the transcript."""
        return self._session.shown(utf7.decode(folder))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """How far all folders have been searched. Mail that arrives later has a UID at or above the mark."""
        places = [self._inbox, *([self._junk] if self._junk else [])]
        return tuple((place.name, place.uidvalidity, place.following) for place in places)

    async def look(self) -> list[Copy]:
        """Return the copies that arrived since the last call."""
        found: list[Copy] = []
        if self._junk is not None and not self._by_status:
            self._junk.fresh = True
        elif self._junk is not None and not self._junk.fresh and self._open == self._inbox.name:
            status = await self._session.status(self._junk.name)
            self._junk.fresh = (
                status.uidnext > self._junk.following
                if status.uidnext is not None
                else status.messages is None or status.messages != self._junk.messages
            )
            self._junk.messages = status.messages
        for place in (self._junk, self._inbox):
            if place is not None and (place.fresh or not place.junk):
                found += await self._search(place)
        self._heard_at = None
        return found

    async def wait(self, seconds: float) -> None:
        """Wait until IDLE reports news, or for a pause that grows from call to call; at most `seconds`."""
        if self._idle and self._pause >= IDLE_FROM:
            try:
                longest = min(JUNK_EVERY if self._junk else self._longest_idle, self._longest_idle)
                if await self._session.idle(min(seconds, self._patience, longest)):
                    self._heard_at = self._wire.arrived
                    self._patience = longest  # this server pushes
                else:
                    self._patience *= 2
            except Refusal as exc:
                if exc.code == "BYE":
                    raise
                self._trace.said("#", "IDLE is offered and refused: polling")
                self._idle = False
            return
        await asyncio.sleep(min(seconds, self._pause))
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        await self._session.noop()

    async def _search(self, place: _Place) -> list[Copy]:
        await self._examine(place.name)
        uids = await self._session.uids_from(place.next)
        seen_at = self._heard_at if self._heard_at is not None and not place.junk else self._wire.arrived
        before = self._looked_at
        within = 0.0 if before is None or seen_at == self._heard_at else max(0.0, seen_at - before)
        if not place.junk:
            self._looked_at = seen_at
        found = []
        for uid, header in sorted((await self._session.fetch_headers(uids, LOOKED_AT)).items()):
            token, bounce = recognise(header, self._key, self._route), ""
            if token is None and may_be_report(header):
                report = await self._read_report(place, uid)
                token, bounce = (report.token, report.text) if report else (None, "")
            if token is not None:
                found.append(Copy(token, place.name, place.uidvalidity, uid, place.junk, seen_at, bounce, within))
        place.next = place.following = max(place.following, uids[-1] + 1 if uids else 1)
        place.fresh = False
        return found

    async def _read_report(self, place: _Place, uid: int) -> Bounce | None:
        """What a report says about a mail of ours. One that is not about ours is opened once, whatever is in it."""
        where = (place.name, place.uidvalidity, uid)
        if self._reports >= MAX_REPORTS or self._seen.is_done(where):
            return None
        self._reports += 1
        self._seen.opening(where)
        try:
            raw = await self._session.fetch_message(uid, bounds.MESSAGE)
        except ProbeError:
            return None  # somebody has removed it
        try:
            report = read_bounce(raw, self._key, self._route)
        except Exception as exc:  # the mail of a stranger must not keep ours from being settled
            self._trace.said("#", f"the report with UID {uid} cannot be read: {type(exc).__name__}")
            report = None
        if report is None:
            self._seen.foreign(where)
        return report

    async def _examine(self, name: str) -> None:
        if self._open != name:
            await self._session.examine(name)
            self._open = name

    async def fetch(self, copy: Copy) -> bytes:
        """Return the whole of a mail of ours."""
        await self._examine(copy.folder)
        return await self._session.fetch_message(copy.uid, bounds.MESSAGE)

    async def remove(self, copies: Iterable[Copy]) -> list[Copy]:
        """Delete exactly these copies, each verified once more. Returns those that could not be deleted."""
        left: list[Copy] = []
        by_folder: dict[str, list[Copy]] = {}
        for copy in copies:
            by_folder.setdefault(copy.folder, []).append(copy)
        for folder, group in by_folder.items():
            self._open = None
            selected = await self._session.select(folder)
            if selected.read_only or selected.uidvalidity != group[0].uidvalidity:
                self._trace.said("#", f"{self.shown(folder)} is read-only or has changed: nothing is removed")
                left += group
                continue
            headers = await self._session.fetch_headers([copy.uid for copy in group], LOOKED_AT)
            for copy in group:
                header = headers.get(copy.uid)
                if header is None:
                    continue  # somebody else has removed it
                ours = may_be_report(header) if copy.bounce else self._is(header, copy.token)
                if not ours or not await self._session.delete(copy.uid):
                    self._trace.said("#", f"UID {copy.uid} in {self.shown(folder)} is left where it is")
                    left.append(copy)
        return left

    def _is(self, header: bytes, token: str) -> bool:
        return recognise(header, self._key, self._route) == token
