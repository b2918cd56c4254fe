"""A daemon that is not there: what the web server sees of it, under the test's control."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.history import History
from exporter.metrics import Metrics
from exporter.model import ProbeName, Result, Target, Wait


class FakeView:
    """Remembers what it was asked; answers what it was told to."""

    def __init__(self, targets: Sequence[Target] = (), results: Sequence[Result] = ()) -> None:
        self.history = History(100)
        self.metrics = Metrics()
        self.external_url = ""
        self.telemetry_path = "/metrics"
        self.timeout_offset = 0.5
        self.is_ready = True
        self.reload_error: str | None = None
        self.reloads = 0
        self.runs: list[tuple[str, str, Wait, bool]] = []
        self.next_result: Result | None = None
        self._targets = list(targets)
        self.metrics.load(self._targets, lambda target: target.interval)
        for result in results:
            self.record(result)

    def record(self, result: Result) -> None:
        self.history.record(result)
        self.metrics.record(result)

    def targets(self) -> Sequence[Target]:
        return self._targets

    def config_error(self) -> str | None:
        return self.reload_error

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
