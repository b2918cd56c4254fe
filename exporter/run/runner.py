"""Executes one run of one target: applies the deadline, catches every exception, and builds the Result.

Step "run" of the flow: targets → run → probe → Result. In: a Target. Out: always a Result; only a cancellation from
outside is passed on. This is the only place that catches the exceptions of probes.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from exporter.diagnosis.diagnose import diagnose, outcome_of
from exporter.model import Failure, Outcome, Phase, ProbeName, Result, Target
from exporter.model.errors import Inconclusive, NoAnswer, Refusal, ServerClosed, Suspended
from exporter.model.logger import logger_of
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.probes import PROBES, Probe
from exporter.probes.context import Context
from exporter.run.wrong_server import with_right_server

logger = logger_of(__name__)


class Runner:
    """Runs probes with a Context. `run` always returns a Result; only a cancellation from outside is passed on."""

    def __init__(self, context: Context, probes: Mapping[ProbeName, Probe] = PROBES) -> None:
        self._context = context
        self._probes = probes

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        probe_id = secrets.token_hex(6)
        started = self._context.now()
        trace = Trace(on_progress, target.timeout)
        outcome = Outcome.OK
        failure: Failure | None = None
        next_attempt = 0.0
        try:
            async with asyncio.timeout(target.deadline):
                await self._probes[target.probe](target.settings, self._context, trace)
        except Exception as exc:
            failure = _diagnosed(exc, target, trace)
            if failure.rule == "deadline" and failure.phase is Phase.GREETING:
                failure = _silence(failure, trace.silence)
            if isinstance(exc, Suspended):
                outcome = Outcome.FAILED  # the refusal that paused the logins still applies, whatever its layer
                next_attempt = exc.next_attempt
            elif isinstance(exc, Inconclusive):
                outcome = Outcome.INCONCLUSIVE
            else:
                outcome = outcome_of(failure)
            if failure.reason is Reason.BUG:
                # A traceback names files, lines and the exception, but contains no local variables.
                logger.exception("bug in probe %s of %s, run %s", target.probe, target.name, probe_id)
        duration = time.perf_counter() - trace.started
        if failure is not None:
            failure = await with_right_server(target, failure, self._context.resolver, trace)
        return Result(
            target=target,
            probe_id=probe_id,
            started=started,
            duration=duration,
            outcome=outcome,
            phases=trace.phases,
            facts=tuple(trace.facts),
            failure=failure,
            transcript=trace.lines,
            login_attempted=trace.login.attempted,
            login_refused=trace.login.refused,
            login_suspended=next_attempt > 0.0,
            login_next_attempt=next_attempt,
        )


def _diagnosed(exc: Exception, target: Target, trace: Trace) -> Failure:
    """Return why the run failed. The login guard has already diagnosed the answer to a login."""
    if isinstance(exc, Refusal | ServerClosed) and exc.failure is not None:
        return exc.failure
    if isinstance(exc, TimeoutError) and trace.asides:
        exc = NoAnswer("\n".join(trace.asides))
    spoke = exc.protocol if isinstance(exc, Refusal) else None
    return diagnose(exc, trace.failed_phase, families=target.families_of(spoke), greeting=trace.greeting(spoke))


def _silence(failure: Failure, why: str | Exception) -> Failure:
    """Return the failure of a server that has not greeted, with what is known or guessed about its silence."""
    if isinstance(why, Exception):
        return diagnose(why, failure.phase)
    return replace(failure, text=why) if why else failure
