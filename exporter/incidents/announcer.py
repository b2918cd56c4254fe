"""The background task of incidents: every few seconds it updates them, saves changes, and notifies Alertmanager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from exporter.incidents.alert_labels import JOB, labels_of
from exporter.incidents.alert_text import annotations_of, watchdog_annotations
from exporter.incidents.alertmanager import Alert, Pusher, PushMetrics, lease
from exporter.incidents.incident import Changes, Incident, thaw
from exporter.incidents.lifecycle import Incidents
from exporter.incidents.rootcause.cause import Cause
from exporter.model import Labels, Result, Target, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.model.settings import PushSettings
from exporter.model.standing import Standing
from exporter.state.store import State

TICK = 2.0  # seconds between two ticks
AT_ONCE = 100  # alerts that are built before the event loop may run other tasks
NOTE = (
    "alertmanager",
    "last push",
)  # key of the Unix time of the last push: after a restart it shows which alerts have expired meanwhile
logger = logger_of(__name__)


class Announcer:
    """Sink of results. Owns the incidents, saves their changes, and pushes them as alerts."""

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
        self._lapsed: set[str] = (
            set()
        )  # incidents from the state file whose alerts have expired: not sent until confirmed
        known = [each for key, record in state.incidents.items() if (each := thaw(key, record)) is not None]
        self._incidents = Incidents(self._labels_of, known)
        self._made: dict[str, tuple[Incident, tuple[int, PushSettings], Alert]] = {}
        self._pushed = False  # whether alerts were pushed since the start

    def _labels_of(self, cause: Cause, targets: Sequence[Target], results: Sequence[Result]) -> Labels:
        return labels_of(cause, targets, results, self._alert_labels)

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. Call on the event loop."""
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

    def restore(self, standings: Mapping[TargetKey, Standing]) -> None:
        """Take over since when the targets failed before a restart. Call it before the first result."""
        self._incidents.restore(standings)

    def record(self, result: Result) -> None:
        self._incidents.record(result)

    def all(self) -> tuple[Incident, ...]:
        """Return the open incidents, latest first, then the recently resolved ones."""
        return self._incidents.all()

    async def run(self) -> None:
        """Call `tick` periodically. Runs until cancelled."""
        while True:
            try:
                await self.tick()
            except Exception:
                logger.exception("bug: incidents were not updated")
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
            # Include incidents with the same labels: if one of them is open, its alert must win.
            touched = {each.labels for each in (*changes.opened, *changes.resolved)}
            every = [each for each in self._incidents.all() if each.labels in touched]
            self._pusher.push(await self._alerts(every, push))

    async def _keep(self, changes: Changes) -> None:
        """Write the changes before alerts are sent, so that no alert or its end is lost if the daemon is killed."""
        writes = [self._state.save_incident(each.key, each.freeze()) for each in changes.changed]
        writes += [self._state.save_incident(key, None) for key in changes.forgotten]
        weighty = (*changes.opened, *changes.resolved)
        writes += [self._state.save_incident(each.key, each.freeze(), durable=True) for each in weighty]
        if weighty:
            await asyncio.gather(*writes)

    async def _alerts(self, incidents: Sequence[Incident], push: PushSettings) -> list[Alert]:
        """Return one alert per set of labels: of the incident that is open for longest, else the last resolved one."""
        found: dict[Labels, Alert] = {}
        for index, each in enumerate(sorted(incidents, key=_weight), 1):
            if each.confirmed:
                self._lapsed.discard(each.key)
            if each.key not in self._lapsed:
                try:
                    alert = self._alert(each, push)
                except Exception:  # one incident must not keep the alerts of the others from going out
                    logger.exception("bug: an incident has no alert", incident=each.key)
                    continue
                found[alert.labels] = alert
            if index % AT_ONCE == 0:
                await asyncio.sleep(0)
        self._made = {each.key: made for each in self._incidents.all() if (made := self._made.get(each.key))}
        return list(found.values())

    def _alert(self, incident: Incident, push: PushSettings) -> Alert:
        """Return the alert of an incident. It is cached until the incident changes, because building texts is slow."""
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
    """Return both sets of labels, sorted. The alert's own labels win."""
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
