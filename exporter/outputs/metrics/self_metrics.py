"""Metrics about mailprobe itself and its process, by prometheus_client.

Only these use prometheus_client: with 60,000 series its generate_latest() blocks the event loop for half a second,
which would be added to the latency measured at that time.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable

import prometheus_client as client
from prometheus_client import exposition as text_format
from prometheus_client.openmetrics import exposition as openmetrics_format

from exporter.model import ProbeName
from exporter.model.sharding import Sharding
from exporter.outputs.metrics import families as table
from exporter.outputs.metrics.families import LOG_LEVELS, SKIP_REASONS, MetricFamily


class SelfMetrics:
    """mailprobe's own metrics: few series, so the client library may render them."""

    def __init__(self, version: str, revision: str, sharding: Sharding) -> None:
        disable_created_series: Callable[[], None] = client.disable_created_metrics  # the library leaves it untyped
        disable_created_series()
        self._registry = client.CollectorRegistry(auto_describe=True)
        client.ProcessCollector(registry=self._registry)
        client.PlatformCollector(registry=self._registry)
        client.GCCollector(registry=self._registry)
        build = client.Info(
            table.BUILD_INFO.full_name.removesuffix("_info"), table.BUILD_INFO.help, registry=self._registry
        )
        build.info({"version": version, "revision": revision, "pythonversion": platform.python_version()})
        self._web: client.Info | None = None
        self.reload_successful = self._gauge(table.RELOAD_SUCCESSFUL)
        self.reload_time = self._gauge(table.RELOAD_TIME)
        self.config_hash = self._gauge(table.CONFIG_HASH)
        self.vantage_up = self._gauge(table.VANTAGE_UP)
        self.vantage_up.set(1)
        self._gauge(table.TOTAL_SHARDS).set(sharding.total)
        self._gauge(table.SHARD_ORDINAL).labels(str(sharding.shard)).set(sharding.shard)
        self.in_progress = self._gauge(table.IN_PROGRESS)
        self.delay = self._histogram(table.SCHEDULER_DELAY)
        self.lag = self._histogram(table.LOOP_LAG)
        self.skipped = self._counter(table.PROBES_SKIPPED)
        self._state_write_failures = self._counter(table.STATE_WRITE_FAILURES)
        self._state_writes_failed = 0
        self.log_messages = self._counter(table.LOG_MESSAGES)
        for level in LOG_LEVELS:
            self.log_messages.labels(level)
        self.notifications = tuple(
            self._counter(family)
            for family in (table.NOTIFICATIONS, table.NOTIFICATIONS_FAILED, table.NOTIFICATIONS_DROPPED)
        )
        self._alertmanagers: set[str] = set()
        self.bridge_messages = tuple(
            self._counter(family) for family in (table.BRIDGE_MESSAGES, table.BRIDGE_FAILED, table.BRIDGE_DROPPED)
        )
        self._bridges: set[str] = set()

    def web(self, url: str) -> None:
        if self._web is None:  # until told, there is nothing to show
            name = table.WEB_INFO.full_name.removesuffix("_info")
            self._web = client.Info(name, table.WEB_INFO.help, registry=self._registry)
        self._web.info({"external_url": url})

    def load(self, probes: Iterable[ProbeName]) -> None:
        for probe in sorted(probes):
            self.in_progress.labels(probe)
            for reason in SKIP_REASONS:
                self.skipped.labels(probe, reason)

    def load_alertmanagers(self, names: set[str]) -> None:
        _load(self.notifications, self._alertmanagers, names)
        self._alertmanagers = names

    def load_bridges(self, names: set[str]) -> None:
        _load(self.bridge_messages, self._bridges, names)
        self._bridges = names

    def count_state_write_failures(self, total: int) -> None:
        self._state_write_failures.inc(max(total - self._state_writes_failed, 0))
        self._state_writes_failed = max(total, self._state_writes_failed)

    def render(self, *, openmetrics: bool) -> bytes:
        """Ends with the `# EOF` of OpenMetrics there."""
        module = openmetrics_format if openmetrics else text_format
        text: bytes = module.generate_latest(self._registry)
        return text

    def _gauge(self, family: MetricFamily) -> client.Gauge:
        return client.Gauge(family.full_name, family.help, family.labels, registry=self._registry)

    def _counter(self, family: MetricFamily) -> client.Counter:
        return client.Counter(family.full_name, family.help, family.labels, registry=self._registry)

    def _histogram(self, family: MetricFamily) -> client.Histogram:
        return client.Histogram(
            family.full_name, family.help, family.labels, buckets=family.buckets, registry=self._registry
        )


def _load(counters: Iterable[client.Counter], before: set[str], names: set[str]) -> None:
    """Those that are new stand at 0, those that left go."""
    for counter in counters:
        for gone in before - names:
            counter.remove(gone)
        for name in sorted(names):
            counter.labels(name)
