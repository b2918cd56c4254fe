"""When a credential may be tried again: the login guard's decisions, with the time passed in and no I/O.

Times are seconds of a clock that never jumps (the guard uses CLOCK_BOOTTIME). Nothing here knows the calendar.
"""

from __future__ import annotations

from enum import Enum, auto

from exporter.model.settings import GuardSettings

DAY = 86400.0
LIMITED_PAUSE = 300.0  # after the first "slow down"; doubles, but looks again at least every `first_pause`
MAX_COUNT = 1000  # of anything in a record; more is damage
JITTER = 0.1  # a pause is up to this much longer, so that forty accounts of one server do not come back at once


class Verdict(Enum):
    """May a password be sent now?"""

    GO = auto()
    WAIT = auto()  # for the answer to a login that is under way
    PAUSED = auto()


class Answer(Enum):
    """What came of a login."""

    ACCEPTED = auto()
    REFUSED = auto()  # also what may have been: an ambiguous answer counts
    LIMITED = auto()  # "slow down": a pause, but nothing against the password
    UNDECIDED = auto()  # the server could not check it
    MISSING = auto()  # no answer: the connection broke, or the deadline struck
    UNSENT = auto()  # the password was not sent after all


class Breaker:
    """One credential: an account with one user name and one secret.

    What it promises: in any DAY the answer REFUSED is given at most `refusals_per_day` times, and at most `failures`
    times in a row without a pause. So many logins are let out at once that even if all of them are refused, both hold.
    Outside the promise are a forced login, and what was answered while the credential was trusted and is forgotten by a
    kill: because it was under way then, or because the disk did not take the answer.
    """

    __slots__ = (
        "answer_to",
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
    )

    def __init__(self, jitter: float = 0.0) -> None:
        self.jitter = jitter  # 0 to 1, fixed per credential
        self.refused: tuple[float, ...] = ()  # times of the refusals of the last DAY, oldest first
        self.consecutive = 0  # refusals since the last acceptance
        self.limited = 0  # "slow down" answers in a row
        self.paused_until = 0.0
        self.reason = ""  # of the last answer that was not an acceptance
        self.text = ""
        self.answer_to = ""  # the protocol whose server said it
        self.under_way = 0
        self.trusted = False  # the last answer that this process saw was ACCEPTED
        self.proven = False  # the last answer that anybody saw was

    def resumes_at(self, now: float, settings: GuardSettings) -> float:
        """When the next login is allowed; `now` where it is."""
        at = self.paused_until
        recent = self._recent(now)
        if len(recent) >= settings.refusals_per_day:
            at = max(at, recent[-settings.refusals_per_day] + DAY)
        return max(at, now)

    def ask(self, now: float, settings: GuardSettings, *, forced: bool = False) -> Verdict:
        if not forced and self.resumes_at(now, settings) > now:
            return Verdict.WAIT if self.under_way else Verdict.PAUSED  # an acceptance would end the pause
        return Verdict.GO if self.under_way < self._room(now, settings) else Verdict.WAIT

    def begin(self) -> None:
        """A password is about to be sent."""
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
    ) -> None:
        """It was answered, or never will be. `answer_to` is the protocol of the server that said `text`."""
        self.under_way = max(0, self.under_way - 1)
        if answer is Answer.ACCEPTED:
            self.trusted = self.proven = True
            self.consecutive = self.limited = 0
            self.paused_until = 0.0
            return
        if answer is Answer.UNSENT:
            return
        if answer is Answer.MISSING:
            # A server that hangs up on, or tarpits, a password that it has refused before must not be asked each beat.
            if self.consecutive >= settings.failures:
                self._pause(now, self._length(settings), settings)
            return
        self.trusted = False
        self.reason, self.text, self.answer_to = reason, text, answer_to
        if answer is Answer.LIMITED:
            self.limited += 1
            length = min(LIMITED_PAUSE * 2.0 ** min(self.limited - 1, 30), settings.first_pause)
            self._pause(now, length, settings)
        elif answer is Answer.REFUSED:
            self._refuse(now, settings)

    def idle(self, now: float, settings: GuardSettings) -> bool:
        """Nothing has to be remembered about it."""
        return not (
            self.under_way
            or self.consecutive
            or self.limited
            or self._recent(now)
            or self.resumes_at(now, settings) > now
        )

    def quiet_at(self, now: float, settings: GuardSettings) -> float:
        """When its refusals are a day old and it is not paused: forgetting it then breaks no promise."""
        at = self.resumes_at(now, settings)
        if self.refused:
            at = max(at, self.refused[-1] + DAY)
        return at if not self.under_way else at + DAY

    # -- across restarts: ages and remainders, which any clock can be added to ------------------------------------

    def freeze(self, now: float) -> dict[str, object]:
        return {
            "refused": [now - at for at in self._recent(now)],
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
        """What was frozen `age` seconds ago.

        A login that was under way then got an answer that nobody heard: it counts as refused, as of now.
        """
        breaker = cls(jitter)
        frozen_at = now - age
        ages = record.get("refused", [])
        if isinstance(ages, list):
            breaker.refused = tuple(sorted(frozen_at - max(0.0, float(each)) for each in ages))
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

    def spent(self, now: float) -> tuple[float, ...]:
        """When refusals of the last DAY came, oldest first; what is under way untried may become one now."""
        return (*self._recent(now), *([] if self.proven else [now] * self.under_way))

    def _recent(self, now: float) -> tuple[float, ...]:
        return tuple(at for at in self.refused if at > now - DAY)

    def _room(self, now: float, settings: GuardSettings) -> int:
        if not self.trusted:
            return 1
        return max(1, min(settings.failures, settings.refusals_per_day - len(self._recent(now))))

    def _refuse(self, now: float, settings: GuardSettings) -> None:
        self.limited = 0
        self.proven = False
        self.consecutive += 1
        self.refused = (*self._recent(now), now)
        if self.consecutive >= settings.failures:
            self._pause(now, self._length(settings), settings)

    def _length(self, settings: GuardSettings) -> float:
        return settings.first_pause * 2.0 ** min(self.consecutive - settings.failures, 30)

    def _pause(self, now: float, length: float, settings: GuardSettings, *, jitter: bool = True) -> None:
        if jitter:
            length *= 1.0 + JITTER * self.jitter
        self.paused_until = max(self.paused_until, now + min(length, settings.longest_pause))


def _whole(value: object) -> int:
    return min(max(0, value), MAX_COUNT) if isinstance(value, int) else 0
