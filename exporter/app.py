"""The wiring: load, build, start, reload, stop. The only file that knows everybody."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import gc
import logging
import signal
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass

import uvloop
from aiohttp import web

from exporter import log, sdnotify, signatures
from exporter.announcer import Announcer
from exporter.causes import Cause
from exporter.config import Config, ConfigError, load, redacted
from exporter.discovery import Discovery, Notice
from exporter.guard import Logins
from exporter.history import History
from exporter.incident import Incident
from exporter.journal import Journal
from exporter.metrics import Metrics
from exporter.model import ProbeName, Result, Target, Wait
from exporter.net.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.options import Options
from exporter.runner import Runner
from exporter.schedule import Scheduler
from exporter.standing import RootCauses
from exporter.state import State, StateError
from exporter.targets import Built, build, waiting
from exporter.tokens import Tokens
from exporter.vantage import Judged, Vantage
from exporter.web.server import Runner as WebRunner
from exporter.web.server import build as build_web
from exporter.world import World

logger = logging.getLogger(__name__)

AUTO_RELOAD = 30.0  # seconds between looks at the configuration files
CAUSES_LOOK = 1.0  # seconds between looks at what has changed about the root causes
STATE_LOOK = 10.0  # seconds between looks at the count of failed writes
TOKENS = "tokens"  # folder in the storage folder: refresh tokens that providers have put in the place of others
SETTLED = 90.0  # seconds after a load, when each target has had its first run
GRACE = 2.0  # seconds for HTTP requests under way when stopping


class StartError(Exception):
    """The daemon cannot start; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and what became of it."""

    config: Config
    built: Built


def load_all(options: Options) -> Loaded:
    """Read, check and build, synchronously. Raises ConfigError."""
    config = load(options.config_file)
    return Loaded(config, build(config))


def make_world(config: Config, state: State, logins: Logins, tokens: Tokens | None = None) -> World:
    """The capabilities that a configuration's probes get."""
    return World(
        resolver=Resolver(config.resolvers),
        contexts=TlsContexts(),
        logins=logins,
        mailbag=state.mailbag,
        notes=state.notes,
        signing_key=state.signing_key,
        tokens=tokens or Tokens(),
    )


def reasons(built: Built, discovery: Discovery) -> dict[str, str]:
    """Why mailboxes are not watched, by name."""
    told = {notice.domain: notice.text() for notice in discovery.notices()}
    return {each.name: each.why or told.get(each.domain, "its provider is being looked up") for each in built.waiting}


class App:
    """One daemon. It is also what the web pages see (`web.view.AppView`)."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.external_url = options.external_url
        self.telemetry_path = options.telemetry_path
        self.timeout_offset = options.timeout_offset
        self.history = History(options.history_limit)
        self.metrics = Metrics()
        self.root_causes = RootCauses()
        self._journal = Journal()
        self._loaded: Loaded
        self._state: State
        self._logins: Logins
        self._tokens = Tokens(options.storage_path / TOKENS)
        self._discovery: Discovery
        self._vantage: Vantage
        self._announcer: Announcer
        self._scheduler: Scheduler
        self._web: WebRunner
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._ready = False
        self._config_error: str | None = None  # of the last reload
        self._watchdog = sdnotify.Watchdog()
        self.ports: tuple[int, ...] = ()  # that are listened on; port 0 in the flags becomes a real one here

    # -- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises ConfigError, StateError, StartError."""
        self._loaded = await asyncio.to_thread(load_all, self.options)
        self._state = await State.open(self.options.storage_path)
        config = self._loaded.config
        self._logins = Logins(self._state, config.login_guard)
        world = make_world(config, self._state, self._logins, self._tokens)
        self._discovery = Discovery(world.resolver.lookup, self._state.notes)
        self._loaded = await self._recalled(self._loaded)
        targets = self._loaded.built.targets
        self._vantage = Vantage(
            config.vantage, world.resolver, world.contexts, told=self._vantage_told, skipped=self.metrics.skipped
        )
        self._announcer = Announcer(self._state, self.causes, self.metrics, external_url=self.external_url)
        self._scheduler = Scheduler(
            Judged(Runner(world), self._vantage),
            (self.history, self.metrics, self._journal, self.root_causes, self._announcer),
            config.limits,
            watcher=self.metrics,
            alive=self._watchdog.alive,
        )
        self._apply(self._loaded)
        self.metrics.config_reloaded(True, config.hash, time.time())
        try:
            await self._listen()
        except BaseException:
            await self._announcer.close()
            await self._state.close()
            raise
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
        sdnotify.notify(f"READY=1\nSTATUS={self._status()}")
        logger.info("started", extra={"fields": {"targets": len(targets), "listen": self._listening()}})

    async def stop(self) -> None:
        """Stop within seconds: runs are cancelled, their sockets closed, what is in flight is on disk already."""
        sdnotify.notify("STOPPING=1")
        self._ready = False
        await self._scheduler.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._announcer.close()
        await self._vantage.aclose()
        await self._web.cleanup()
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

    async def _listen(self) -> None:
        self._web = WebRunner(build_web(self), shutdown_timeout=GRACE)
        await self._web.setup()
        try:
            for host, port in self.options.listen:
                try:
                    await web.TCPSite(self._web, host, port).start()
                except OSError as exc:
                    shown = listen_name(host or "", port)
                    if exc.errno == errno.EADDRINUSE:
                        raise StartError(
                            f"cannot listen on {shown}: the port is in use, perhaps by another mailprobe; "
                            "choose another with --web.listen-address"
                        ) from exc
                    raise StartError(f"cannot listen on {shown}: {exc.strerror or exc}") from exc
        except BaseException:
            await self._web.cleanup()
            raise
        self.ports = tuple(address[1] for address in self._web.addresses)

    def _listening(self) -> str:
        return ",".join(listen_name(*address[:2]) for address in self._web.addresses)

    def _status(self) -> str:
        names = {target.name for target in self._loaded.built.targets}
        return f"watching {len(names)} targets"

    # -- configuration ------------------------------------------------------------------------------------------

    def _apply(self, loaded: Loaded, told: Sequence[str] = ()) -> None:
        """`told`: warnings that need not be told again."""
        targets = loaded.built.targets
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
        push = loaded.config.alertmanager
        self.metrics.load_alertmanagers([each.name for each in push.targets] if push is not None else [])
        self._announcer.load(targets, loaded.config.incidents, push, loaded.config.alert_labels)

    async def _recalled(self, loaded: Loaded) -> Loaded:
        """The same, with what is remembered of domains whose provider only the DNS tells."""
        await self._discovery.recall(loaded.built.by_dns)
        if not loaded.built.by_dns:
            return loaded
        try:
            return Loaded(loaded.config, await asyncio.to_thread(build, loaded.config, dict(self._discovery.known)))
        except ConfigError as exc:
            # What the DNS said must not stop what the user wrote.
            logger.error(  # noqa: TRY400 - as in reload
                "mailboxes that were recognised cannot be watched", extra={"fields": {"err": str(exc)}}
            )
            return loaded

    async def _recognised(self) -> None:
        """A provider was recognised: the targets of its mailboxes begin."""
        async with self._reloading:
            loaded = self._loaded
            before = (*loaded.config.warnings, *loaded.built.warnings, *self._scheduler.warnings)
            self._loaded = await self._recalled(loaded)
            self._apply(self._loaded, [str(each) for each in before])
            sdnotify.notify(f"STATUS={self._status()}")

    async def reload(self) -> str | None:
        """Read the configuration again. A bad one is refused and the old one runs on: returns why, else None."""
        async with self._reloading:
            sdnotify.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                loaded = await self._recalled(await asyncio.to_thread(load_all, self.options))
            except ConfigError as exc:
                logger.error(  # noqa: TRY400 - the message tells all; a traceback would tell the user nothing
                    "the configuration is not reloaded, the old one runs on", extra={"fields": {"err": str(exc)}}
                )
                self.metrics.config_reloaded(False, self._loaded.config.hash, time.time())
                self._config_error = str(exc)
                return self._config_error
            finally:
                sdnotify.notify("READY=1")
            before, self._loaded = self._loaded, loaded
            self._config_error = None
            self._logins.settings = loaded.config.login_guard
            if loaded.config.resolvers != before.config.resolvers:
                world = make_world(loaded.config, self._state, self._logins, self._tokens)
                self._scheduler.runner = Judged(Runner(world), self._vantage)
                self._discovery.lookup = world.resolver.lookup
                self._vantage.network(world.resolver, world.contexts)
            self._vantage.change(loaded.config.vantage)
            self._discovery.wake()
            self._scheduler.limits = loaded.config.limits
            self._apply(loaded)
            self._spawn(self._settle())
            self.metrics.config_reloaded(True, loaded.config.hash, time.time())
            sdnotify.notify(f"STATUS={self._status()}")
            logger.info("configuration reloaded", extra={"fields": {"targets": len(loaded.built.targets)}})
            return None

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
        return self._config_error

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
                return await self._scheduler.run_now(waiting(target, wait))
        return None


def listen_name(host: str, port: int) -> str:
    """As one writes it in a URL (RFC 3986 section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def logins_of(target: Target) -> set[str]:
    """The accounts that a run of this target logs in to."""
    fields = dataclasses.fields(target.settings) if dataclasses.is_dataclass(target.settings) else ()
    found = (getattr(target.settings, field.name) for field in fields)
    return {value.account for value in found if hasattr(value, "account")}


def check_config(options: Options) -> int:
    """`--config.check`: 0 good, 2 bad; every problem on a line of its own."""
    try:
        loaded = load_all(options)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    problems = loaded.config.problems()
    for warning in (*(each for each in loaded.config.warnings if each not in problems), *loaded.built.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 2
    names = {target.name for target in loaded.built.targets}
    print(f"{options.config_file}: good, {len(names)} targets with {len(loaded.built.targets)} probes")
    waiting = loaded.built.waiting
    if waiting:
        some = ", ".join(sorted({each.domain for each in waiting})[:10])
        print(f"{len(waiting)} mailboxes name no provider and no server: recognised at run time, by the MX of {some}")
    return 0


def serve(options: Options) -> int:
    """`mailprobe run`: until SIGTERM or SIGINT. Returns the exit code."""
    app = App(options)
    log.setup(options.log_level, options.log_format, app.metrics.log_message)
    signatures.warm()  # before there is a loop that it would block
    return uvloop.run(_serve(app))


async def _serve(app: App) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await app.start()
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except (StateError, StartError) as exc:
        print(f"mailprobe: {exc}", file=sys.stderr)
        return 1
    reloads: set[asyncio.Task[str | None]] = set()

    def on_hangup() -> None:
        task = asyncio.ensure_future(app.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(8):
            await app.stop()
    return 0
