"""Metrics about mailprobe itself and its process, by prometheus_client.

Only these use prometheus_client: with 60,000 series its generate_latest() blocks the event loop for half a second,
which would be added to the latency measured at that time.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable

import prometheus_client as client
from prometheus_client import exposition as text_format
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics_format
from prometheus_client.registry import Collector

from exporter import __version__
from exporter.model import ProbeName
from exporter.model.effective import EffectiveConfig
from exporter.model.sharding import WHOLE, Sharding
from exporter.outputs.metrics import families as table
from exporter.outputs.metrics.families import LOG_LEVELS, SKIP_REASONS
from exporter.outputs.metrics.family import MetricFamily


class SelfMetrics:
    """The metrics about mailprobe itself. They are few series, so the client library can render them.

    The scheduler, the Pusher of alerts, the bridges and the log call its methods. `log_message` may be called from any
    thread; the other methods must be called on the event loop.
    """

    def __init__(self, *, version: str = __version__, revision: str = "", sharding: Sharding = WHOLE) -> None:
        disable_created_series: Callable[[], None] = client.disable_created_metrics  # the library does not annotate it
        disable_created_series()
        self._registry = client.CollectorRegistry(auto_describe=True)
        client.ProcessCollector(registry=self._registry)
        self._registry.register(_PythonInfo())
        client.GCCollector(registry=self._registry)
        build = client.Info(
            table.BUILD_INFO.full_name.removesuffix("_info"), table.BUILD_INFO.help, registry=self._registry
        )
        build.info({"version": version, "revision": revision, "pythonversion": platform.python_version()})
        self._web: client.Info | None = None
        self._reload_successful = self._gauge(table.RELOAD_SUCCESSFUL)
        self._reload_time = self._gauge(table.RELOAD_TIME)
        self._config_hash = self._gauge(table.CONFIG_HASH)
        self._vantage_up = self._gauge(table.VANTAGE_UP)
        self._vantage_up.set(1)
        self._gauge(table.TOTAL_SHARDS).set(sharding.total)
        self._gauge(table.SHARD_ORDINAL).labels(str(sharding.shard)).set(sharding.shard)
        self._in_progress = self._gauge(table.IN_PROGRESS)
        self._delay = self._histogram(table.SCHEDULER_DELAY)
        self._lag = self._histogram(table.LOOP_LAG)
        self._skipped = self._counter(table.PROBES_SKIPPED)
        self._state_write_failures = self._counter(table.STATE_WRITE_FAILURES)
        self._state_writes_failed = 0
        self._log_messages = self._counter(table.LOG_MESSAGES)
        for level in LOG_LEVELS:
            self._log_messages.labels(level)
        self._notified = self._counter(table.NOTIFICATIONS)
        self._notify_failed = self._counter(table.NOTIFICATIONS_FAILED)
        self._notify_dropped = self._counter(table.NOTIFICATIONS_DROPPED)
        self._alertmanagers: set[str] = set()
        self._bridged = self._counter(table.BRIDGE_MESSAGES)
        self._bridge_failed = self._counter(table.BRIDGE_FAILED)
        self._bridge_dropped = self._counter(table.BRIDGE_DROPPED)
        self._bridges: set[str] = set()

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration: create new counters at 0, remove those of removed Alertmanagers and bridges."""
        for probe in sorted({target.probe for target in config.targets}):
            self._in_progress.labels(probe)
            for reason in SKIP_REASONS:
                self._skipped.labels(probe, reason)
        alertmanagers = {each.name for each in config.push.targets} if config.push is not None else set()
        _load((self._notified, self._notify_failed, self._notify_dropped), self._alertmanagers, alertmanagers)
        bridges = {each.name for each in config.bridges}
        _load((self._bridged, self._bridge_failed, self._bridge_dropped), self._bridges, bridges)
        self._alertmanagers, self._bridges = alertmanagers, bridges

    def render(self, *, openmetrics: bool) -> bytes:
        """Return the exposition. In OpenMetrics it ends with `# EOF`."""
        module = openmetrics_format if openmetrics else text_format
        text: bytes = module.generate_latest(self._registry)
        return text

    # -- the scheduler --------------------------------------------------------------------------------------------

    def in_progress(self, probe: ProbeName, delta: int) -> None:
        self._in_progress.labels(probe).inc(delta)

    def skipped(self, probe: ProbeName, reason: str) -> None:
        self._skipped.labels(probe, reason).inc()

    def delay(self, seconds: float) -> None:
        self._delay.observe(max(seconds, 0.0))

    def lag(self, seconds: float) -> None:
        self._lag.observe(max(seconds, 0.0))

    # -- the Pusher of alerts -------------------------------------------------------------------------------------

    def notified(self, alertmanager: str, alerts: int) -> None:
        self._notified.labels(alertmanager).inc(alerts)

    def notify_failed(self, alertmanager: str, alerts: int) -> None:
        self._notify_failed.labels(alertmanager).inc(alerts)

    def notify_dropped(self, alertmanager: str, alerts: int) -> None:
        self._notify_dropped.labels(alertmanager).inc(alerts)

    # -- the bridges ----------------------------------------------------------------------------------------------

    def bridged(self, bridge: str) -> None:
        self._bridged.labels(bridge).inc()

    def bridge_failed(self, bridge: str) -> None:
        self._bridge_failed.labels(bridge).inc()

    def bridge_dropped(self, bridge: str) -> None:
        self._bridge_dropped.labels(bridge).inc()

    # -- the daemon -----------------------------------------------------------------------------------------------

    def web(self, url: str) -> None:
        """Set the URL of the pages."""
        if self._web is None:  # the metric is absent until the URL is known
            name = table.WEB_INFO.full_name.removesuffix("_info")
            self._web = client.Info(name, table.WEB_INFO.help, registry=self._registry)
        self._web.info({"external_url": url})

    def vantage(self, up: bool) -> None:
        self._vantage_up.set(1 if up else 0)

    def config_reloaded(self, ok: bool, config_hash: str, now: float) -> None:
        """Record a reload at `now` (Unix time).

        `config_hash` is the hexadecimal digest of the configuration in use; a failed reload does not change it.
        """
        self._reload_successful.set(1 if ok else 0)
        if ok:
            self._reload_time.set(now)
            self._config_hash.set(int(config_hash[:12] or "0", 16))  # 48 bits, which a float represents exactly

    def log_message(self, level: str) -> None:
        self._log_messages.labels(level).inc()

    def state_write_failures(self, total: int) -> None:
        """Set the number of failed writes. `total` counts from the start of the daemon."""
        self._state_write_failures.inc(max(total - self._state_writes_failed, 0))
        self._state_writes_failed = max(total, self._state_writes_failed)

    def _gauge(self, family: MetricFamily) -> client.Gauge:
        return client.Gauge(family.full_name, family.help, family.labels, registry=self._registry)

    def _counter(self, family: MetricFamily) -> client.Counter:
        return client.Counter(family.full_name, family.help, family.labels, registry=self._registry)

    def _histogram(self, family: MetricFamily) -> client.Histogram:
        return client.Histogram(
            family.full_name, family.help, family.labels, buckets=family.buckets, registry=self._registry
        )


class _PythonInfo(Collector):
    """`python_info` with the type info. The client library declares it as a gauge."""

    def collect(self) -> Iterable[Metric]:
        for gauge in client.PlatformCollector(registry=None).collect():
            found = InfoMetricFamily(gauge.name.removesuffix("_info"), gauge.documentation)
            found.samples = gauge.samples
            yield found


def _load(counters: Iterable[client.Counter], before: set[str], names: set[str]) -> None:
    """Create the series of new names at 0, and remove those of names that are gone."""
    for counter in counters:
        for gone in before - names:
            counter.remove(gone)
        for name in sorted(names):
            counter.labels(name)
