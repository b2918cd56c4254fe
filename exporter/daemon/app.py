"""The application: creates all parts of the daemon, connects them, starts, reloads and stops them.

The flow: config → targets → scheduler → runner → probe → Result → outputs, incidents and web pages. A reload with an
invalid configuration must leave everything as it was.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Coroutine, Mapping, Sequence

from exporter.config import ConfigError, redacted
from exporter.credentials.guard import LoginGuard
from exporter.daemon import systemd
from exporter.daemon.loading import Loaded, load_all, logins_of, make_context, reasons, recalled, stored_tokens
from exporter.daemon.options import Options
from exporter.incidents.announcer import Announcer
from exporter.incidents.incident import Incident
from exporter.incidents.rootcause.cause import Cause
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import ProbeName, Result, Target, Wait
from exporter.outputs.history import History
from exporter.outputs.log_sink import Journal
from exporter.outputs.metrics.registry import Metrics
from exporter.run.runner import Runner
from exporter.run.scheduler import Scheduler
from exporter.run.vantage import Vantage, VantageRunner
from exporter.state.store import State
from exporter.targets.build import with_wait
from exporter.targets.provider_watch import Discovery, Notice
from exporter.targets.resharding import Move, remember
from exporter.web.bridge.bridge import Bridge, Bridges
from exporter.web.listener import Listener, without_login

logger = logging.getLogger(__name__)

AUTO_RELOAD = 30.0  # seconds between looks at the configuration files
CAUSES_LOOK = 1.0  # seconds between looks at what has changed about the root causes
STATE_LOOK = 10.0  # seconds between looks at the count of failed writes
SETTLED = 90.0  # seconds after a load, when each target has had its first run


class App:
    """One daemon. It is also what the web pages see (`web.view.AppView`)."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.external_url = options.external_url
        self.telemetry_path = options.telemetry_path
        self.timeout_offset = options.timeout_offset
        self.history = History(options.history_limit)
        self.sharding = options.sharding
        self.metrics = Metrics(sharding=options.sharding)
        self.root_causes = CauseTracker()
        self._bridges = Bridges(self.metrics)
        self._journal = Journal()
        self._loaded: Loaded
        self._state: State
        self._logins: LoginGuard
        self._move: Move | None = None
        self._tokens = stored_tokens(options.storage_path)
        self._discovery: Discovery
        self._vantage: Vantage
        self._announcer: Announcer
        self._scheduler: Scheduler
        self._listener: Listener
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._ready = False
        self._config_error: str | None = None  # of the last reload
        self._web_config_error: str | None = None  # of the last look at the web configuration
        self._watchdog = systemd.Watchdog()

    # -- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises ConfigError, StateError, StartError."""
        self._loaded = await asyncio.to_thread(load_all, self.options, self.sharding)
        self._state = await State.open(self.options.storage_path)
        self._move = await remember(self._state.notes, self.sharding, time.time())
        config = self._loaded.config
        self._logins = LoginGuard(self._state, config.login_guard)
        context = make_context(config, self._state, self._logins, self._tokens)
        self._discovery = Discovery(context.resolver.lookup, self._state.notes)
        self._loaded = await recalled(self._loaded, self._discovery)
        targets = self._loaded.built.targets
        self._vantage = Vantage(
            config.vantage, context.resolver, context.contexts, told=self._vantage_told, skipped=self.metrics.skipped
        )
        self._announcer = Announcer(self._state, self.causes, self.metrics, external_url=self.external_url)
        self._scheduler = Scheduler(
            VantageRunner(Runner(context), self._vantage),
            (self.history, self.metrics, self._journal, self.root_causes, self._announcer),
            self._loaded.limits,
            watcher=self.metrics,
            alive=self._watchdog.alive,
        )
        self._apply(self._loaded)
        self.metrics.config_reloaded(True, config.hash, time.time())
        self._listener = Listener(
            self,
            self.options.listen,
            web_config=self.options.web_config_file,
            control=self.options.control_socket,
            told=self._web_config_told,
        )
        try:
            await self._listener.start()
        except BaseException:
            await self._announcer.close()
            await self._bridges.close()
            await self._state.close()
            raise
        self._tell_where()
        self._spawn(self._scheduler.run())
        self._spawn(self._watch_state())
        self._spawn(self._settle())
        self._spawn(self._watch_causes())
        self._spawn(self._announcer.run())
        self._spawn(self._vantage.watch())
        self._spawn(self._discovery.watch(lambda: self._loaded.built.by_dns, self._recognised))
        if self.options.auto_reload:
            self._spawn(self._watch_config())
        self._ready = True
        systemd.notify(f"READY=1\nSTATUS={self._status()}")
        shard = {"shard": str(self.sharding)} if self.sharding.on else {}
        logger.info("started", extra={"fields": {"targets": len(targets), "listen": str(self._listener), **shard}})

    async def stop(self) -> None:
        """Stop within seconds: runs are cancelled, their sockets closed, what is in flight is on disk already."""
        systemd.notify("STOPPING=1")
        self._ready = False
        await self._scheduler.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._announcer.close()
        await self._bridges.close()
        await self._vantage.aclose()
        await self._listener.close()
        await self._tokens.aclose()
        await self._state.close()
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
        """That are listened on."""
        return self._listener.ports

    def _status(self) -> str:
        names = {target.name for target in self._loaded.built.targets}
        return f"watching {len(names)} targets" + (f", shard {self.sharding}" if self.sharding.on else "")

    # -- configuration ------------------------------------------------------------------------------------------

    def _apply(self, loaded: Loaded, told: Sequence[str] = ()) -> None:
        """`told`: warnings that need not be told again."""
        targets = loaded.built.targets
        loaded.divide(self._logins, self._move)
        self._scheduler.limits = loaded.limits
        self._scheduler.apply(targets)
        for warning in (*loaded.config.warnings, *loaded.built.warnings, *self._scheduler.warnings):
            if str(warning) not in told:
                logger.warning("%s", warning)
        keys = {target.key for target in targets}
        self.history.keep(keys)
        self._journal.keep(keys)
        self._vantage.keep({server for target in targets for server in target.servers}, keys)
        self.root_causes.load(targets, self.interval)
        self.metrics.load(targets, self.interval, loaded.config.alert_labels)
        push = loaded.push
        self.metrics.load_alertmanagers([each.name for each in push.targets] if push is not None else [])
        self.metrics.load_bridges([each.name for each in loaded.config.bridges])
        self._bridges.configure(loaded.config.bridges)
        self._announcer.load(targets, loaded.config.incidents, push, loaded.config.alert_labels)

    async def _recognised(self) -> None:
        """A provider was recognised: the targets of its mailboxes begin."""
        async with self._reloading:
            loaded = self._loaded
            before = (*loaded.config.warnings, *loaded.built.warnings, *self._scheduler.warnings)
            self._loaded = await recalled(loaded, self._discovery)
            self._apply(self._loaded, [str(each) for each in before])
            systemd.notify(f"STATUS={self._status()}")

    async def reload(self) -> str | None:
        """Read the configuration files again. Bad ones are refused and the old ones hold: returns which and why."""
        async with self._reloading:
            systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            web_config_error = await self._listener.reread()
            try:
                loaded = await recalled(await asyncio.to_thread(load_all, self.options, self.sharding), self._discovery)
            except ConfigError as exc:
                logger.error(  # noqa: TRY400 - the message tells all; a traceback would tell the user nothing
                    "the configuration is not reloaded, the old one runs on", extra={"fields": {"err": str(exc)}}
                )
                self.metrics.config_reloaded(False, self._loaded.config.hash, time.time())
                self._config_error = str(exc)
                refused = f"the config was not reloaded, the old one runs on: {exc}"
                return refused if web_config_error is None else f"{refused}\n{_web_refused(web_config_error)}"
            finally:
                systemd.notify("READY=1")
            before, self._loaded = self._loaded, loaded
            self._config_error = None
            if loaded.config.resolvers != before.config.resolvers:
                context = make_context(loaded.config, self._state, self._logins, self._tokens)
                self._scheduler.runner = VantageRunner(Runner(context), self._vantage)
                self._discovery.lookup = context.resolver.lookup
                self._vantage.network(context.resolver, context.contexts)
            self._vantage.change(loaded.config.vantage)
            self._discovery.wake()
            self._apply(loaded)
            self._spawn(self._settle())
            self.metrics.config_reloaded(True, loaded.config.hash, time.time())
            self._web_config_told(web_config_error)
            self._tell_where()  # a certificate may have come
            systemd.notify(f"STATUS={self._status()}")
            targets = {"targets": len(loaded.built.targets)}
            if web_config_error is None:
                logger.info("configuration reloaded", extra={"fields": targets})
                return None
            logger.warning(
                "configuration reloaded, but not the web configuration: its old one holds",
                extra={"fields": {**targets, "err": web_config_error}},
            )
            return f"the config was reloaded; {_web_refused(web_config_error)}"

    def _tell_where(self) -> None:
        self.metrics.web(without_login(self.external_url) or self._listener.url)

    def _web_config_told(self, error: str | None) -> None:
        """The web configuration counts: what is broken in it would keep us from starting again."""
        self._web_config_error = error
        self.metrics.config_reloaded(self.config_error() is None, self._loaded.config.hash, time.time())

    async def _watch_config(self) -> None:
        refused = ""
        while True:
            await asyncio.sleep(AUTO_RELOAD)
            now = await asyncio.to_thread(self._loaded.config.hash_now)
            if now not in (self._loaded.config.hash, refused):
                refused = now if await self.reload() is not None else ""

    async def _watch_causes(self) -> None:
        while True:
            self.metrics.root_causes(self.root_causes.look().labels)
            await asyncio.sleep(CAUSES_LOOK)

    def _vantage_told(self, up: bool) -> None:
        self.metrics.vantage(up)
        if up:
            self.root_causes.vantage_back()

    async def _settle(self) -> None:
        """Tell the garbage collector that what is here now stays.

        It would look at all of it again and again, and the event loop would stand still meanwhile: a fifth of a second
        with two thousand mailboxes.
        """
        for pause in (0.0, SETTLED):
            await asyncio.sleep(pause)
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    async def _watch_state(self) -> None:
        while True:
            self.metrics.state_write_failures(self._state.write_failures)
            await asyncio.sleep(STATE_LOOK)

    # -- what the web sees --------------------------------------------------------------------------------------

    def targets(self) -> Sequence[Target]:
        return self._loaded.built.targets

    def notices(self) -> Sequence[Notice]:
        return self._discovery.notices()

    def waiting(self) -> Mapping[str, str]:
        return reasons(self._loaded.built, self._discovery)

    def causes(self) -> Sequence[Cause]:
        return self.root_causes.look().causes

    def vantage(self) -> tuple[int, int] | None:
        return self._vantage.answering()

    def incidents(self) -> Sequence[Incident]:
        return self._announcer.all()

    def ready(self) -> bool:
        return self._ready

    def config_error(self) -> str | None:
        return self._config_error or self._web_config_error

    def state_error(self) -> str:
        return self._state.write_error

    def bridge(self, name: str) -> Bridge | None:
        return self._bridges.get(name)

    def config_text(self) -> str:
        return redacted(self._loaded.config)

    def interval(self, target: Target) -> float:
        return self._scheduler.effective_interval(target.key)

    async def run_now(
        self, name: str, probe: ProbeName, *, wait: Wait = Wait.LATE, force: bool = False
    ) -> Result | None:
        """Run one probe now, inside the limits and (unless forced, once) the guard. None where there is no such target.

        `wait`: for how long a round trip does.
        """
        for target in self._loaded.built.targets:
            if target.key == (name, probe):
                if force:
                    for login in logins_of(target):
                        self._logins.allow_once(login)
                return await self._scheduler.run_now(with_wait(target, wait))
        return None


def _web_refused(error: str) -> str:
    return f"the web configuration (--web.config.file) is refused, its old one holds: {error}"
