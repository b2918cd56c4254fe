"""Holds the samples of all targets for /metrics.

`record` renders the lines of a target once per Result; `exposition` only joins them, so that a scrape stays fast with
thousands of targets.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence

from exporter.model import Outcome, ProbeName, Result, Scope, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.names import RESERVED_LABELS
from exporter.model.outage import Outage
from exporter.model.reasons import Layer, Reason
from exporter.model.standing import Standing
from exporter.outputs.metrics import families as table
from exporter.outputs.metrics.exposition import Histogram, header, labels, sample
from exporter.outputs.metrics.families import FAMILIES
from exporter.outputs.metrics.family import MetricFamily, Subject
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.outputs.metrics.series import Series
from exporter.outputs.metrics.target_labels import identity, target_info

_SeriesKey = tuple[str, ...]
RootCause = tuple[Layer, Reason, Scope, str]  # the last item is the server if the scope is a host, else ""
CHUNK = 128 * 1024
AT_ONCE = 50

WITHDRAWN = tuple(f for f in FAMILIES if f.withdrawn)
FLEETING = tuple(f for f in FAMILIES if f.withdrawn or f.fleeting)


class Metrics:
    """Sink of results and source of /metrics. All methods are called on the event loop."""

    def __init__(self, own: SelfMetrics, *, now: Callable[[], float] = time.time) -> None:
        self._own = own  # the metrics about mailprobe itself, at the end of /metrics
        self._now = now
        self._series: dict[tuple[str, ProbeName], Series] = {}
        self._lines: dict[MetricFamily, dict[_SeriesKey, bytes]] = {
            f: {} for f in FAMILIES if f.subject is not Subject.SELF
        }
        self._exemplified: dict[MetricFamily, dict[_SeriesKey, bytes]] = {
            table.ROUNDTRIP_SECONDS: {},
            table.PROBE_LATENCY: {},
        }
        self._reasons: dict[tuple[ProbeName, str, Reason], int] = {}
        self._latencies: dict[tuple[ProbeName, str], Histogram] = {}
        self._observed: set[tuple[ProbeName, str]] = set()  # keys of _latencies that must be rendered again
        self._own_labels: dict[str, str] = {}  # name of a target → the labels of all its series
        self._root_causes: dict[str, RootCause] = {}
        self._outages: Sequence[Outage] = ()

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration.

        Counters of new targets start at 0, series of removed targets are dropped, and a target whose labels changed
        gets new series.
        """
        targets, names = config.targets, tuple(config.alert_labels)
        old, self._series = self._series, {}
        info: dict[_SeriesKey, bytes] = {}
        own_labels: dict[str, str] = {}
        leaders: set[str] = set()
        for target in targets:
            before, interval = old.get(target.key), config.interval(target)
            unchanged = before is not None and before.target == target and before.alert_labels == names
            continues = before is not None and (unchanged or before.identity == identity(target, names))
            series = before if before is not None and continues else Series(target, names)
            leads = not series.shared or series.shared not in leaders
            leaders.add(series.shared)
            if not unchanged or (series.interval, series.leads) != (interval, leads):
                series.target, series.interval, series.leads = target, interval, leads
                self._drop(target.key)
                self._render(series)
            self._series[target.key] = series
            own_labels[target.name] = series.own_labels
            line = self._lines[table.TARGET_INFO].get((target.name,)) if unchanged else None
            info[target.name,] = line or target_info(target, names).encode()
        for key in old.keys() - self._series.keys():
            self._drop(key)
        self._lines[table.TARGET_INFO] = info
        self._relabel(own_labels)
        self._load_providers({(t.probe, t.provider) for t in targets})

    def _relabel(self, own_labels: dict[str, str]) -> None:
        """After a reload, write the root causes of the remaining targets again, with their new labels."""
        shown = {name: cause for name, cause in self._root_causes.items() if name in own_labels}
        self._own_labels, self._root_causes, self._lines[table.ROOT_CAUSE] = own_labels, {}, {}
        self.root_causes(shown)

    def root_causes(self, found: Mapping[str, RootCause]) -> None:
        """Replace all root causes by `found`, whose keys are target names."""
        lines = self._lines[table.ROOT_CAUSE]
        for name in self._root_causes.keys() - found.keys():
            lines.pop((name,), None)
        for name, cause in found.items():
            if self._root_causes.get(name) != cause and name in self._own_labels:
                layer, reason, scope, server = cause
                why = labels((("layer", layer), ("reason", reason), ("scope", scope), ("server", server)))
                lines[name,] = sample(table.ROOT_CAUSE, f"{self._own_labels[name]},{why}", 1).encode()
        self._root_causes = {name: cause for name, cause in found.items() if name in self._own_labels}

    def outages(self, found: Sequence[Outage]) -> None:
        """Replace all outages by `found`."""
        if found == self._outages:
            return
        self._outages = found
        for family in (table.OUTAGE_TARGETS, table.OUTAGE_START, table.OUTAGE_END):
            self._lines[family] = {}
        for each in found:
            own = (("scope", each.scope), ("server", each.server), ("provider", each.provider), ("domain", each.domain))
            text = labels((*own, *(pair for pair in each.labels if pair[0] not in RESERVED_LABELS)))
            self._lines[table.OUTAGE_TARGETS][text,] = sample(table.OUTAGE_TARGETS, text, each.targets).encode()
            self._lines[table.OUTAGE_START][text,] = sample(table.OUTAGE_START, text, each.start).encode()
            if each.end:
                self._lines[table.OUTAGE_END][text,] = sample(table.OUTAGE_END, text, each.end).encode()

    def _load_providers(self, groups: set[tuple[ProbeName, str]]) -> None:
        self._reasons = {key: count for key, count in self._reasons.items() if key[:2] in groups}
        self._lines[table.FAILURE_REASONS] = {
            key: line for key, line in self._lines[table.FAILURE_REASONS].items() if key in self._reasons
        }
        for group in [group for group in self._latencies if group not in groups]:
            del self._latencies[group]
            self._observed.discard(group)
            self._lines[table.PROBE_LATENCY].pop(group, None)
            self._exemplified[table.PROBE_LATENCY].pop(group, None)
        for group in sorted(groups - self._latencies.keys()):
            self._latencies[group] = Histogram(table.PROBE_LATENCY)
            self._observed.add(group)

    def restore(self, standings: Mapping[TargetKey, Standing]) -> None:
        """Show since when the targets failed before a restart. Call it once, after the first `load`."""
        for key, standing in standings.items():
            series = self._series.get(key)
            if series is not None:
                series.restore(copy.deepcopy(standing))
                self._render(series)

    def record(self, result: Result) -> None:
        """Count a result and render the lines of its target. Ignores a result of a target that was removed."""
        series = self._series.get(result.target.key)
        if series is None:
            return
        series.absorb(result)
        self._render(series)
        probe, provider = series.target.probe, series.target.provider
        if result.outcome is Outcome.FAILED:
            self._count_reason(probe, provider, result.failure.reason if result.failure else Reason.UNKNOWN)
        elif result.outcome is Outcome.OK:
            finished = result.started + result.duration
            self._latencies[probe, provider].observe(result.duration, result.probe_id, finished)
            self._observed.add((probe, provider))

    def _count_reason(self, probe: ProbeName, provider: str, reason: Reason) -> None:
        key = (probe, provider, reason)
        count = self._reasons[key] = self._reasons.get(key, 0) + 1
        text = labels((("probe", probe), ("provider", provider), ("reason", reason)))
        self._lines[table.FAILURE_REASONS][key] = sample(table.FAILURE_REASONS, text, count).encode()

    async def _render_latencies(self) -> None:
        """Render the changed histograms. Done at scrape time, because many results go into each histogram."""
        for index, group in enumerate(sorted(self._observed), 1):
            histogram = self._latencies.get(group)
            if histogram is not None:  # None: a reload dropped it during the sleep below
                self._observed.discard(group)
                text = labels((("probe", group[0]), ("provider", group[1])))
                self._lines[table.PROBE_LATENCY][group] = histogram.render(text, openmetrics=False).encode()
                self._exemplified[table.PROBE_LATENCY][group] = histogram.render(text, openmetrics=True).encode()
            if index % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _render(self, series: Series) -> None:
        key = series.target.key
        rendered = series.render()
        for family, lines in rendered.items():
            self._lines[family][key] = lines
        for family in FLEETING:
            if family not in rendered:
                self._lines[family].pop(key, None)
        if table.ROUNDTRIP_SECONDS in rendered:
            text = series.render_histogram(openmetrics=True)
            self._exemplified[table.ROUNDTRIP_SECONDS][key] = text.encode()

    def _drop(self, key: _SeriesKey) -> None:
        for lines in (*self._lines.values(), *self._exemplified.values()):
            lines.pop(key, None)

    async def exposition(self, *, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        """Yield the body of /metrics in pieces, and let the event loop run between two of them.

        The body is a snapshot: all lines (references, not copies) are collected before the first piece.
        """
        await self._withdraw()
        await self._render_latencies()
        await asyncio.sleep(0)
        snapshot = [(family, self._picked(family, openmetrics=openmetrics)) for family in self._lines]
        for family, lines in snapshot:
            if lines:
                yield header(family, openmetrics=openmetrics).encode()
                for chunk in _chunks(lines):
                    yield chunk
                    await asyncio.sleep(0)
        yield self._own.render(openmetrics=openmetrics)

    def _picked(self, family: MetricFamily, *, openmetrics: bool) -> list[bytes]:
        source = self._exemplified.get(family) if openmetrics else None
        return list((source or self._lines[family]).values())

    async def _withdraw(self) -> None:
        """Remove the gauges of stale results."""
        now = self._now()
        expired = [series for series in self._series.values() if 0 < series.expires < now]
        for index, series in enumerate(expired, 1):
            if series.expires < now:  # False: a new result arrived during the sleep below
                series.expires, series.stale = 0.0, True
                for family in WITHDRAWN:
                    self._lines[family].pop(series.target.key, None)
            if index % AT_ONCE == 0:
                await asyncio.sleep(0)


def _chunks(lines: Sequence[bytes]) -> Iterable[bytes]:
    """Yield the lines joined to pieces of at least CHUNK bytes; the last one may be shorter."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(batch)
            batch, size = [], 0
    if batch:
        yield b"".join(batch)
