"""The interface between web server and daemon: what pages and API may read, and what they may request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Protocol

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
    """What the web server reads from the daemon. Implemented by the app, and by a fake in tests."""

    @property
    def history(self) -> History: ...

    @property
    def metrics(self) -> Metrics: ...

    @property
    def external_url(self) -> str:
        """The configured URL of the pages, or empty."""
        ...

    @property
    def route_prefix(self) -> RoutePrefix:
        """The path under which the pages are."""
        ...

    @property
    def telemetry_path(self) -> str:
        """The path of the metrics, by default /metrics."""
        ...

    @property
    def time_zone(self) -> tzinfo | None:
        """The time zone of the pages; None is the one of this machine."""
        ...

    @property
    def timeout_offset(self) -> float:
        """Seconds that /probe subtracts from the scrape timeout sent by Prometheus."""
        ...

    @property
    def sharding(self) -> Sharding:
        """The number of this daemon, if several share the targets."""
        ...

    def targets(self) -> Sequence[Target]:
        """Return the targets of the configuration in use."""
        ...

    def waiting(self) -> Mapping[str, str]:
        """Return mailboxes that are not monitored yet because their servers are unknown: name → why."""
        ...

    def notices(self) -> Sequence[Notice]:
        """Return what DNS shows about the mailboxes' domains and the user should know."""
        ...

    def interval(self, target: Target) -> float:
        """Return the interval in effect between two runs of a target, in seconds. May be called from any thread."""
        ...

    def causes(self) -> Sequence[Cause]:
        """Return the causes of the current failures, widest scope first."""
        ...

    def vantage(self) -> tuple[int, int] | None:
        """Return how many references answer, and how many there are; None if there are none."""
        ...

    def incidents(self) -> Sequence[Incident]:
        """Return the open incidents, latest first, then the recently resolved ones."""
        ...

    def config_hash(self) -> str:
        """Return the SHA-256 over the configuration files in use, in hexadecimal."""
        ...

    def config_text(self) -> str:
        """Return the configuration in use as YAML, with secrets replaced by `<secret>`. Call it in a thread."""
        ...

    def config_document(self) -> Mapping[str, Any]:
        """Return what `config_text` shows, before it becomes a text. Call it in a thread."""
        ...

    def config_error(self) -> str | None:
        """Return why the configuration files were refused at the last load; None if they are in use."""
        ...

    def state_error(self) -> str:
        """Return why the state file cannot be written at the moment; empty if it can."""
        ...

    def ready(self) -> bool:
        """Return whether the configuration is loaded, the state is open and the schedule is built.

        Does not depend on the mail services.
        """
        ...

    async def reload(self) -> str | None:
        """Load the configuration files again.

        Returns None if all are in use, else which are refused, why, and which configuration stays in use.
        """
        ...

    async def run_now(
        self, name: str, probe: ProbeName, *, wait: Wait = Wait.LATE, force: bool = False
    ) -> Result | None:
        """Run a probe once, within the limits and, unless `force`, the login guard. None if there is no such target.

        `wait` tells how long a round trip waits for its mail. Raises `schedule.Interrupted`.
        """
        ...


VIEW: web.AppKey[AppView] = web.AppKey("view")


def find(view: AppView, name: str) -> list[Target]:
    """Return all probes of the target with this name."""
    return [target for target in view.targets() if target.name == name]
