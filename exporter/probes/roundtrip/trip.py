"""The roundtrip probe itself: settles earlier mails, sends one signed mail, and waits for it up to `late_after`.

In: the Settings of a route. Out: facts and the verdict through the Ledger. A run never waits longer for a mail: what
has not arrived stays in the Mailbag, and a later run settles it, even after a restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from exporter.model import Endpoint, FactName, Login, Phase, Wait
from exporter.model.errors import Garbage, Inconclusive, ProbeError, Refusal
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.imap.folders import by_role
from exporter.net.imap.session import ImapSession
from exporter.net.smtp.session import SmtpSession
from exporter.net.wire import Wire
from exporter.probes.context import Context
from exporter.probes.login import enter_imap, log_in, open_smtp
from exporter.probes.roundtrip import authentication, message
from exporter.probes.roundtrip.inbox import Copy, InboxWatch, Mark
from exporter.probes.roundtrip.ledger import Ledger
from exporter.probes.roundtrip.reports_seen import ReportsSeen
from exporter.state.store import InFlight

MAX_IN_FLIGHT = 50  # mails of a route; no more are sent while so many are missing


@dataclass(frozen=True, slots=True)
class Settings:
    """A route: who sends to whom, and when a mail counts as late or lost. Times in seconds."""

    route: str
    sender: str  # address
    recipient: str  # address
    smtp: Endpoint
    smtp_login: Login
    imap: Endpoint
    imap_login: Login
    late_after: float
    lost_after: float
    step_timeout: float  # for one network step
    needs_id: bool = False  # the provider wants an ID (RFC 2971) after the login
    folder_names: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (role, names) of the provider's preset
    idle: bool = True  # use IDLE if the server offers it
    idle_timeout: float | None = None  # seconds after which the provider drops an idle connection
    status_omits_uidnext: bool = False  # the provider's STATUS does not show whether mail has arrived
    wait: Wait = Wait.LATE


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Log in to the receiving mailbox, settle earlier mails, send, wait, clean up."""
    ledger = Ledger(
        settings.route,
        context.mailbag,
        context.notes,
        trace,
        late_after=settings.late_after,
        lost_after=settings.lost_after,
        now=context.now,
    )
    try:
        await _Trip(settings, context, trace, ledger).run()
    finally:
        waiting = await ledger.in_flight()
        trace.fact(FactName.ROUNDTRIP_IN_FLIGHT, len(waiting))
        trace.fact(FactName.ROUNDTRIP_OLDEST_IN_FLIGHT, waiting[0].sent_at if waiting else 0)


@dataclass(frozen=True, slots=True)
class _Sent:
    """The mail of this run."""

    token: str
    at: float  # time.perf_counter() of the final dot


class _Trip:
    """One run."""

    def __init__(self, settings: Settings, context: Context, trace: Trace, ledger: Ledger) -> None:
        self._settings = settings
        self._context = context
        self._trace = trace
        self._ledger = ledger
        self._look_again = False  # a copy was left that the next run must find

    async def run(self) -> None:
        settings, trace, ledger = self._settings, self._trace, self._ledger
        async with await self._dial(settings.imap) as wire:
            session = await enter_imap(
                wire,
                settings.imap,
                settings.imap_login,
                self._context,
                trace,
                needs_id=settings.needs_id,
                timeout=settings.step_timeout,
            )
            seen = await ledger.reports_seen()
            watch = await self._watch(session, wire, seen)
            with trace.phase(Phase.SELECT):
                await watch.open(await ledger.marks())
            try:
                with trace.phase(Phase.FETCH):
                    copies = await watch.look()
                await self._settle(watch, copies)
                await ledger.missing()
                sent = await self._submit(watch.marks)
                await self._await_arrival(watch, sent)
            finally:
                if not self._look_again:
                    await ledger.keep_marks(watch.marks)
                await ledger.keep_reports_seen(seen)
            with trace.phase(Phase.LOGOUT):
                await self._goodbye(session)
        if ledger.signed is not None:
            verified = await authentication.dkim_verified(ledger.signed, self._context.resolver.lookup)
            if verified is not None:
                trace.fact(FactName.ROUNDTRIP_AUTHENTICATION, int(verified), "dkim_verified")
        if ledger.verdict is not None:
            with trace.phase(Phase.ARRIVE):
                raise ledger.verdict

    async def _dial(self, endpoint: Endpoint) -> Wire:
        async with asyncio.timeout(self._settings.step_timeout):
            return await dial(endpoint, self._context.resolver, self._context.contexts, self._trace)

    # -- the receiving mailbox ----------------------------------------------------------------------------------

    async def _watch(self, session: ImapSession, wire: Wire, seen: ReportsSeen) -> InboxWatch:
        settings = self._settings
        with self._trace.phase(Phase.FOLDERS):
            folders = by_role(await session.list(), settings.folder_names)
        inbox, junk = folders.get("inbox"), folders.get("junk")
        return InboxWatch(
            session,
            wire,
            self._trace,
            key=self._context.signing_key,
            route=settings.route,
            inbox=inbox.name if inbox else "INBOX",
            junk=junk.name if junk else None,
            idle=settings.idle,
            idle_timeout=settings.idle_timeout,
            by_status=not settings.status_omits_uidnext,
            seen=seen,
        )

    async def _goodbye(self, session: ImapSession | SmtpSession) -> None:
        """Log out. Errors at this point say nothing about the mail."""
        try:
            await (session.logout() if isinstance(session, ImapSession) else session.quit())
        except (OSError, Refusal, Garbage) as exc:
            self._trace.said("#", f"at the goodbye: {exc or 'no answer'}")

    # -- what arrived ---------------------------------------------------------------------------------------------

    async def _settle(self, watch: InboxWatch, copies: Iterable[Copy], sent: _Sent | None = None) -> None:
        """Record every mail of ours that was found, the oldest first, and remove it."""
        found: dict[str, list[Copy]] = {}
        for copy in copies:
            found.setdefault(copy.token, []).append(copy)
        for mail in await self._ledger.in_flight():
            group = found.get(mail.token)
            if group:
                # A copy in the inbox has priority over one in junk, and a mail over a report.
                group.sort(key=lambda copy: (bool(copy.bounce), copy.junk, copy.uid))
                await self._settle_one(watch, mail, group.pop(0), sent)
        surplus = [copy for group in found.values() for copy in group]
        for copy in surplus:
            await self._ledger.surplus(copy.token, copy.key, bounce=bool(copy.bounce))
        if surplus:
            await self._remove(watch, surplus)

    async def _settle_one(self, watch: InboxWatch, mail: InFlight, copy: Copy, sent: _Sent | None) -> None:
        # Stored before it is settled: after a kill before the copy is removed, the next run must find it again, and not
        # count it as a second one.
        if mail.watermarks:
            await self._ledger.keep_marks(mail.watermarks)
        await self._ledger.remember([copy.key])
        if copy.bounce:
            stored = await self._ledger.bounced(mail, copy.bounce)
        else:
            seconds = max(0.0, copy.seen_at - sent.at) if sent is not None and sent.token == mail.token else None
            junk = watch.shown(copy.folder) if copy.junk else ""
            try:
                with self._trace.phase(Phase.FETCH):
                    whole = await watch.fetch(copy)
            except BaseException:
                # It arrived, whatever happened since. What is left of it must not be counted as a second copy.
                await self._ledger.received(mail, None, seconds=seconds, junk=junk)
                raise
            stored = await self._ledger.received(mail, whole, seconds=seconds, junk=junk)
            if seconds is not None:
                self._trace.fact(FactName.ROUNDTRIP_PRECISION, min(copy.within, seconds))
        if stored:
            if not await self._remove(watch, [copy]):
                await self._ledger.forget(copy.key)
        else:  # after a kill it would be missed: a later run removes it
            self._look_again = True

    async def _remove(self, watch: InboxWatch, copies: Sequence[Copy]) -> Sequence[Copy]:
        """Returns those that could not be removed."""
        left: Sequence[Copy] = copies
        try:
            with self._trace.phase(Phase.CLEANUP):
                left = await watch.remove(copies)
        except BaseException:  # also a stop of the daemon: the next run must find the copies again
            self._look_again = True
            raise
        finally:
            await self._ledger.remember([copy.key for copy in left])
        return left

    # -- sending and waiting ------------------------------------------------------------------------------------

    async def _submit(self, marks: tuple[Mark, ...]) -> _Sent:
        settings, context, trace = self._settings, self._context, self._trace
        waiting = len(await self._ledger.in_flight())
        if waiting >= MAX_IN_FLIGHT:
            with trace.phase(Phase.SUBMIT):
                raise ProbeError(Reason.MESSAGE_LATE, f"{waiting} mails are under way: no other one is sent")
        async with await self._dial(settings.smtp) as wire:
            session = await open_smtp(wire, settings.smtp, context, trace, timeout=settings.step_timeout)
            await log_in(session, settings.smtp, settings.smtp_login, context, trace, wire=wire)
            with trace.phase(Phase.SUBMIT):
                sent = await self._send(session, marks)
            with trace.phase(Phase.LOGOUT):
                await self._goodbye(session)
        return sent

    async def _send(self, session: SmtpSession, marks: tuple[Mark, ...]) -> _Sent:
        settings, now = self._settings, self._context.now()
        token = message.new_token(self._context.signing_key, settings.route)
        text = message.build(settings.sender, settings.recipient, token, now)
        mail = InFlight(token, settings.route, now, watermarks=marks, uncertain=True)
        handing_over = partial(self._ledger.handing_over, mail)
        try:
            await session.send(settings.sender, settings.recipient, text, handing_over=handing_over)
        except BaseException as exc:
            if isinstance(exc, Refusal) or session.handed_over_at is None:
                await self._ledger.not_sent(mail)
            else:
                self._ledger.sent()
            raise
        await self._ledger.accepted(mail)
        return _Sent(token, session.handed_over_at or time.perf_counter())

    async def _await_arrival(self, watch: InboxWatch, sent: _Sent) -> None:
        settings = self._settings
        patience = {Wait.LATE: settings.late_after, Wait.SETTLED: settings.lost_after, Wait.NOT: 0.0}[settings.wait]
        found: list[Copy] = []
        with self._trace.phase(Phase.ARRIVE):
            while True:
                found += await watch.look()
                left = sent.at + patience - time.perf_counter()
                if left <= 0 or any(copy.token == sent.token for copy in found):
                    break
                await watch.wait(left)
        # Older mails have become overdue meanwhile. They are recorded first, because the verdict is about the newest.
        await self._ledger.missing(but={sent.token, *(copy.token for copy in found)})
        await self._settle(watch, found, sent)
        for mail in await self._ledger.in_flight():
            if mail.token != sent.token:
                continue
            if settings.wait is Wait.NOT:
                with self._trace.phase(Phase.ARRIVE):
                    raise Inconclusive(Reason.MESSAGE_LATE, "the mail is in flight: a later run settles it")
            await self._ledger.given_up(mail, patience, lost=settings.wait is Wait.SETTLED)
