"""The interface between web server and daemon: what pages and API may read, and what they may request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp import web

from exporter.incidents.incident import Incident
from exporter.incidents.rootcause.cause import Cause
from exporter.model import ProbeName, Result, Target, Wait
from exporter.model.sharding import Sharding
from exporter.outputs.history import History
from exporter.outputs.metrics.registry import Metrics
from exporter.targets.provider_watch import Notice
from exporter.web.route_prefix import RoutePrefix


class AppView(Protocol):
    """Implemented by the app; a fake in tests."""

    @property
    def history(self) -> History: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def external_url(self) -> str:
        """As configured, or empty."""
        ...

    @property
    def route_prefix(self) -> RoutePrefix:
        """Under which path the pages lie."""
        ...

    @property
    def telemetry_path(self) -> str:
        """Where the metrics are: /metrics."""
        ...

    @property
    def timeout_offset(self) -> float:
        """Seconds taken off the scrape timeout that Prometheus tells /probe."""
        ...

    @property
    def sharding(self) -> Sharding:
        """Which daemon of several this is."""
        ...

    def targets(self) -> Sequence[Target]:
        """Those of the config in use."""
        ...

    def waiting(self) -> Mapping[str, str]:
        """Mailboxes that are not watched yet, because their servers are not known: name → why."""
        ...

    def notices(self) -> Sequence[Notice]:
        """What the DNS says of the mailboxes' domains and the user should know."""
        ...

    def interval(self, target: Target) -> float:
        """Seconds between two runs of a target, as they are in effect. May be asked in any thread."""
        ...

    def causes(self) -> Sequence[Cause]:
        """Why what fails now fails, the widest first."""
        ...

    def vantage(self) -> tuple[int, int] | None:
        """So many of so many references answer; None where there are none."""
        ...

    def incidents(self) -> Sequence[Incident]:
        """The open ones, latest first, then those resolved lately."""
        ...

    def config_text(self) -> str:
        """The config in use as YAML, its secrets as `<secret>`."""
        ...

    def config_error(self) -> str | None:
        """Why the configuration files are not what runs: they were refused when they were last loaded. Else None."""
        ...

    def state_error(self) -> str:
        """Why the state file cannot be written at present; empty: it can."""
        ...

    def ready(self) -> bool:
        """Config loaded, state open, schedule built. Says nothing about the mail services."""
        ...

    async def reload(self) -> str | None:
        """Load the configuration files anew. Returns which are refused, why, and what holds; None: all are used."""
        ...

    async def run_now(
        self, name: str, probe: ProbeName, *, wait: Wait = Wait.LATE, force: bool = False
    ) -> Result | None:
        """One run inside the limits and (unless `force`, once) the login guard; None if there is no such target.

        `wait`: for how long a round trip does. May raise `schedule.Interrupted`.
        """
        ...


VIEW: web.AppKey[AppView] = web.AppKey("view")


def find(view: AppView, name: str) -> list[Target]:
    """The probes of the target with this name."""
    return [target for target in view.targets() if target.name == name]
