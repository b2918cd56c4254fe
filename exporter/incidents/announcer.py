"""The background task of incidents: every few seconds it updates them, saves changes, and notifies Alertmanager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from exporter.incidents.alert_labels import JOB, labels_of
from exporter.incidents.alert_text import annotations_of, watchdog_annotations
from exporter.incidents.alertmanager import Alert, Pusher, PushMetrics, lease
from exporter.incidents.incident import Changes, Incident, thaw
from exporter.incidents.lifecycle import Incidents
from exporter.incidents.rootcause.cause import Cause
from exporter.model import Labels, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.model.settings import PushSettings
from exporter.state.store import State

TICK = 2.0  # seconds
AT_ONCE = 100  # alerts before the event loop gets its turn
NOTE = ("alertmanager", "last push")  # Unix time, so that a restart knows what Alertmanager still holds
logger = logger_of(__name__)


class Announcer:
    """Sink of results; owner of the incidents and of who is told about them."""

    def __init__(
        self,
        state: State,
        causes: Callable[[], Sequence[Cause]],
        watcher: PushMetrics,
        *,
        external_url: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._causes = causes
        self._external_url = external_url
        self._now = now
        self._alert_labels: tuple[str, ...] = ()
        self._push: PushSettings | None = None
        self._pusher = Pusher(watcher, now)
        self._next_push = 0.0  # time.monotonic()
        self._began = now()
        self._lapsed: set[str] = set()  # incidents from disk that Alertmanager has let go: silent until seen again
        known = [each for key, record in state.incidents.items() if (each := thaw(key, record)) is not None]
        self._incidents = Incidents(self._labels_of, known)
        self._made: dict[str, tuple[Incident, tuple[int, PushSettings], Alert]] = {}
        self._pushed = False  # since the start

    def _labels_of(self, cause: Cause, targets: Sequence[Target], results: Sequence[Result]) -> Labels:
        return labels_of(cause, targets, results, self._alert_labels)

    def load(self, config: EffectiveConfig) -> None:
        """Take a config over. On the event loop."""
        self._alert_labels = tuple(config.alert_labels)
        self._incidents.load(config)
        if config.push != self._push:
            self._next_push = 0.0
        self._push = config.push
        self._pusher.load(config)

    async def _find_lapsed(self, push: PushSettings) -> None:
        last = float(await self._state.notes.get(*NOTE) or 0)
        now = self._now()
        self._lapsed = {
            each.key for each in self._incidents.all() if each.open and now > last + lease(each.interval, push.resend)
        }

    def record(self, result: Result) -> None:
        self._incidents.record(result)

    def all(self) -> tuple[Incident, ...]:
        """The open incidents, latest first, then those resolved lately."""
        return self._incidents.all()

    async def run(self) -> None:
        """Tick, for ever."""
        while True:
            try:
                await self.tick()
            except Exception:
                logger.exception("bug: incidents were not looked at")
            await asyncio.sleep(TICK)

    async def close(self) -> None:
        await self._pusher.close()

    async def tick(self) -> None:
        changes = self._incidents.tick(self._causes(), self._now())
        await self._keep(changes)
        for each in changes.opened:
            _log("incident opened", each)
        for each in changes.resolved:
            _log("incident resolved", each)
        push = self._push
        if push is None:
            return
        if not self._pushed:
            await self._find_lapsed(push)
            self._pushed = True
        if time.monotonic() >= self._next_push:
            self._next_push = time.monotonic() + push.resend
            await self._state.notes.put(*NOTE, f"{self._now():.3f}")
            self._pusher.push([self._watchdog(push), *await self._alerts(self._incidents.all(), push)])
        elif changes.opened or changes.resolved:
            # Those of the same labels come along: of two such incidents the one that is open speaks.
            touched = {each.labels for each in (*changes.opened, *changes.resolved)}
            every = [each for each in self._incidents.all() if each.labels in touched]
            self._pusher.push(await self._alerts(every, push))

    async def _keep(self, changes: Changes) -> None:
        """On disk before anybody hears of it: a kill in between then costs neither a page nor the end of one."""
        writes = [self._state.save_incident(each.key, each.freeze()) for each in changes.changed]
        writes += [self._state.save_incident(key, None) for key in changes.forgotten]
        weighty = (*changes.opened, *changes.resolved)
        writes += [self._state.save_incident(each.key, each.freeze(), durable=True) for each in weighty]
        if weighty:
            await asyncio.gather(*writes)

    async def _alerts(self, incidents: Sequence[Incident], push: PushSettings) -> list[Alert]:
        """One alert for each set of labels: the longest open speaks for them, or the one resolved last."""
        found: dict[Labels, Alert] = {}
        for index, each in enumerate(sorted(incidents, key=_weight), 1):
            if each.confirmed:
                self._lapsed.discard(each.key)
            if each.key not in self._lapsed:
                alert = self._alert(each, push)
                found[alert.labels] = alert
            if index % AT_ONCE == 0:
                await asyncio.sleep(0)
        self._made = {each.key: made for each in self._incidents.all() if (made := self._made.get(each.key))}
        return list(found.values())

    def _alert(self, incident: Incident, push: PushSettings) -> Alert:
        """Made anew only where something has changed: the words take longest."""
        known = self._made.get(incident.key)
        if known is not None and known[0] is incident and known[1] == (incident.version, push):
            return known[2]
        annotations = annotations_of(incident, self._external_url)
        alert = Alert(
            labels=_with(incident.labels, push.labels),
            annotations=annotations,
            starts=incident.opened,
            lease=lease(incident.interval, push.resend),
            ends=incident.resolved,
            url=annotations.get("dashboard_url", ""),
        )
        self._made[incident.key] = incident, (incident.version, push), alert
        return alert

    def _watchdog(self, push: PushSettings) -> Alert:
        own = (("alertname", "Watchdog"), ("job", JOB), ("layer", "exporter"), ("severity", "none"))
        return Alert(
            _with(own, push.labels), watchdog_annotations(), self._began, lease(0, push.resend), url=self._external_url
        )


def _weight(incident: Incident) -> tuple[bool, float]:
    return incident.open, -incident.opened if incident.open else incident.resolved


def _with(own: Labels, more: Labels) -> Labels:
    """What an alert has itself wins."""
    return tuple(sorted({**dict(more), **dict(own)}.items()))


def _log(message: str, incident: Incident) -> None:
    logger.info(
        message,
        alert=dict(incident.labels)["alertname"],
        scope=str(incident.scope),
        reason=str(incident.reason),
        targets=len(incident.targets),
        first=incident.targets[0] if incident.targets else "",
    )
