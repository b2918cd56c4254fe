"""Notices that the wall clock of this machine was set, and decides which failures that explains.

In: readings of three clocks, and what earlier runs saw of a server's certificate. Out: a remark for the transcript, or
"". Everything except `read_clocks` is pure. No other server is needed, so this works with a single domain, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from exporter.model import FactName, Outcome, Result
from exporter.model.durations import in_words
from exporter.model.logger import logger_of
from exporter.model.reasons import Reason

logger = logger_of(__name__)

JUMP = 10.0  # seconds: less than this is a correction that changes no verdict
HOUR = 3600.0  # seconds after a jump during which certificates and tokens that are out of date say nothing
MAIL = 900.0  # the same for the age of a mail
DAY = 86400.0  # seconds for which it is remembered that a certificate was valid

OUT_OF_DATE = {
    **dict.fromkeys((Reason.CERTIFICATE_EXPIRED, Reason.CERTIFICATE_NOT_YET_VALID), HOUR),
    **dict.fromkeys((Reason.OAUTH_TOKEN_EXPIRED, Reason.OAUTH_TOKEN_REJECTED), HOUR),
    **dict.fromkeys((Reason.MESSAGE_LATE, Reason.MESSAGE_LOST), MAIL),
}
"""The reasons that compare a time with our wall clock, and for how many seconds after a jump they say nothing."""

_OF_CERTIFICATES = frozenset({Reason.CERTIFICATE_EXPIRED, Reason.CERTIFICATE_NOT_YET_VALID})


class Clocks(NamedTuple):
    """Three clocks at one time, in seconds."""

    wall: float  # Unix time; can be set
    monotonic: float  # cannot be set, stands still while the machine sleeps
    boot: float | None  # cannot be set and does not stand still; None where there is no such clock


class Jump(NamedTuple):
    """The wall clock was set."""

    at: float  # `Clocks.monotonic` when it was noticed
    seconds: float  # positive: forward

    def told(self, now: float) -> str:
        """Return one sentence. `now` is `Clocks.monotonic`."""
        way = "forward" if self.seconds > 0 else "back"
        return (
            f"the clock of this machine was set {way} by {in_words(abs(self.seconds))}, {in_words(now - self.at)} ago"
        )


class Valid(NamedTuple):
    """A server's certificate was valid."""

    at: float  # `Clocks.monotonic`
    fingerprint: str  # "" if the run did not read it


def read_clocks() -> Clocks:
    """Read the three clocks."""
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else None
    return Clocks(time.time(), time.monotonic(), boot)


def jump_between(before: Clocks, now: Clocks) -> float:
    """Return by how many seconds the wall clock was set between two readings; 0 for less than JUMP.

    The boot clock also counts while the machine sleeps. Without one, a clock that went forward may only mean that the
    machine has slept, so that only the way back is a jump.
    """
    passed = now.monotonic - before.monotonic
    if before.boot is not None and now.boot is not None:
        passed = max(passed, now.boot - before.boot)
    seconds = now.wall - before.wall - passed
    sleep = seconds > 0 and (before.boot is None or now.boot is None)
    return 0.0 if abs(seconds) < JUMP or sleep else seconds


def valid_in(result: Result, now: float) -> Valid | None:
    """Return that a run saw a valid certificate; None if it saw none."""
    if result.fact(FactName.TLS_VERSION) is None or (result.failure and result.failure.reason in _OF_CERTIFICATES):
        return None
    return Valid(now, _fingerprint(result))


def clock_fault(result: Result, last: Jump | None, valid: Valid | None, now: float) -> str:
    """Return why a failure says that our clock is wrong, or "".

    `last` is the last jump, `valid` what was seen of this server's certificate, `now` is `Clocks.monotonic`.
    """
    reason = result.failure.reason if result.failure is not None else None
    if reason not in OUT_OF_DATE or result.outcome is not Outcome.FAILED or result.login_suspended:
        return ""  # a pause goes on for a refusal of before
    if last is not None and now - last.at <= OUT_OF_DATE[reason]:
        return last.told(now)
    # A certificate does not become "not yet valid": either the clock went back, or this is another certificate.
    if reason is Reason.CERTIFICATE_NOT_YET_VALID and valid is not None and now - valid.at <= DAY:
        if is_another(result, valid):
            return ""
        return f"the certificate that is not valid yet was valid {in_words(now - valid.at)} ago: this machine's clock"
    return ""


def is_another(result: Result, valid: Valid) -> bool:
    """Tell whether a run has read another certificate than the one that was valid."""
    found = _fingerprint(result)
    return bool(found and valid.fingerprint) and found != valid.fingerprint


class OwnClock:
    """Watches the wall clock, and remembers the servers whose certificates were valid."""

    def __init__(self, read: Callable[[], Clocks] = read_clocks) -> None:
        self._read = read
        self._before = read()
        self._valid: dict[str, Valid] = {}
        self.last: Jump | None = None

    def look(self) -> float:
        """Compare the clocks with the last look. Returns `Clocks.monotonic`."""
        now = self._read()
        seconds = jump_between(self._before, now)
        self._before = now
        if seconds:
            self.last = Jump(now.monotonic, seconds)
            logger.warning("the clock of this machine was set", seconds=round(seconds, 1))
        return now.monotonic

    def keep(self, servers: set[str]) -> None:
        """Forget all other servers."""
        self._valid = {server: each for server, each in self._valid.items() if server in servers}

    def judge(self, result: Result) -> str:
        """Return why a failure says that our clock is wrong, or "". Remembers valid certificates."""
        now = self.look()
        server = result.target.servers[0] if len(result.target.servers) == 1 else ""
        known = self._valid.get(server)
        seen = valid_in(result, now)
        if server and seen is not None:
            # A login does not read the certificate: it is still the one that the last tls probe has read.
            self._valid[server] = seen if seen.fingerprint or known is None else known._replace(at=now)
        elif known is not None and is_another(result, known):
            del self._valid[server]  # the server has a new one: what was valid before says nothing about it
            known = None
        return clock_fault(result, self.last, known, now)


def _fingerprint(result: Result) -> str:
    found = result.fact(FactName.CERT_FINGERPRINT)
    return found if isinstance(found, str) else ""
