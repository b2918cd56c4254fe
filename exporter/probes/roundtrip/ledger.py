"""The books of a route within a run: what became of each mail, as facts, as the verdict, and for later runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence

from exporter.model import FactName
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes.roundtrip import authentication, message
from exporter.probes.roundtrip.headers import hop_delays, last_stamp
from exporter.probes.roundtrip.inbox import Mark
from exporter.probes.roundtrip.reports_seen import ReportsSeen
from exporter.state.store import InFlight, Mailbag, Notes

MAX_KNOWN = 16  # copies remembered as none of the surplus kind


class Ledger:
    """Times in seconds. `verdict` is about the message that was settled last; None while nothing is wrong with it."""

    def __init__(
        self,
        route: str,
        mailbag: Mailbag,
        notes: Notes,
        trace: Trace,
        *,
        late_after: float,
        lost_after: float,
        now: Callable[[], float],
    ) -> None:
        self.verdict: ProbeError | None = None
        self.signed: bytes | None = None  # the mail that came last, whole: its DKIM signature can be verified
        self._route = route
        self._subject = f"route:{route}"
        self._mailbag = mailbag
        self._notes = notes
        self._trace = trace
        self._late_after = late_after
        self._lost_after = lost_after
        self._now = now

    async def in_flight(self) -> tuple[InFlight, ...]:
        return await self._mailbag.in_flight(self._route)

    # -- a mail's fate ------------------------------------------------------------------------------------------

    async def sending(self, mail: InFlight) -> None:
        """On disk when this returns: a kill at any later moment loses no mail."""
        await self._mailbag.add(mail)

    async def not_sent(self, mail: InFlight) -> None:
        """The server did not take it. Should it come all the same, it is no duplicate."""
        await self._mailbag.settle(mail.token)
        await self.remember([message.short_id(mail.token)])

    def sent(self) -> None:
        """Submitted, or perhaps submitted: from now on it is received, bounced or lost one day."""
        self._trace.fact(FactName.ROUNDTRIP_SENT, 1)

    async def received(self, mail: InFlight, whole: bytes | None, *, seconds: float | None, junk: str = "") -> None:
        """It came. `seconds` where we saw it come; `whole` is None where it could not be fetched."""
        await self._mailbag.settle(mail.token)
        trace = self._trace
        took = self._estimate(mail, whole or b"") if seconds is None else seconds
        trace.fact(FactName.ROUNDTRIP_RECEIVED, took)
        self.verdict = None
        if took > self._late_after:
            self._late(f"it took {took:.0f} s; late_after is {self._late_after:.0f} s")
            if not mail.late:
                trace.fact(FactName.ROUNDTRIP_LATE, 1)
        if whole is not None:
            self.signed = whole
            for hop, delay in hop_delays(whole, mail.sent_at, mail.sent_at + took).items():
                trace.fact(FactName.ROUNDTRIP_HOP_DELAY, delay, hop)
            for method, passed in authentication.results(whole).items():
                trace.fact(FactName.ROUNDTRIP_AUTHENTICATION, int(passed), method)
            if message.altered(whole):
                trace.fact(FactName.ROUNDTRIP_ALTERED, 1)
                self.verdict = ProbeError(Reason.MESSAGE_ALTERED, "the text is not the one that was sent")
        if junk:
            trace.fact(FactName.ROUNDTRIP_MISFILED, 1)
            self.verdict = ProbeError(Reason.MESSAGE_IN_JUNK, f"it was filed in {junk}")

    def _estimate(self, mail: InFlight, whole: bytes) -> float:
        """Nobody watched when it came: the last server's stamp is nearer to the truth than the time of this run."""
        age = max(0.0, self._now() - mail.sent_at)
        stamp = last_stamp(whole)
        return age if stamp is None else min(max(0.0, stamp - mail.sent_at), age)

    async def bounced(self, mail: InFlight, why: str) -> None:
        await self._mailbag.settle(mail.token)
        self._trace.fact(FactName.ROUNDTRIP_BOUNCED, 1)
        self.verdict = ProbeError(Reason.BOUNCED, why)

    async def surplus(self, token: str, key: str, *, bounce: bool) -> None:
        """A copy of a mail that is not in flight (any more). `key` tells it from other copies."""
        known = await self._known()
        if bounce:
            self._trace.fact(FactName.ROUNDTRIP_BOUNCED, 1)
        elif key in known or message.short_id(token) in known:
            self._trace.said("#", f"mail {message.short_id(token)} was given up, or could not be removed, before")
        elif await self._mailbag.settled_before(self._route, token):
            self._trace.fact(FactName.ROUNDTRIP_DUPLICATED, 1)

    async def missing(self, *, but: Collection[str] = ()) -> None:
        """What has not come in time is late, what has not come for long is lost: of all in flight `but` these."""
        for mail in await self.in_flight():
            if mail.token in but:
                continue
            age = self._now() - mail.sent_at
            if age > self._late_after and not mail.late:
                self._trace.fact(FactName.ROUNDTRIP_LATE, 1)
                await self._mailbag.mark_late(mail.token)
            if age > self._lost_after:
                await self._lose(mail, age)

    async def given_up(self, mail: InFlight, waited: float, *, lost: bool) -> None:
        """It was waited for in vain."""
        self._trace.fact(FactName.ROUNDTRIP_LATE, 1)
        await self._mailbag.mark_late(mail.token)
        if lost:
            await self._lose(mail, waited)
        elif self.verdict is None:
            self._late(f"not there {waited:.0f} s after it was sent")

    def _late(self, text: str) -> None:
        self.verdict = ProbeError(Reason.MESSAGE_LATE, text)

    async def _lose(self, mail: InFlight, age: float) -> None:
        self._trace.fact(FactName.ROUNDTRIP_LOST, 1)
        self.verdict = ProbeError(Reason.MESSAGE_LOST, f"a mail that was sent {age:.0f} s ago has not come")
        await self._mailbag.settle(mail.token)
        await self.remember([message.short_id(mail.token)])

    # -- from run to run ----------------------------------------------------------------------------------------

    async def marks(self) -> list[Mark]:
        """Where to begin looking: before every mail that is in flight, and where the last run ended."""
        marks = [mark for mail in await self.in_flight() for mark in mail.watermarks]
        try:
            kept = json.loads(await self._notes.get(self._subject, "looked_at") or "[]")
            marks += [(str(folder), int(uidvalidity), int(uid)) for folder, uidvalidity, uid in kept]
        except (ValueError, TypeError):
            self._trace.said("#", "where the last run ended is not readable")
        return marks

    async def keep_marks(self, marks: tuple[Mark, ...]) -> None:
        if all(uidvalidity for _, uidvalidity, _ in marks):
            await self._notes.put(self._subject, "looked_at", json.dumps(marks))

    async def reports_seen(self) -> ReportsSeen:
        return ReportsSeen(await self._notes.get(self._subject, "reports_seen"))

    async def keep_reports_seen(self, seen: ReportsSeen) -> None:
        """Written only where there is something to remember: most mailboxes never get a report."""
        kept = seen.dump()
        if kept != (await self._notes.get(self._subject, "reports_seen") or "[]"):
            await self._notes.put(self._subject, "reports_seen", kept)

    async def remember(self, keys: Sequence[str]) -> None:
        """Copies that may be met again and are no duplicates: given up, refused and yet delivered, not removable."""
        if keys:
            known = [key for key in await self._known() if key not in keys]
            await self._notes.put(self._subject, "not_surplus", " ".join([*known, *keys][-MAX_KNOWN:]))

    async def _known(self) -> list[str]:
        return (await self._notes.get(self._subject, "not_surplus") or "").split()
