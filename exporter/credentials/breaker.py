"""The circuit breaker of one credential: decides when it may be tried again. No I/O; the time is passed in.

Times are seconds of a clock that never jumps (the login guard uses CLOCK_BOOTTIME), not dates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum, auto

from exporter.credentials.answers import Answer
from exporter.model.settings import GuardSettings

DAY = 86400.0
LIMITED_PAUSE = 300.0  # after the first "slow down"; doubles, but a login is tried at least every `first_pause`
MAX_COUNT = 1000  # of anything in a record; more is damage
JITTER = 0.1  # a pause is up to this fraction longer, so that many accounts on one server do not all resume at once


class Verdict(Enum):
    """The answer to the question: may a password be sent now?"""

    GO = auto()
    WAIT = auto()  # wait for the answer to a login in progress
    PAUSED = auto()


class Breaker:
    """One credential: an account with one user name and one secret.

    It guarantees: within any DAY there are at most `refusals_per_day` REFUSED answers, and at most `failures` in a row
    without a pause. Answers that leave open whether the password is right (UNSETTLED and MISSING) have a bound of
    their own, `unsettled_per_day`. It allows only so many logins at once that these limits hold even if all end in the
    same way. These are not covered: a forced login, and an answer to a login of a confirmed credential that a kill
    makes us forget, because the login was in progress or because the disk did not take the answer.
    """

    __slots__ = (
        "answer_to",
        "confirmed",
        "consecutive",
        "jitter",
        "limited",
        "paused_until",
        "proven",
        "reason",
        "refused",
        "text",
        "trusted",
        "under_way",
        "unsettled",
    )

    def __init__(self, jitter: float = 0.0) -> None:
        self.jitter = jitter  # 0 to 1, constant for each credential
        self.refused: tuple[float, ...] = ()  # times of the refusals within the last DAY, oldest first
        self.unsettled: tuple[float, ...] = ()  # times of UNSETTLED and MISSING within the last DAY, oldest first
        self.consecutive = 0  # refusals since the last acceptance
        self.limited = 0  # "slow down" answers in a row
        self.paused_until = 0.0
        self.reason = ""  # of the last answer other than ACCEPTED
        self.text = ""
        self.answer_to = ""  # the protocol of the server that gave the answer
        self.under_way = 0
        self.trusted = False  # the last answer in this process was ACCEPTED; a login without an answer changes nothing
        self.confirmed = False  # the last login in this process was ACCEPTED: the next may be made before it is stored
        self.proven = False  # the last answer in any process was ACCEPTED

    def resumes_at(self, now: float, settings: GuardSettings) -> float:
        """Return when the next login is allowed; `now` if it is allowed already."""
        at = max(self.paused_until, now)
        for times, most in ((self.refused, settings.refusals_per_day), (self.unsettled, settings.unsettled_per_day)):
            recent = _recent(times, now)
            if len(recent) >= most:
                at = max(at, recent[-most] + DAY)
        return at

    def is_unsettled(self, now: float, settings: GuardSettings) -> bool:
        """Tell whether unsettled answers are the cause of a pause, and not refusals or "slow down"."""
        refused = self.consecutive >= settings.failures or len(_recent(self.refused, now)) >= settings.refusals_per_day
        enough = settings.unsettled_per_day if self.limited else settings.unsettled_per_day // 2
        return not refused and len(self.unsettled) >= enough  # as many as there were when the last one came

    def ask(self, now: float, settings: GuardSettings, *, forced: bool = False) -> Verdict:
        if not forced and self.resumes_at(now, settings) > now:
            # if the login in progress is accepted, the pause ends
            return Verdict.WAIT if self.under_way else Verdict.PAUSED
        return Verdict.GO if self.under_way < self._room(now, settings) else Verdict.WAIT

    def begin(self) -> None:
        """Call before a password is sent."""
        self.under_way += 1

    def end(
        self,
        answer: Answer,
        now: float,
        settings: GuardSettings,
        reason: str = "",
        text: str = "",
        *,
        answer_to: str = "",
        slow: bool = False,
    ) -> None:
        """Record the answer, or that none will come. `answer_to` is the protocol of the server that sent `text`.

        `slow`: the server says "slow down". Logins pause for some minutes, in addition to how the answer is counted.
        """
        self.under_way = max(0, self.under_way - 1)
        if answer is Answer.ACCEPTED:
            self.trusted = self.confirmed = self.proven = True
            self.consecutive = self.limited = 0
            self.paused_until = 0.0
            return
        if answer is Answer.UNSENT:
            return
        self.confirmed = False
        if answer is not Answer.MISSING:
            self.trusted = False
        if answer is not Answer.MISSING or not self.consecutive:  # silence does not replace the words of a refusal
            self.reason, self.text, self.answer_to = reason, text, answer_to
        if answer is Answer.REFUSED:
            self._refuse(now, settings)
        else:
            self._leave_open(now, settings)
        if slow:
            self.limited += 1
            length = min(LIMITED_PAUSE * 2.0 ** min(self.limited - 1, 30), settings.first_pause)
            self._pause(now, length, settings)
        elif answer is Answer.REFUSED:
            self.limited = 0

    def idle(self, now: float, settings: GuardSettings) -> bool:
        """Tell whether nothing has to be remembered."""
        return not (
            self.under_way
            or self.consecutive
            or self.limited
            or _recent(self.refused, now)
            or _recent(self.unsettled, now)
            or self.resumes_at(now, settings) > now
        )

    def quiet_at(self, now: float, settings: GuardSettings) -> float:
        """Return when what it counts is older than a day and it is not paused: it can then be forgotten safely."""
        at = max(self.resumes_at(now, settings), self.last_at + DAY)
        return at if not self.under_way else at + DAY

    @property
    def last_at(self) -> float:
        """The time of the last answer that was not ACCEPTED; minus infinity if none is remembered."""
        return max((*self.refused[-1:], *self.unsettled[-1:]), default=-math.inf)

    # -- across restarts: stored as ages and remaining times, which can be added to any clock ---------------------

    def freeze(self, now: float) -> dict[str, object]:
        return {
            "refused": [now - at for at in _recent(self.refused, now)],
            "unsettled": [now - at for at in self.unsettled],
            "consecutive": self.consecutive,
            "limited": self.limited,
            "pause_left": max(0.0, self.paused_until - now),
            "under_way": self.under_way,
            "proven": self.proven,
            "reason": self.reason,
            "text": self.text,
            "answer_to": self.answer_to,
        }

    @classmethod
    def thaw(
        cls, record: dict[str, object], now: float, age: float, settings: GuardSettings, jitter: float = 0.0
    ) -> Breaker:
        """Restore what was stored `age` seconds ago.

        A login that was in progress got an answer that nobody saw, so it counts as refused now.
        """
        breaker = cls(jitter)
        frozen_at = now - age
        breaker.refused = _thawed(record.get("refused"), frozen_at)
        breaker.unsettled = _thawed(record.get("unsettled"), frozen_at)  # missing in records of older versions
        breaker.consecutive = _whole(record.get("consecutive"))
        breaker.limited = _whole(record.get("limited"))
        breaker.proven = record.get("proven") is True
        breaker.reason = str(record.get("reason", ""))
        breaker.text = str(record.get("text", ""))
        breaker.answer_to = str(record.get("answer_to", ""))
        left = record.get("pause_left")
        if isinstance(left, int | float) and left > 0:
            breaker._pause(frozen_at, float(left), settings, jitter=False)
        for _ in range(_whole(record.get("under_way"))):
            breaker._refuse(now, settings)
        return breaker

    # ---------------------------------------------------------------------------------------------------------------

    def spent(self, now: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return the times of refusals and of unsettled answers within the last DAY, oldest first.

        A login in progress may become either of them.
        """
        open_now = () if self.proven else (now,) * self.under_way
        return (*_recent(self.refused, now), *open_now), (*_recent(self.unsettled, now), *open_now)

    def _room(self, now: float, settings: GuardSettings) -> int:
        if not self.trusted:
            return 1
        left = settings.refusals_per_day - len(_recent(self.refused, now))
        left_open = settings.unsettled_per_day - len(_recent(self.unsettled, now))
        return max(1, min(settings.failures, left, left_open))

    def _refuse(self, now: float, settings: GuardSettings) -> None:
        self.proven = False
        self.consecutive += 1
        self.refused = (*_recent(self.refused, now), now)
        if self.consecutive >= settings.failures:
            self._pause(now, self._length(settings), settings)

    def _leave_open(self, now: float, settings: GuardSettings) -> None:
        self.unsettled = (*_recent(self.unsettled, now), now)
        free = settings.unsettled_per_day // 2
        if self.consecutive >= settings.failures:
            # Some servers close or delay the connection after a password that they refused before. They must not be
            # asked in every run.
            self._pause(now, self._length(settings), settings)
        elif len(self.unsettled) >= free:
            # The second half is spread over the day. Otherwise an outage of an hour would use up all logins of the
            # day, and nobody would see that the server works again.
            self._pause(now, DAY / (settings.unsettled_per_day - free), settings)

    def _length(self, settings: GuardSettings) -> float:
        return settings.first_pause * 2.0 ** min(self.consecutive - settings.failures, 30)

    def _pause(self, now: float, length: float, settings: GuardSettings, *, jitter: bool = True) -> None:
        if jitter:
            length *= 1.0 + JITTER * self.jitter
        self.paused_until = max(self.paused_until, now + min(length, settings.longest_pause))


def _recent(times: Iterable[float], now: float) -> tuple[float, ...]:
    """Return those times that are within the last DAY."""
    return tuple(at for at in times if at > now - DAY)


def _thawed(ages: object, frozen_at: float) -> tuple[float, ...]:
    if not isinstance(ages, list):
        return ()
    return tuple(sorted(frozen_at - max(0.0, float(each)) for each in ages[-MAX_COUNT:]))


def _whole(value: object) -> int:
    return min(max(0, value), MAX_COUNT) if isinstance(value, int) else 0
