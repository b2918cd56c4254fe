"""A fake daemon for the web server, which the test controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from exporter.incidents.incident import Incident
from exporter.incidents.rootcause.cause import Cause
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import ProbeName, Result, Target, Wait
from exporter.model.effective import EffectiveConfig
from exporter.model.sharding import WHOLE
from exporter.outputs.history import History
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.targets.provider_watch import Notice
from exporter.web.bridge.bridge import Bridge
from exporter.web.route_prefix import NO_PREFIX
from tests.results import START


class FakeView:
    """Records its calls and returns the values that the test has set."""

    def __init__(self, targets: Sequence[Target] = (), results: Sequence[Result] = ()) -> None:
        self.history = History(100)
        self.metrics = Metrics(SelfMetrics())
        self.external_url = ""
        self.route_prefix = NO_PREFIX
        self.telemetry_path = "/metrics"
        self.time_zone: tzinfo | None = None
        self.timeout_offset = 0.5
        self.sharding = WHOLE
        self.bridges: dict[str, Bridge] = {}
        self.is_ready = True
        self.root_causes = CauseTracker(lambda: START)
        self.references: tuple[int, int] | None = None
        self.known_incidents: list[Incident] = []
        self.reload_error: str | None = None
        self.reloads = 0
        self.write_error = ""
        self.document: Mapping[str, Any] = {"resolvers": [], "files": []}
        self.found: list[Notice] = []
        self.runs: list[tuple[str, str, Wait, bool]] = []
        self.next_result: Result | None = None
        self._targets = list(targets)
        self.config = EffectiveConfig(self._targets)
        self.metrics.load(self.config)
        self.root_causes.load(self.config)
        for result in results:
            self.record(result)

    def record(self, result: Result) -> None:
        self.history.record(result)
        self.metrics.record(result)
        self.root_causes.record(result)

    def targets(self) -> Sequence[Target]:
        return self._targets

    def waiting(self) -> Mapping[str, str]:
        return {}

    def notices(self) -> Sequence[Notice]:
        return self.found

    def interval(self, target: Target) -> float:
        return self.config.interval(target)

    def causes(self) -> Sequence[Cause]:
        return self.root_causes.look().causes

    def vantage(self) -> tuple[int, int] | None:
        return self.references

    def incidents(self) -> Sequence[Incident]:
        return self.known_incidents

    def config_error(self) -> str | None:
        return self.reload_error

    def state_error(self) -> str:
        return self.write_error

    def config_document(self) -> Mapping[str, Any]:
        return self.document

    def config_hash(self) -> str:
        return "abc"

    def config_text(self) -> str:
        return "mailboxes:\n- name: sales\n  password: <secret>\n"

    def ready(self) -> bool:
        return self.is_ready

    async def reload(self) -> str | None:
        self.reloads += 1
        return self.reload_error

    async def run_now(
        self, name: str, probe: ProbeName, *, wait: Wait = Wait.LATE, force: bool = False
    ) -> Result | None:
        self.runs.append((name, str(probe), wait, force))
        if self.next_result is not None:
            self.record(self.next_result)
        return self.next_result
