"""One run of one target: clock, deadline, catch, diagnosis. Nowhere else."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from exporter.diagnosis import diagnose, outcome_of
from exporter.errors import Inconclusive, Suspended
from exporter.model import Failure, Outcome, Phase, ProbeName, Result, Target
from exporter.probes import PROBES, Probe
from exporter.reasons import Reason
from exporter.trace import Trace
from exporter.world import World

log = logging.getLogger(__name__)


class Runner:
    """Runs probes against a world. `run` returns a Result whatever happens; only a cancellation from outside passes."""

    def __init__(self, world: World, probes: Mapping[ProbeName, Probe] = PROBES) -> None:
        self._world = world
        self._probes = probes

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        probe_id = secrets.token_hex(6)
        started = self._world.now()
        trace = Trace(on_progress)
        outcome = Outcome.OK
        failure: Failure | None = None
        next_attempt = 0.0
        try:
            async with asyncio.timeout(target.deadline):
                await self._probes[target.probe](target.settings, self._world, trace)
        except Exception as exc:
            failure = diagnose(exc, trace.failed_phase)
            if failure.rule == "deadline" and failure.phase is Phase.GREETING and trace.silence:
                failure = replace(failure, text=trace.silence)
            if isinstance(exc, Suspended):
                outcome = Outcome.FAILED  # the verdict that paused it stands, whatever its layer
                next_attempt = exc.next_attempt
            elif isinstance(exc, Inconclusive):
                outcome = Outcome.INCONCLUSIVE
            else:
                outcome = outcome_of(failure)
            if failure.reason is Reason.BUG:
                # A traceback names files, lines and the exception; it holds no local variables.
                log.exception("bug in probe %s of %s, run %s", target.probe, target.name, probe_id)
        return Result(
            target=target,
            probe_id=probe_id,
            started=started,
            duration=time.perf_counter() - trace.started,
            outcome=outcome,
            phases=trace.phases,
            facts=tuple(trace.facts),
            failure=failure,
            transcript=trace.lines,
            login_attempted=trace.attempted,
            login_refused=trace.refused,
            login_suspended=next_attempt > 0.0,
            login_next_attempt=next_attempt,
        )
