"""The login guard: makes sure that monitoring never locks an account.

It is asked before each password is sent, gets the answer afterwards, and stores both on disk. After too many refused
logins, or too many that were neither accepted nor refused, it pauses the credential: runs then end with Suspended and
no password is sent. What counts as a refusal is decided by codes (`answers`), never by the server's words.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from types import TracebackType

from exporter.credentials.answers import Answer, answer_of
from exporter.credentials.breaker import Verdict
from exporter.credentials.clock import Clock
from exporter.credentials.records import Disk, Records
from exporter.diagnosis.diagnose import diagnose
from exporter.model import AccessToken, Failure, Login, LoginRecord, Phase, Secret
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import Refusal, ServerClosed
from exporter.model.reasons import Reason
from exporter.model.settings import GuardSettings, LoginShares
from exporter.model.text import clean
from exporter.model.trace import Trace

__all__ = ["GuardSettings", "LoginGuard"]

NEW_FOR = 60.0  # seconds during which a fresh access token would not be better than this one
# "Slow down". It adds a pause of some minutes and never takes one away: what an answer counts as, only its code tells.
LIMITS = frozenset({Reason.RATE_LIMITED, Reason.SENDING_LIMIT_REACHED})


class LoginGuard:
    """The login guard; one per daemon. IMAP, SMTP and routes of an account count together.

    Each credential (the content of the secret) has its own Breaker: a new password starts without a pause, and going
    back to the old one finds its pause unchanged.
    """

    def __init__(
        self,
        state: Disk,
        settings: GuardSettings,
        now: Callable[[], float] = time.time,
        *,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or Clock(now)
        self._allowed: set[str] = set()
        self._shares = LoginShares()
        self._met: set[str] = set()  # newcomers whose login was accepted since then
        self.records = Records(state, self.clock, self.settings_of)

    def attempt(
        self,
        login: Login,
        trace: Trace,
        token: AccessToken | None = None,
        *,
        phase: Phase = Phase.LOGIN,
        force: bool = False,
    ) -> AbstractAsyncContextManager[Secret]:
        """Return a context manager that gives the secret for one login. Enter it inside `phase`, for the login only.

        The session sets `trace.credential_sent` as soon as the user name or the secret is sent. The result is stored in
        `trace.login`. If the server refuses, the exception gets the diagnosis in its attribute `failure`, so that it is
        not diagnosed twice.

        With a `token` it gives the token instead; refusals still count for the credential that the token was made from,
        so that new tokens do not bypass the guard.

        Raises Suspended while the credential is paused, and Inconclusive if the state file cannot be written: unless
        the last login of the credential in this process was accepted, an attempt is on disk before it is made. `force`
        ignores a pause once; the answer is counted as usual.
        """
        return _Attempt(self, login, trace, token, phase, force=force)

    def load(self, config: EffectiveConfig) -> None:
        """Set the settings of a new configuration, and this shard's part of the limits."""
        self.settings = config.login_guard
        self._shares = config.login_shares

    def settings_of(self, account: str) -> GuardSettings:
        """Return the settings that apply to an account."""
        shares = self._shares
        settings = shares.allotted.get(account, self.settings)
        if account in shares.newcomers and account not in self._met and self.clock.wall() < shares.careful_until:
            return settings.careful()
        return settings

    def allow_once(self, account: str) -> None:
        """Let the next login of an account ignore its pause."""
        self._allowed.add(account)

    def is_allowed(self, account: str) -> bool:
        """Tell whether `allow_once` was called and its login has not happened yet."""
        return account in self._allowed

    # -- for _Attempt -----------------------------------------------------------------------------------------------

    def accepted_since_move(self, name: str) -> None:
        """It accepted a login: what other shards know about it does not matter any more."""
        if name in self._shares.newcomers:
            self._met.add(name)

    def consume_override(self, name: str) -> bool:
        """Use up the permission of `allow_once`: it is for the next login, even if that one does not need it."""
        allowed = name in self._allowed
        self._allowed.discard(name)
        return allowed


class _Attempt:
    """One login, under the control of the guard."""

    __slots__ = (
        "_account",
        "_breaker",
        "_fingerprint",
        "_force",
        "_guard",
        "_login",
        "_phase",
        "_secret",
        "_token",
        "_trace",
    )

    def __init__(
        self, guard: LoginGuard, login: Login, trace: Trace, token: AccessToken | None, phase: Phase, *, force: bool
    ) -> None:
        self._guard = guard
        self._login = login
        self._trace = trace
        self._token = token
        self._phase = phase
        self._force = force

    async def __aenter__(self) -> Secret:
        guard, records, name = self._guard, self._guard.records, self._login.account
        self._secret = await self._login.source.read()
        records.flush()
        forced = guard.consume_override(name) or self._force
        while True:
            self._account, self._fingerprint, self._breaker = records.find(self._login, self._secret)
            breaker = self._breaker
            verdict = breaker.ask(guard.clock.now(), guard.settings_of(name), forced=forced)
            if verdict is Verdict.PAUSED:
                stopped = records.paused(name, breaker)
                why = "many logins that were neither accepted nor refused"
                if stopped.advice is None:
                    why = f"{breaker.consecutive} refusals in a row"
                self._trace.said("#", f"no login: paused after {why}")
                raise stopped
            wait = (
                0.0 if forced or verdict is Verdict.WAIT else records.account_budget_wait(name, self._account, breaker)
            )
            if wait:
                self._trace.said("#", "no login: too many different secrets of this account were refused in a day")
                raise records.too_many(self._account, wait)
            if verdict is Verdict.GO:
                break
            await self._account.answered.wait()
        breaker.begin()
        if not breaker.confirmed:
            try:
                await records.store(name, self._fingerprint)
            except BaseException:
                self._end(Answer.UNSENT)
                raise
        self._trace.login = replace(self._trace.login, attempted=True)
        self._trace.credential_sent = False
        return self._secret if self._token is None else self._token.secret

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        answer = answer_of(exc, sent=self._trace.credential_sent)
        if exc is None:
            self._end(answer)
            return
        failure = self._diagnose(exc)
        if isinstance(exc, Refusal | ServerClosed):
            exc.failure = failure
        if answer is Answer.REFUSED:
            self._trace.login = LoginRecord(attempted=True, refused=True)
            if self._token is not None:
                self._token.spoil()
        said_to = str(exc.protocol) if isinstance(exc, Refusal) else ""
        slow = isinstance(exc, Refusal | ServerClosed) and failure.reason in LIMITS
        self._end(answer, failure.reason.value, self._without_secrets(failure.text), said_to, slow=slow)

    def _diagnose(self, exc: BaseException) -> Failure:
        if isinstance(exc, asyncio.CancelledError):  # the deadline of the run, which is a timeout to its user
            exc = TimeoutError()
        age = ""
        if self._token is not None and isinstance(exc, Refusal):
            age = "new" if self._guard.clock.now() - self._token.fetched < NEW_FOR else "kept"
        families, greeting = self._login.families, self._trace.greeting()
        return diagnose(exc, self._phase, families=families, greeting=greeting, token_age=age)

    def _without_secrets(self, text: str) -> str:
        """Remove the secrets: a server that echoes the password must not make us write it to disk."""
        for secret in (self._secret, *([self._token.secret] if self._token is not None else [])):
            hidden = secret.reveal()
            if len(hidden) >= 4:
                text = text.replace(hidden, "<secret>")
        return clean(text)

    def _end(
        self, answer: Answer, reason: str = "", text: str = "", answer_to: str = "", *, slow: bool = False
    ) -> None:
        guard, name = self._guard, self._login.account
        proven = self._breaker.proven
        now, settings = guard.clock.now(), guard.settings_of(name)
        self._breaker.end(answer, now, settings, reason, text, answer_to=answer_to, slow=slow)
        if answer is Answer.ACCEPTED:
            guard.accepted_since_move(name)
        recorded = self._account.saved.get(self._fingerprint, 0) > 0
        first = answer is Answer.ACCEPTED and not proven and guard.records.is_exception(self._account, self._breaker)
        if recorded or first or answer not in (Answer.ACCEPTED, Answer.UNSENT):
            guard.records.save(name, self._fingerprint)
        self._account.wake()
