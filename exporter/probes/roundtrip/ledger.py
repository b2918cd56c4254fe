"""Records what happened to each mail of a route during a run: as facts, as the verdict, and in the stored state.

In: events (sent, received, bounced, missing). Out: facts in the Trace, the failure to raise, and entries in the Mailbag
for later runs. Each mail is counted exactly once as received, bounced or lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence

from exporter.model import FactName
from exporter.model.durations import in_words
from exporter.model.errors import Inconclusive, ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes.roundtrip import authentication, message
from exporter.probes.roundtrip.headers import hop_delays, last_stamp
from exporter.probes.roundtrip.inbox import Mark
from exporter.probes.roundtrip.reports_seen import ReportsSeen
from exporter.state.store import InFlight, Mailbag, Notes

MAX_KNOWN = 16  # copies remembered so that they are not counted as duplicates


class Ledger:
    """Times are in seconds. `verdict` is about the mail that was settled last; None if nothing is wrong with it."""

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
        self.signed: bytes | None = None  # the newest mail, complete, so that its DKIM signature can be verified
        self._came_late = 0.0  # seconds that the last mail took which an earlier run called late; 0: none came
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

    # -- events of one mail --------------------------------------------------------------------------------------

    async def handing_over(self, mail: InFlight) -> None:
        """Store the mail before it is sent. Raises Inconclusive if that fails: then it must not be sent.

        It is in the state file when this returns, so a kill at any later time loses no mail. A kill before leaves no
        record, because nothing was sent.
        """
        if not await self._mailbag.add(mail):
            raise Inconclusive(
                Reason.LOCAL_ERROR,
                "no mail is sent, because the state file cannot be written and a restart would forget the mail; make "
                "room on the disk of --storage.path, or look at its permissions",
            )

    async def accepted(self, mail: InFlight) -> None:
        """The server accepted the mail: later it becomes received, bounced or lost."""
        await self._mailbag.accepted(mail.token)
        self.sent()

    async def not_sent(self, mail: InFlight) -> None:
        """The server rejected the mail. If it arrives nevertheless, it is not counted as a duplicate."""
        await self._mailbag.settle(mail.token)
        await self.remember([message.short_id(mail.token)])

    def sent(self) -> None:
        """The mail was submitted, or perhaps submitted."""
        self._trace.fact(FactName.ROUNDTRIP_SENT, 1)

    async def received(self, mail: InFlight, whole: bytes | None, *, seconds: float | None, junk: str = "") -> bool:
        """The mail arrived. `seconds`: measured, if we saw it arrive. `whole`: None if it could not be fetched.

        Returns whether that is stored.
        """
        stored = await self._mailbag.settle(mail.token)
        trace = self._trace
        took = self._estimate(mail, whole or b"") if seconds is None else seconds
        trace.fact(FactName.ROUNDTRIP_RECEIVED, took)
        self.verdict = None
        if took > self._late_after:
            self._late(f"it came {in_words(took)} after it was sent; late_after is {in_words(self._late_after)}")
            if not mail.late:
                trace.fact(FactName.ROUNDTRIP_LATE, 1)
        if mail.late:
            self._came_late = took
            trace.fact(FactName.ROUNDTRIP_CAME_LATE, took)
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
        return stored

    def _estimate(self, mail: InFlight, whole: bytes) -> float:
        """Estimate when it arrived: the last server timestamp is closer to the truth than the time of this run."""
        age = max(0.0, self._now() - mail.sent_at)
        stamp = last_stamp(whole)
        return age if stamp is None else min(max(0.0, stamp - mail.sent_at), age)

    async def bounced(self, mail: InFlight, why: str) -> bool:
        """A report says that it was not delivered. Returns whether that is stored."""
        stored = await self._mailbag.settle(mail.token)
        self._trace.fact(FactName.ROUNDTRIP_BOUNCED, 1)
        self.verdict = ProbeError(Reason.BOUNCED, why)
        return stored

    async def surplus(self, token: str, key: str, *, bounce: bool) -> None:
        """A copy of a mail that is no longer in flight. `key` identifies the copy."""
        known = await self._known()
        if bounce:
            self._trace.fact(FactName.ROUNDTRIP_BOUNCED, 1)
        elif key in known or message.short_id(token) in known:
            self._trace.said("#", f"mail {message.short_id(token)} was given up, or could not be removed, before")
        elif await self._mailbag.settled_before(self._route, token):
            self._trace.fact(FactName.ROUNDTRIP_DUPLICATED, 1)

    async def missing(self, *, but: Collection[str] = ()) -> None:
        """Count overdue mails as late, and very old ones as lost: of all mails in flight except `but`."""
        for mail in await self.in_flight():
            if mail.token in but:
                continue
            age = self._now() - mail.sent_at
            if mail.uncertain:
                if age > self._lost_after:
                    await self._drop(mail, age)
                continue
            if age > self._late_after and not mail.late:
                self._trace.fact(FactName.ROUNDTRIP_LATE, 1)
                await self._mailbag.mark_late(mail.token)
            if age > self._lost_after:
                await self._lose(mail, age)

    async def given_up(self, mail: InFlight, waited: float, *, lost: bool) -> None:
        """The wait for this mail ended without success."""
        self._trace.fact(FactName.ROUNDTRIP_LATE, 1)
        await self._mailbag.mark_late(mail.token)
        if lost:
            await self._lose(mail, waited)
        elif self.verdict is None or self.verdict.reason is Reason.MESSAGE_LATE:
            parts = [f"not there {in_words(waited)} after it was sent", "it has not come yet"]
            if self._came_late:
                parts.append(f"the one before came {in_words(self._came_late)} after it was sent")
            self._late("; ".join(parts))

    def _late(self, text: str) -> None:
        self.verdict = ProbeError(Reason.MESSAGE_LATE, text)

    async def _lose(self, mail: InFlight, age: float) -> None:
        self._trace.fact(FactName.ROUNDTRIP_LOST, 1)
        self.verdict = ProbeError(Reason.MESSAGE_LOST, f"a mail that was sent {age:.0f} s ago has not come")
        await self._mailbag.settle(mail.token)
        await self.remember([message.short_id(mail.token)])

    async def _drop(self, mail: InFlight, age: float) -> None:
        """Nobody knows whether the server took it, so it is neither late nor lost."""
        short = message.short_id(mail.token)
        self._trace.said("#", f"mail {short}, handed over {age:.0f} s ago without an answer, has not come: given up")
        await self._mailbag.settle(mail.token)
        await self.remember([short])

    # -- state between runs -----------------------------------------------------------------------------------------

    async def marks(self) -> list[Mark]:
        """Return where to start searching: before every mail in flight, and where the last run ended."""
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
        """Store copies that may be found again and are no duplicates: given up, rejected but delivered, not removed."""
        if keys:
            known = [key for key in await self._known() if key not in keys]
            await self._notes.put(self._subject, "not_surplus", " ".join([*known, *keys][-MAX_KNOWN:]))

    async def forget(self, key: str) -> None:
        """The copy was removed: it will not be seen again."""
        await self._notes.put(
            self._subject, "not_surplus", " ".join(each for each in await self._known() if each != key)
        )

    async def _known(self) -> list[str]:
        return (await self._notes.get(self._subject, "not_surplus") or "").split()
