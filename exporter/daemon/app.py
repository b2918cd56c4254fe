"""The application: creates all parts of the daemon, connects them, starts, reloads and stops them.

The flow: config → targets → scheduler → runner → probe → Result → outputs, incidents and web pages. A reload with an
invalid configuration must leave everything as it was.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from exporter.config import document, redacted
from exporter.daemon import systemd
from exporter.daemon.loading import load_all, reasons
from exporter.daemon.options import Options
from exporter.daemon.prober import Prober
from exporter.daemon.reload import Configuration
from exporter.daemon.revision import revision
from exporter.daemon.socket_activation import inherited
from exporter.incidents.announcer import Announcer
from exporter.incidents.incident import Incident
from exporter.incidents.outages import Outages
from exporter.incidents.rootcause.cause import Cause
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.incidents.standings import Standings
from exporter.model import ProbeName, Result, Target, Wait
from exporter.model.logger import logger_of
from exporter.outputs.history import History
from exporter.outputs.log_sink import Journal
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.run.scheduler import Scheduler
from exporter.targets.build import with_wait
from exporter.targets.provider_watch import Notice
from exporter.targets.resharding import Move, remember
from exporter.web.bridge.bridge import Bridges
from exporter.web.listener import Listener, without_login

logger = logger_of(__name__)

CAUSES_LOOK = 1.0  # seconds between two updates of the root causes
STATE_LOOK = 10.0  # seconds between two readings of the count of failed writes
SETTLED = 90.0  # seconds after a load: by then each target has had its first run


class App:
    """One daemon. It is also the object that the web pages read (`web.view.AppView`)."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.external_url = options.external_url
        self.route_prefix = options.route_prefix
        self.telemetry_path = options.telemetry_path
        self.time_zone = options.time_zone
        self.timeout_offset = options.timeout_offset
        self.history = History(options.history_limit)
        self.sharding = options.sharding
        self.self_metrics = SelfMetrics(revision=revision(), sharding=options.sharding)
        self.metrics = Metrics(self.self_metrics)
        self.root_causes = CauseTracker()
        self._outages = Outages()
        self._offline_since = 0.0  # Unix time since which our own network is down; 0 while it works
        self._bridges = Bridges(self.self_metrics)
        self._journal = Journal()
        self._prober: Prober
        self._announcer: Announcer
        self._standings: Standings
        self._scheduler: Scheduler
        self._listener: Listener
        self._configuration: Configuration
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = False
        self._watchdog = systemd.Watchdog()

    # -- start and stop ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all parts of the daemon. Raises ConfigError, StateError or StartError."""
        loaded = await asyncio.to_thread(load_all, self.options, self.sharding)
        self._prober = await Prober.open(
            self.options.storage_path, loaded.config, told=self._vantage_told, skipped=self.self_metrics.skipped
        )
        self._put_together(await remember(self._prober.state.notes, self.sharding, time.time()))
        try:
            await self._configuration.load(loaded)
            await self._restore()
            await self._listener.start()
        except BaseException:
            await self._announcer.close()
            await self._bridges.close()
            await self._prober.aclose()
            raise
        self._tell_where()
        self._run_tasks()
        self._ready = True
        systemd.notify(f"READY=1\nSTATUS={self._configuration.status}")
        shard: dict[str, Any] = {"shard": str(self.sharding)} if self.sharding.on else {}
        logger.info("started", targets=len(self.targets()), listen=str(self._listener), **shard)

    def _put_together(self, move: Move | None) -> None:
        """Create all parts that a configuration is then loaded into.

        `move`: this process was another shard until now.
        """
        prober = self._prober
        self._announcer = Announcer(prober.state, self.causes, self.self_metrics, external_url=self.external_url)
        self._standings = Standings(prober.state)
        sinks = (self.history, self.metrics, self._journal, self.root_causes, self._announcer, self._standings)
        self._scheduler = Scheduler(prober, sinks, watcher=self.self_metrics, alive=self._watchdog.alive)
        self._listener = Listener(
            self,
            self.options.listen,
            passed=inherited if self.options.systemd_socket else None,
            web_config=self.options.web_config_file,
            control=self.options.control_socket,
            bridges=self._bridges,
            told=self._web_config_told,
        )
        self._configuration = Configuration(
            self.options,
            prober.discovery,
            (prober, self._scheduler, *sinks, self._outages, self.self_metrics, self._bridges),
            self.self_metrics,
            reread=self._listener.reread,
            taken_over=self._taken_over,
            move=move,
        )

    async def _restore(self) -> None:
        """Give every part what was known before this start."""
        known = await self._standings.restored(self._configuration.effective)
        for part in (self.history, self.metrics, self.root_causes, self._announcer):
            part.restore(known)

    def _run_tasks(self) -> None:
        """Start the background tasks. They run until `stop`."""
        configuration = self._configuration
        self._spawn(self._scheduler.run())
        self._spawn(self._watch_state())
        self._spawn(_settle())
        self._spawn(self._watch_causes())
        self._spawn(self._announcer.run())
        self._spawn(self._prober.vantage.watch())
        self._spawn(self._prober.discovery.watch(lambda: configuration.loaded.built.by_dns, configuration.recognised))
        if self.options.auto_reload is not None:
            self._spawn(configuration.watch(self.options.auto_reload))

    async def stop(self) -> None:
        """Stop within seconds.

        Runs are cancelled and their sockets closed. Mails in flight are already in the state folder.
        """
        systemd.notify("STOPPING=1")
        self._ready = False
        await self._scheduler.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._announcer.close()
        await self._bridges.close()
        await self._listener.close()
        await self._prober.aclose()
        logger.info("stopped")

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a background task ended", exc_info=task.exception())

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports that the web server listens on."""
        return self._listener.ports

    # -- reload and callbacks ----------------------------------------------------------------------------------------

    async def reload(self) -> str | None:
        """Read the configuration files again. Invalid files are rejected; returns which and why, or None."""
        return await self._configuration.reload()

    def _web_config_told(self, refused: str | None) -> None:
        self._configuration.web_config_looked_at(refused)

    def _taken_over(self) -> None:
        """Called when a reload is done."""
        if not self._ready:  # the daemon is stopping
            return
        self._spawn(_settle())
        self._tell_where()  # there may be a certificate now, and the URL is then https

    def _tell_where(self) -> None:
        self.self_metrics.web(without_login(self.external_url) or self._listener.url)

    async def _watch_causes(self) -> None:
        while True:
            findings = self.root_causes.look()
            self.history.overtake(self.root_causes.overtaken())
            self.metrics.root_causes(findings.labels)
            known = self._outages.look(findings.causes, self.root_causes.worked, time.time(), self._offline_since)
            self.metrics.outages(known)
            await asyncio.sleep(CAUSES_LOOK)

    def _vantage_told(self, up: bool) -> None:
        self.self_metrics.vantage(up)
        self._offline_since = 0.0 if up else self._offline_since or time.time()
        if up:
            self.root_causes.vantage_back()

    async def _watch_state(self) -> None:
        while True:
            self.self_metrics.state_write_failures(self._prober.state.write_failures)
            await self._standings.beat()
            await asyncio.sleep(STATE_LOOK)

    # -- read by the web pages -----------------------------------------------------------------------------------

    def targets(self) -> Sequence[Target]:
        return self._configuration.effective.targets

    def notices(self) -> Sequence[Notice]:
        return self._prober.discovery.notices()

    def waiting(self) -> Mapping[str, str]:
        return reasons(self._configuration.loaded.built, self._prober.discovery)

    def causes(self) -> Sequence[Cause]:
        return self.root_causes.look().causes

    def vantage(self) -> tuple[int, int] | None:
        return self._prober.vantage.answering()

    def incidents(self) -> Sequence[Incident]:
        return self._announcer.all()

    def ready(self) -> bool:
        return self._ready

    def config_error(self) -> str | None:
        return self._configuration.error

    def state_error(self) -> str:
        return self._prober.state.write_error

    def config_hash(self) -> str:
        return self._configuration.loaded.config.hash

    def config_text(self) -> str:
        return redacted(self._configuration.loaded.config)

    def config_document(self) -> Mapping[str, Any]:
        return document(self._configuration.loaded.config)

    def interval(self, target: Target) -> float:
        return self._configuration.effective.interval(target)

    async def run_now(
        self, name: str, probe: ProbeName, *, wait: Wait = Wait.LATE, force: bool = False
    ) -> Result | None:
        """Run one probe now, within the limits. Returns None if there is no such target.

        The login guard applies; with `force` the next login ignores a pause. `wait`: how long a round trip waits for
        its mail.
        """
        for target in self.targets():
            if target.key == (name, probe):
                if force:
                    self._prober.allow_once(target)
                return await self._scheduler.run_now(with_wait(target, wait))
        return None


async def _settle() -> None:
    """Exclude all objects that exist now from garbage collection.

    Otherwise each full collection would scan them and block the event loop, for 0.2 seconds with two thousand
    mailboxes.
    """
    for pause in (0.0, SETTLED):
        await asyncio.sleep(pause)
        gc.unfreeze()
        gc.collect()
        gc.freeze()
