"""The circuit breakers of all credentials, in memory, and on disk if they are needed after a restart.

They are found by account and fingerprint, a keyed digest of the secret. The secret itself must never be written to
disk.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from exporter.credentials.breaker import DAY, Breaker
from exporter.credentials.clock import Clock
from exporter.model import Login, Secret, Service
from exporter.model.advice import Advice
from exporter.model.errors import Inconclusive, Suspended
from exporter.model.reasons import Reason
from exporter.model.settings import GuardSettings

MAX_SECRETS = 8  # secrets remembered per account; a source that produces more new secrets gets no further logins
FORGET_AFTER = 30 * 86400.0  # seconds without a login after which a record is deleted
DAMAGED: dict[str, object] = {"under_way": 1}  # an unreadable record: assume that a login was in progress
STORE_WITHIN = 5.0  # seconds for the disk to store an attempt

logger = logging.getLogger(__name__)


class Disk(Protocol):
    """The part of `State` that the guard needs."""

    signing_key: bytes
    breakers: dict[tuple[str, str], str]

    @property
    def write_error(self) -> str: ...

    def save_breaker(
        self, account: str, fingerprint: str, record: str | None, *, durable: bool = False
    ) -> asyncio.Future[bool]: ...


class Account:
    """The credentials of one account: usually one, more while a secret changes or if two entries disagree."""

    __slots__ = ("answered", "breakers", "saved")

    def __init__(self) -> None:
        self.breakers: dict[str, Breaker] = {}
        self.saved: dict[str, int] = {}  # fingerprint → number of logins in progress, as stored on disk
        self.answered = asyncio.Event()  # replaced each time it is set

    def wake(self) -> None:
        self.answered.set()
        self.answered = asyncio.Event()


class Records:
    """The records of a login guard. `settings_of` returns the settings of an account."""

    def __init__(self, state: Disk, clock: Clock, settings_of: Callable[[str], GuardSettings]) -> None:
        self._state = state
        self._clock = clock
        self._settings_of = settings_of
        self._accounts: dict[str, Account] = {}
        self._unsettled: list[tuple[str, str]] = []
        for (account, fingerprint), record in state.breakers.items():
            self._restore(account, fingerprint, record)

    def find(self, login: Login, secret: Secret) -> tuple[Account, str, Breaker]:
        """Return the account, the fingerprint of the credential and its Breaker.

        Raises Suspended if there are too many.
        """
        account = self._account(login.account)
        content = f"login guard\0{login.account}\0{login.username}\0{secret.reveal()}"
        digest = hmac.digest(self._state.signing_key, content.encode("utf-8", "surrogatepass"), "sha256")
        fingerprint = digest[:16].hex()
        if fingerprint not in account.breakers:
            self._make_room(login.account, account)
            account.breakers[fingerprint] = Breaker(_jitter(fingerprint))
        return account, fingerprint, account.breakers[fingerprint]

    def account_budget_wait(self, name: str, account: Account, breaker: Breaker) -> float:
        """Return the seconds until a new secret may be tried, if other secrets of the account used up a daily limit.

        A source that produces a new secret each time must not bypass the limits.
        """
        if breaker.proven:
            return 0.0
        now, settings = self._clock.now(), self._settings_of(name)
        refused, unsettled = zip(*(each.spent(now) for each in account.breakers.values()), strict=True)
        return max(
            _wait(refused, settings.refusals_per_day, now),
            _wait(unsettled, settings.unsettled_per_day, now),
        )

    def save(self, name: str, fingerprint: str, *, durable: bool = False) -> asyncio.Future[bool]:
        account = self._accounts[name]
        breaker = account.breakers[fingerprint]
        now = self._clock.now()
        if breaker.idle(now, self._settings_of(name)) and not self.is_exception(account, breaker):
            account.saved.pop(fingerprint, None)
            return self._state.save_breaker(name, fingerprint, None)
        account.saved[fingerprint] = breaker.under_way
        record = json.dumps(breaker.freeze(now) | {"saved": self._clock.stamp()})
        return self._state.save_breaker(name, fingerprint, record, durable=durable)

    async def store(self, name: str, fingerprint: str) -> None:
        """As `save`, and on the disk when this returns. Raises Inconclusive where the disk does not take it.

        A password that is sent without this is forgotten by a crash: the next process would send it again.
        """
        saving = self.save(name, fingerprint, durable=True)
        try:
            async with asyncio.timeout(STORE_WITHIN):
                stored = await asyncio.shield(saving)
        except TimeoutError:
            stored = False
        if not stored:
            why = self._state.write_error or f"no answer from the disk in {STORE_WITHIN:.0f} s"
            raise Inconclusive(
                Reason.LOCAL_ERROR,
                f"no password is sent while the login guard cannot write its state file: {why}; "
                "make room on the disk of --storage.path, or look at its permissions",
            )

    def is_exception(self, account: Account, breaker: Breaker) -> bool:
        """Tell whether it must be remembered that this secret is good, because others of the account were not."""
        now = self._clock.now()
        others = (each for each in account.breakers.values() if each is not breaker)
        return breaker.proven and any(any(each.spent(now)) for each in others)

    def flush(self) -> None:
        """Write what changed while the records were read, so that another restart does not repeat it."""
        while self._unsettled:
            name, fingerprint = self._unsettled.pop()
            if fingerprint in self._account(name).breakers:
                self.save(name, fingerprint)
            else:
                self._state.save_breaker(name, fingerprint, None)

    # -- why no login is allowed now ----------------------------------------------------------------------------------

    def paused(self, name: str, breaker: Breaker) -> Suspended:
        """Return the exception that says why and until when logins are paused."""
        now, settings = self._clock.now(), self._settings_of(name)
        left = breaker.resumes_at(now, settings) - now
        advice = Advice.LOGINS_UNSETTLED if breaker.is_unsettled(now, settings) else None
        said_to = Service(breaker.answer_to) if breaker.text and breaker.answer_to in set(Service) else None
        text = breaker.text or "a login was cut off before its answer came"
        return Suspended(_reason(breaker), text, self._clock.wall() + left, said_to, advice)

    def too_many(self, account: Account, wait: float) -> Suspended:
        """Like `paused`, if other secrets of the account have used up the daily limit."""
        last = max(account.breakers.values(), key=lambda each: each.last_at)
        text = (
            "as many logins as a day may have were refused or left open, with different secrets; "
            f"`mailprobe check --force` tries this one; the last answer: {last.text}"
        )
        return Suspended(_reason(last), text, self._clock.wall() + wait)

    # ---------------------------------------------------------------------------------------------------------------

    def _account(self, name: str) -> Account:
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = Account()
        return found

    def _make_room(self, name: str, account: Account) -> None:
        """Limit the remembered secrets: a source that produces new secrets must not get two wrong logins for each."""
        if len(account.breakers) < MAX_SECRETS:
            return
        now = self._clock.now()
        settings = self._settings_of(name)
        quiet_at = {each: breaker.quiet_at(now, settings) for each, breaker in account.breakers.items()}
        for fingerprint, at in quiet_at.items():
            if at <= now:
                del account.breakers[fingerprint]
                account.saved.pop(fingerprint, None)
                self._state.save_breaker(name, fingerprint, None)
        if len(account.breakers) >= MAX_SECRETS:
            raise self.too_many(account, min(quiet_at.values()) - now)

    def _restore(self, name: str, fingerprint: str, text: str) -> None:
        try:
            record = json.loads(text)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            record = DAMAGED
        age = self._clock.since(record.get("saved"))
        if age > FORGET_AFTER:
            self._unsettled.append((name, fingerprint))
            return
        now, settings, jitter = self._clock.now(), self._settings_of(name), _jitter(fingerprint)
        try:
            breaker = Breaker.thaw(record, now, age, settings, jitter)
        except (ValueError, TypeError, OverflowError):
            record = DAMAGED
            breaker = Breaker.thaw(record, now, 0.0, settings, jitter)
        if record is DAMAGED:
            logger.error("the login guard's record of %s is damaged: it counts as one refused login", name)
        account = self._account(name)
        account.breakers[fingerprint] = breaker
        account.saved[fingerprint] = 0
        if record.get("under_way"):
            self._unsettled.append((name, fingerprint))


def _wait(spent: Iterable[Iterable[float]], limit: int, now: float) -> float:
    """Return the seconds until fewer than `limit` of these times are within the last DAY."""
    times = sorted(at for each in spent for at in each)
    return 0.0 if len(times) < limit else max(0.0, times[-limit] + DAY - now)


def _reason(breaker: Breaker) -> Reason:
    """Return why it is paused. Without an answer (the daemon was killed before it came) the reason is unknown."""
    try:
        return Reason(breaker.reason)
    except ValueError:
        return Reason.AMBIGUOUS_LOGIN_REFUSED


def _jitter(fingerprint: str) -> float:
    """Return a value from 0 to 1 from the fingerprint: different between accounts, constant for each."""
    return int(fingerprint[:8], 16) / 0xFFFFFFFF
