"""Checks after a failure whether the fault is our own: the network, the clock, or a blocked port.

In: a Result that failed. Out: the same Result, or an inconclusive one if the fault is ours. The network counts as up as
long as the configured references answer; ports are judged by recent results of several servers, the clock by them, by
its jumps (`own_clock`), and by what was seen of a certificate.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from exporter.model import Endpoint, Line, Outcome, Phase, ProbeName, Result, Security, Service, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import DnsFailure, ProbeError
from exporter.model.logger import logger_of
from exporter.model.reasons import Layer, Reason, about
from exporter.model.servers import host_and_port
from exporter.model.settings import Reference, VantageSettings
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.run.local_faults import UNREACHED, Seen, blocked_ports, clock_reasons, seen_in
from exporter.run.own_clock import OwnClock

logger = logger_of(__name__)

DEADLINE = 3.0  # seconds for all references together
REUSED = 10.0  # seconds for which a check of the references is reused
FRESH = 1.0  # maximum age in seconds of a check that found us online, for the first failure of a target
EVERY = 15.0  # seconds between two regular checks
REVIEW = 1.0  # seconds for which a combined evaluation of results is reused

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class ReferenceCheck:
    """The result of checking the references."""

    began: float  # `time.monotonic()`
    silent: tuple[str, ...]  # for each reference that did not answer: why
    of: int
    up: bool

    @property
    def answering(self) -> int:
        return self.of - len(self.silent)


def may_be_ours(result: Result) -> bool:
    """Tell whether our own network could have caused a failure."""
    if result.failure is None or result.login_suspended:
        return False
    reason = result.failure.reason
    return reason is Reason.LOCAL_ERROR or about(reason).layer in (Layer.DNS, Layer.TRANSPORT)


# -- checks of the references ---------------------------------------------------------------------------------------


class _CannotLookError(Exception):
    """We have no free file descriptors or ports, which says nothing about the network."""


async def check_references(settings: VantageSettings, resolver: Resolver, contexts: TlsContexts) -> ReferenceCheck:
    """Query all references at the same time."""
    began = time.monotonic()
    try:
        answers = await asyncio.gather(*(_ask(each, resolver, contexts) for each in settings.references))
    except _CannotLookError:
        return ReferenceCheck(began, (), len(settings.references), up=True)
    silent = tuple(answer for answer in answers if answer)
    return ReferenceCheck(
        began, silent, len(answers), up=len(answers) - len(silent) >= min(settings.quorum, len(answers))
    )


async def _ask(reference: Reference, resolver: Resolver, contexts: TlsContexts) -> str:
    """Return why a reference does not answer, or ""."""
    try:
        async with asyncio.timeout(DEADLINE):
            if not reference.port:
                answer = await resolver.lookup(reference.host, "A")
                return "" if answer.definite else f"{reference.name}: {answer.text or answer.kind}"
            endpoint = Endpoint(reference.host, reference.port, Security.PLAIN, Service.HTTPS)
            wire = await dial(endpoint, resolver, contexts, Trace())
            wire.abort()
            return ""
    except TimeoutError:
        return f"{reference.name}: no answer in {DEADLINE:.0f} s"
    except OSError as exc:
        if exc.errno in _EXHAUSTED:
            raise _CannotLookError from exc
        return f"{reference.name}: {exc.strerror or exc}"
    except (DnsFailure, ProbeError) as exc:
        return f"{reference.name}: {exc.text}"


class Vantage:
    """Judges failures, and checks the references regularly."""

    def __init__(
        self,
        settings: VantageSettings,
        resolver: Resolver,
        contexts: TlsContexts,
        *,
        told: Callable[[bool], None] | None = None,
        skipped: Callable[[ProbeName, str], None] | None = None,
        now: Callable[[], float] = time.monotonic,
        clock: OwnClock | None = None,
    ) -> None:
        self.settings = settings
        self.last: ReferenceCheck | None = None
        self._resolver = resolver
        self._contexts = contexts
        self._told = told or (lambda _: None)
        self._skipped = skipped or (lambda _, __: None)
        self._now = now
        self._own_clock = clock or OwnClock()
        self._flight: asyncio.Task[ReferenceCheck] | None = None
        self._seen: dict[str, Seen] = {}
        self._failing: set[tuple[str, ProbeName]] = set()  # targets whose last conclusive run failed
        self._reviewed = float("-inf")  # `time.monotonic()`
        self._blocked: frozenset[int] = frozenset()
        self._clock: frozenset[Reason] = frozenset()

    @property
    def up(self) -> bool:
        """The network state at the last check; True without references or before the first check."""
        return self.last is None or self.last.up

    def answering(self) -> tuple[int, int] | None:
        """Return (references that answered last, number of references), or None without references."""
        if not self.settings.references:
            return None
        of = len(self.settings.references)
        return (of if self.last is None else self.last.answering), of

    def network(self, resolver: Resolver, contexts: TlsContexts) -> None:
        """Use this resolver and these TLS contexts from now on."""
        self._resolver, self._contexts = resolver, contexts

    def load(self, config: EffectiveConfig) -> None:
        """Set the references of a new configuration, and forget targets and servers that are no longer in it."""
        if config.vantage != self.settings:
            self.settings, self.last = config.vantage, None
            self._told(True)
        servers = {server for target in config.targets for server in target.servers}
        self._seen = {server: each for server, each in self._seen.items() if server in servers}
        self._own_clock.keep(servers)
        self._failing.intersection_update(config.keys)

    async def watch(self) -> None:
        """Check the references and our own clock regularly, forever."""
        while True:
            self._own_clock.look()
            if self.settings.references:
                await self._look(0.0)
            await asyncio.sleep(EVERY)

    async def aclose(self) -> None:
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait([self._flight])

    async def judge(self, result: Result) -> Result:
        """Return the result, or an inconclusive one with the same text if the fault is on our side."""
        now, key = self._now(), result.target.key
        seen = seen_in(result, now)
        if seen is not None:
            self._seen[result.target.servers[0]] = seen
        if remark := self._own_clock.judge(result):
            return _inconclusive(result, Reason.CLOCK_WRONG, remark)
        if may_be_ours(result):
            blame = await self._blame(result, fresh=key not in self._failing)
            if blame is not None:
                return _inconclusive(result, *blame)
        if result.outcome is Outcome.OK:
            self._failing.discard(key)
        elif result.outcome is Outcome.FAILED:
            self._failing.add(key)
        return result

    async def _blame(self, result: Result, *, fresh: bool) -> tuple[Reason, str] | None:
        """Return what is wrong on our side, with a remark, or None."""
        if self.settings.references:
            found = await self._look(FRESH if fresh and self.up else REUSED)
            if not found.up:
                self._skipped(result.target.probe, "vantage_offline")
                silent = "; ".join(found.silent)
                return Reason.VANTAGE_OFFLINE, f"{found.answering} of {found.of} references answer: {silent}"
        self._review()
        failure = result.failure
        if failure is None:
            return None
        if failure.reason in self._clock:
            return Reason.CLOCK_WRONG, f"unrelated servers show {failure.reason} at once"
        if failure.phase is Phase.CONNECT and failure.reason in UNREACHED:
            for server in result.target.servers:
                port = host_and_port(server)[1]
                if port in self._blocked:
                    return Reason.PORT_BLOCKED, f"port {port} fails to every host, other ports answer"
        return None

    def _review(self) -> None:
        """Evaluate recent results of all servers together. Reused for a while, because thousands may fail at once."""
        now = self._now()
        if now - self._reviewed >= REVIEW:
            self._reviewed = now
            self._blocked = blocked_ports(self._seen, now)
            self._clock = clock_reasons(self._seen, now)

    async def _look(self, age: float) -> ReferenceCheck:
        """Return a check that is at most `age` seconds old."""
        if self.last is not None and self._now() - self.last.began < age:
            return self.last
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._ask_all(), name="vantage")
        return await asyncio.shield(self._flight)

    async def _ask_all(self) -> ReferenceCheck:
        settings = self.settings
        found = await check_references(settings, self._resolver, self._contexts)
        if settings == self.settings:  # not changed by a reload in the meantime
            self.last = found
            self._told(found.up)
        return found


class Runs(Protocol):
    """The part of `Runner` that is needed here."""

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result: ...


class VantageRunner:
    """A runner whose failures are judged by Vantage before they are reported."""

    def __init__(self, runner: Runs, vantage: Vantage) -> None:
        self._runner = runner
        self._vantage = vantage

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        result = await self._runner.run(target, on_progress=on_progress)
        try:
            return await self._vantage.judge(result)
        except Exception:
            logger.exception("bug: a result of %s %s could not be judged", target.probe, target.name)
            return result


def _inconclusive(result: Result, reason: Reason, remark: str) -> Result:
    failure = result.failure
    if failure is None:
        return result
    return replace(
        result,
        outcome=Outcome.INCONCLUSIVE,
        failure=replace(failure, reason=reason, rule=f"vantage:{failure.reason}"),
        transcript=(*result.transcript, Line(result.duration, "#", remark)),
    )
