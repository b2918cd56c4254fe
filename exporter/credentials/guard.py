"""The login guard: makes sure that monitoring never locks an account.

It is asked before each password is sent, gets the answer afterwards, and stores both on disk. After too many refused
logins it pauses the credential: runs then end with Suspended and no password is sent.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from exporter.credentials.breaker import DAY, Answer, Breaker, Verdict
from exporter.credentials.clock import Clock
from exporter.diagnosis.diagnose import diagnose
from exporter.model import AccessToken, Login, Phase, Secret, Service
from exporter.model.errors import Refusal, ServerClosed, Suspended
from exporter.model.reasons import Layer, Reason, about
from exporter.model.settings import GuardSettings
from exporter.model.text import clean
from exporter.model.trace import Trace

__all__ = ["GuardSettings", "LoginGuard", "Pause"]

MAX_SECRETS = 8  # secrets remembered per account; a source that produces more new secrets gets no further logins
FORGET_AFTER = 30 * 86400.0  # seconds without a login after which a record is deleted
NEW_FOR = 60.0  # seconds during which a fresh access token would not be better than this one
LIMITS = frozenset({Reason.RATE_LIMITED, Reason.SENDING_LIMIT_REACHED})
# The server answered, but did not check the password. Every other negative answer to a login counts as a refusal.
UNDECIDED = frozenset(
    {
        Reason.AUTH_UNAVAILABLE,
        Reason.TEMPORARILY_UNAVAILABLE,
        Reason.SERVER_ERROR,
        Reason.MAILBOX_IN_USE,
        Reason.MAILBOX_OVER_QUOTA,
    }
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Why and until when an account is not logged in to."""

    reason: Reason
    text: str  # the server's reply
    next_attempt: float  # Unix time, seconds


class Disk(Protocol):
    """The part of `State` that the guard needs."""

    signing_key: bytes
    breakers: dict[tuple[str, str], str]

    def save_breaker(
        self, account: str, fingerprint: str, record: str | None, *, durable: bool = False
    ) -> asyncio.Future[bool]: ...


class _Account:
    """The credentials of one account: usually one, more while a secret changes or if two entries disagree."""

    __slots__ = ("answered", "breakers", "latest", "saved")

    def __init__(self) -> None:
        self.breakers: dict[str, Breaker] = {}
        self.saved: dict[str, int] = {}  # fingerprint → number of logins in progress, as stored on disk
        self.latest = ""
        self.answered = asyncio.Event()  # replaced each time it is set

    def wake(self) -> None:
        self.answered.set()
        self.answered = asyncio.Event()


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
        self._state = state
        self._accounts: dict[str, _Account] = {}
        self._allowed: set[str] = set()
        self._unsettled: list[tuple[str, str]] = []
        self._allotted: Mapping[str, GuardSettings] = {}
        self._newcomers: Collection[str] = ()
        self._careful_until = 0.0  # Unix time
        self._met: set[str] = set()  # newcomers whose login was accepted since then
        for (account, fingerprint), record in state.breakers.items():
            self._restore(account, fingerprint, record)

    def attempt(
        self, login: Login, trace: Trace, token: AccessToken | None = None, *, force: bool = False
    ) -> AbstractAsyncContextManager[Secret]:
        """Return a context manager that gives the secret for one login.

        Enter it in the login phase, for the login only.

        With a `token` it gives the token instead; refusals still count for the credential that the token was made from,
        so that new tokens do not bypass the guard.

        Raises Suspended while the credential is paused. `force` ignores a pause once; the answer is counted as usual.
        """
        return _Attempt(self, login, trace, token, force=force)

    def set_shares(
        self, allotted: Mapping[str, GuardSettings], newcomers: Collection[str], careful_until: float
    ) -> None:
        """Set this shard's part of the limits. `allotted`: settings for accounts that other shards use too.

        `newcomers`: accounts that other shards used until now, whose refusals are not known here. Until `careful_until`
        (Unix time) one refusal pauses such an account for long, unless it has accepted a login here.
        """
        self._allotted, self._newcomers, self._careful_until = allotted, newcomers, careful_until

    def settings_of(self, account: str) -> GuardSettings:
        """Return the settings that apply to an account."""
        settings = self._allotted.get(account, self.settings)
        if account in self._newcomers and account not in self._met and self.clock.wall() < self._careful_until:
            return settings.careful()
        return settings

    def allow_once(self, account: str) -> None:
        """Let the next login of an account ignore its pause."""
        self._allowed.add(account)

    def is_allowed(self, account: str) -> bool:
        """Tell whether `allow_once` was called and its login has not happened yet."""
        return account in self._allowed

    def standing(self, account: str) -> Pause | None:
        """Return why the account's latest credential is paused, or None if it is not."""
        found = self._accounts.get(account)
        breaker = found.breakers.get(found.latest) if found else None
        now = self.clock.now()
        if breaker is None or breaker.resumes_at(now, self.settings_of(account)) <= now:
            return None
        return self.standing_of(account, breaker)

    # -- for _Attempt -----------------------------------------------------------------------------------------------

    def standing_of(self, name: str, breaker: Breaker) -> Pause:
        now = self.clock.now()
        left = breaker.resumes_at(now, self.settings_of(name)) - now
        return Pause(
            _reason(breaker), breaker.text or "a login was cut off before its answer came", self.clock.wall() + left
        )

    def find(self, login: Login, secret: Secret) -> tuple[_Account, str, Breaker]:
        account = self._account(login.account)
        content = f"login guard\0{login.account}\0{login.username}\0{secret.reveal()}"
        digest = hmac.digest(self._state.signing_key, content.encode("utf-8", "surrogatepass"), "sha256")
        fingerprint = digest[:16].hex()
        if fingerprint not in account.breakers:
            self._make_room(login.account, account)
            account.breakers[fingerprint] = Breaker(_jitter(fingerprint))
        account.latest = fingerprint
        return account, fingerprint, account.breakers[fingerprint]

    def accepted_since_move(self, name: str) -> None:
        """It accepted a login: what other shards know about it does not matter any more."""
        if name in self._newcomers:
            self._met.add(name)

    def account_budget_wait(self, name: str, account: _Account, breaker: Breaker) -> float:
        """Return the seconds until a new secret may be tried, if other secrets of the account were refused.

        A source that produces a new secret each time must not bypass the daily limit.
        """
        now = self.clock.now()
        spent = sorted(at for each in account.breakers.values() for at in each.spent(now))
        limit = self.settings_of(name).refusals_per_day
        return 0.0 if breaker.proven or len(spent) < limit else max(0.0, spent[-limit] + DAY - now)

    def consume_override(self, name: str) -> bool:
        """Use up the permission of `allow_once`: it is for the next login, even if that one does not need it."""
        allowed = name in self._allowed
        self._allowed.discard(name)
        return allowed

    def save(self, name: str, fingerprint: str, *, durable: bool = False) -> asyncio.Future[bool]:
        account = self._accounts[name]
        breaker = account.breakers[fingerprint]
        now = self.clock.now()
        if breaker.idle(now, self.settings_of(name)) and not self.is_exception(account, breaker):
            account.saved.pop(fingerprint, None)
            return self._state.save_breaker(name, fingerprint, None)
        account.saved[fingerprint] = breaker.under_way
        record = json.dumps(breaker.freeze(now) | {"saved": self.clock.stamp()})
        return self._state.save_breaker(name, fingerprint, record, durable=durable)

    def is_exception(self, account: _Account, breaker: Breaker) -> bool:
        """Tell whether it must be remembered that this secret is good, because others of the account were refused."""
        now = self.clock.now()
        return breaker.proven and any(each is not breaker and each.spent(now) for each in account.breakers.values())

    def flush(self) -> None:
        """Write what changed while the records were read, so that another restart does not repeat it."""
        while self._unsettled:
            name, fingerprint = self._unsettled.pop()
            if fingerprint in self._account(name).breakers:
                self.save(name, fingerprint)
            else:
                self._state.save_breaker(name, fingerprint, None)

    # ---------------------------------------------------------------------------------------------------------------

    def _account(self, name: str) -> _Account:
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = _Account()
        return found

    def _make_room(self, name: str, account: _Account) -> None:
        """Limit the remembered secrets: a source that produces new secrets must not get two wrong logins for each."""
        if len(account.breakers) < MAX_SECRETS:
            return
        now = self.clock.now()
        settings = self.settings_of(name)
        quiet_at = {each: breaker.quiet_at(now, settings) for each, breaker in account.breakers.items()}
        for fingerprint, at in quiet_at.items():
            if at <= now:
                del account.breakers[fingerprint]
                account.saved.pop(fingerprint, None)
                self._state.save_breaker(name, fingerprint, None)
        if len(account.breakers) >= MAX_SECRETS:
            raise self.too_many(account, min(quiet_at.values()) - now)

    def too_many(self, account: _Account, wait: float) -> Suspended:
        last = max(account.breakers.values(), key=lambda each: each.refused[-1:])
        text = (
            "as many logins as a day may have were refused, with different secrets; "
            f"`mailprobe check --force` tries this one; the last answer: {last.text}"
        )
        return Suspended(_reason(last), text, self.clock.wall() + wait)

    def _restore(self, name: str, fingerprint: str, text: str) -> None:
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            record = {"under_way": 1}  # unreadable: assume that a login was in progress
        age = self.clock.since(record.get("saved"))
        if age > FORGET_AFTER:
            self._unsettled.append((name, fingerprint))
            return
        breaker = Breaker.thaw(record, self.clock.now(), age, self.settings, _jitter(fingerprint))
        account = self._account(name)
        account.breakers[fingerprint] = breaker
        account.saved[fingerprint] = 0
        account.latest = fingerprint
        if record.get("under_way"):
            self._unsettled.append((name, fingerprint))


class _Attempt:
    """One login, under the control of the guard."""

    __slots__ = ("_account", "_breaker", "_fingerprint", "_force", "_guard", "_login", "_secret", "_token", "_trace")

    def __init__(
        self, guard: LoginGuard, login: Login, trace: Trace, token: AccessToken | None, *, force: bool
    ) -> None:
        self._guard = guard
        self._login = login
        self._trace = trace
        self._token = token
        self._force = force

    async def __aenter__(self) -> Secret:
        guard, name = self._guard, self._login.account
        self._secret = await self._login.source.read()
        guard.flush()
        forced = guard.consume_override(name) or self._force
        while True:
            self._account, self._fingerprint, self._breaker = guard.find(self._login, self._secret)
            breaker = self._breaker
            verdict = breaker.ask(guard.clock.now(), guard.settings_of(name), forced=forced)
            if verdict is Verdict.PAUSED:
                standing = guard.standing_of(name, breaker)
                self._trace.said("#", f"no login: paused after {breaker.consecutive} refusals in a row")
                said_to = Service(breaker.answer_to) if breaker.text and breaker.answer_to in set(Service) else None
                raise Suspended(standing.reason, standing.text, standing.next_attempt, said_to)
            wait = 0.0 if forced or verdict is Verdict.WAIT else guard.account_budget_wait(name, self._account, breaker)
            if wait:
                self._trace.said("#", "no login: too many different secrets of this account were refused in a day")
                raise guard.too_many(self._account, wait)
            if verdict is Verdict.GO:
                break
            await self._account.answered.wait()
        breaker.begin()
        if not breaker.trusted:
            try:
                await guard.save(name, self._fingerprint, durable=True)
            except asyncio.CancelledError:
                self._end(Answer.MISSING)
                raise
        self._trace.attempted = True
        return self._secret if self._token is None else self._token.secret

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if exc is None:
            self._end(Answer.ACCEPTED)
            return
        if self._token is not None and isinstance(exc, Refusal):
            exc.token = "new" if self._guard.clock.now() - self._token.fetched < NEW_FOR else "kept"
        answer, reason, text = self._judge(exc)
        if answer is Answer.REFUSED:
            self._trace.refused = True
            if isinstance(exc, Refusal):
                exc.counted = True
            if self._token is not None:
                self._token.spoil()
        self._end(answer, reason, text, str(exc.protocol) if isinstance(exc, Refusal) else "")

    def _judge(self, exc: BaseException) -> tuple[Answer, str, str]:
        if not isinstance(exc, Refusal | ServerClosed):
            return Answer.MISSING, "", ""
        failure = diagnose(exc, Phase.LOGIN, families=self._login.families, greeting=self._trace.greeting())
        if failure.reason in LIMITS:
            answer = Answer.LIMITED
        elif isinstance(exc, Refusal):
            answer = Answer.UNDECIDED if failure.reason in UNDECIDED else Answer.REFUSED
        else:  # the connection was closed: the last lines may still be about the password
            about_login = failure.reason not in UNDECIDED and about(failure.reason).layer is Layer.AUTH
            answer = Answer.REFUSED if about_login else Answer.MISSING
        text = failure.text
        for secret in (self._secret, self._token.secret if self._token is not None else self._secret):
            hidden = secret.reveal()
            if len(hidden) >= 4:  # a server that echoes the password must not make us write it to disk
                text = text.replace(hidden, "<secret>")
        return answer, failure.reason.value, clean(text)

    def _end(self, answer: Answer, reason: str = "", text: str = "", answer_to: str = "") -> None:
        guard, name = self._guard, self._login.account
        proven = self._breaker.proven
        self._breaker.end(answer, guard.clock.now(), guard.settings_of(name), reason, text, answer_to=answer_to)
        if answer is Answer.ACCEPTED:
            guard.accepted_since_move(name)
        recorded = self._account.saved.get(self._fingerprint, 0) > 0
        first = answer is Answer.ACCEPTED and not proven and guard.is_exception(self._account, self._breaker)
        if recorded or first or answer not in (Answer.ACCEPTED, Answer.MISSING):
            guard.save(name, self._fingerprint)
        self._account.wake()


def _reason(breaker: Breaker) -> Reason:
    """Return why it is paused. Without an answer (the daemon was killed before it came) the reason is unknown."""
    try:
        return Reason(breaker.reason)
    except ValueError:
        return Reason.AMBIGUOUS_LOGIN_REFUSED


def _jitter(fingerprint: str) -> float:
    """Return a value from 0 to 1 from the fingerprint: different between accounts, constant for each."""
    return int(fingerprint[:8], 16) / 0xFFFFFFFF
