"""Runs probes on request: for the daemon, and for `mailprobe check` without a daemon.

A Prober holds the state folder (locked, so that no second process logs in), the login guard, the access tokens, the
network, and the check whether a failure is our own. It must be closed, otherwise the folder stays locked.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exporter.config import Config
from exporter.credentials.guard import LoginGuard
from exporter.daemon.loading import logins_of, make_context, stored_tokens
from exporter.model import Phase, ProbeName, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.run.runner import Runner
from exporter.run.vantage import Vantage, VantageRunner
from exporter.state.store import State
from exporter.targets.provider_watch import Discovery


class Prober:
    """Runs the probe of a target when it is asked to. The scheduler decides when."""

    def __init__(
        self,
        state: State,
        storage: Path,
        config: Config,
        *,
        told: Callable[[bool], None] | None = None,
        skipped: Callable[[ProbeName, str], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """See `open`."""
        self.state = state
        self._logins = LoginGuard(state, config.login_guard)
        self._tokens = stored_tokens(storage)
        self._resolvers = tuple(config.resolvers)
        context = make_context(self._resolvers, state, self._logins, self._tokens)
        self.discovery = Discovery(context.resolver.lookup, state.notes, notice)
        self.vantage = Vantage(config.vantage, context.resolver, context.contexts, told=told, skipped=skipped)
        self._runner = VantageRunner(Runner(context), self.vantage)

    @classmethod
    async def open(
        cls,
        storage: Path,
        config: Config,
        *,
        told: Callable[[bool], None] | None = None,
        skipped: Callable[[ProbeName, str], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> Prober:
        """Lock the state folder and read the state. Raises StateError.

        `told` is called with the state of our own network, `skipped` for each run that this state made inconclusive
        (see `Vantage`). `notice` gets the messages about the DNS of a domain; without it they are logged.
        """
        return cls(await State.open(storage), storage, config, told=told, skipped=skipped, notice=notice)

    def load(self, config: EffectiveConfig) -> None:
        """Use a new configuration. Runs in progress finish with the network settings that they started with."""
        self._logins.load(config)
        self.vantage.load(config)
        resolvers = tuple(config.resolvers)
        if resolvers != self._resolvers:
            self._resolvers = resolvers
            context = make_context(resolvers, self.state, self._logins, self._tokens)
            self.discovery.lookup = context.resolver.lookup
            self.vantage.network(context.resolver, context.contexts)
            self._runner = VantageRunner(Runner(context), self.vantage)

    async def run(self, target: Target, *, on_progress: Callable[[Phase], None] | None = None) -> Result:
        """Run a target once, now. Raises only when it is cancelled."""
        return await self._runner.run(target, on_progress=on_progress)

    def allow_once(self, target: Target) -> None:
        """Let the next login to each account of this target ignore a pause of the login guard."""
        for account in logins_of(target):
            self._logins.allow_once(account)

    async def aclose(self) -> None:
        await self.vantage.aclose()
        await self._tokens.aclose()
        await self.state.close()
