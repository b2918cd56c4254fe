"""The configuration in use, and how a new one takes its place.

In come the configuration files, read again at each reload; out go the targets and settings, to every part of the
daemon. A configuration with an error in it is refused as a whole, and the old one stays in use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from exporter.config import ConfigError
from exporter.daemon import systemd
from exporter.daemon.loading import Loaded, load_all, recalled
from exporter.daemon.options import Options
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.targets.provider_watch import Discovery
from exporter.targets.resharding import Move

logger = logger_of(__name__)


class Part(Protocol):
    """What has to know the configuration."""

    def load(self, config: EffectiveConfig, /) -> None:
        """Take it over, on the event loop."""
        ...


class Configuration:
    """The one that is in use. `load` it once, then `reload` it or tell it that a provider was `recognised`."""

    def __init__(
        self,
        options: Options,
        discovery: Discovery,
        parts: Sequence[Part],
        metrics: SelfMetrics,
        *,
        reread: Callable[[], Awaitable[str | None]],
        taken_over: Callable[[], None],
        move: Move | None,
    ) -> None:
        """`reread`: look at the web configuration; the answer says why it is refused. `move`: see `Loaded.effective`.

        `taken_over` is called when a reload is done.
        """
        self.loaded: Loaded
        self.effective = EffectiveConfig()
        self._options = options
        self._discovery = discovery
        self._parts = parts
        self._metrics = metrics
        self._reread = reread
        self._taken_over = taken_over
        self._move = move
        self._lock = asyncio.Lock()
        self._refused: str | None = None  # why the configuration files were, at the last reload
        self._web_refused: str | None = None  # why the web configuration was, at the last look

    @property
    def error(self) -> str | None:
        """Why the files are not what is in use. None: they are."""
        return self._refused or self._web_refused

    @property
    def status(self) -> str:
        """For systemd, in a few words."""
        names = {target.name for target in self.effective.targets}
        sharding = self._options.sharding
        return f"watching {len(names)} targets" + (f", shard {sharding}" if sharding.on else "")

    async def load(self, loaded: Loaded) -> None:
        """The first one."""
        self._apply(await recalled(loaded, self._discovery))
        self._metrics.config_reloaded(True, loaded.config.hash, time.time())

    def _apply(self, loaded: Loaded, told: Sequence[str] = ()) -> None:
        """`told`: warnings that need not be told again."""
        self.loaded = loaded
        self.effective = loaded.effective(self._move)
        for part in self._parts:
            part.load(self.effective)
        for warning in self.effective.warnings:
            if warning not in told:
                logger.warning("%s", warning)

    async def recognised(self) -> None:
        """A provider was recognised: the targets of its mailboxes begin."""
        async with self._lock:
            self._apply(await recalled(self.loaded, self._discovery), self.effective.warnings)
            systemd.notify(f"STATUS={self.status}")

    async def reload(self) -> str | None:
        """Read the configuration files again. Bad ones are refused and the old ones hold: returns which and why."""
        async with self._lock:
            systemd.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            web_refused = await self._reread()
            try:
                found = await asyncio.to_thread(load_all, self._options, self._options.sharding)
                loaded = await recalled(found, self._discovery)
            except ConfigError as exc:
                return self._refuse(str(exc), web_refused)
            finally:
                systemd.notify("READY=1")
            self._refused = None
            self._discovery.wake()
            self._apply(loaded)
            self._metrics.config_reloaded(True, loaded.config.hash, time.time())
            self.web_config_looked_at(web_refused)
            self._taken_over()
            systemd.notify(f"STATUS={self.status}")
            count = len(loaded.built.targets)
            if web_refused is None:
                logger.info("configuration reloaded", targets=count)
                return None
            logger.warning(
                "configuration reloaded, but not the web configuration: its old one holds",
                targets=count,
                err=web_refused,
            )
            return f"the config was reloaded; {_web_refused(web_refused)}"

    def _refuse(self, why: str, web_refused: str | None) -> str:
        logger.error("the configuration is not reloaded, the old one runs on", err=why)
        self._metrics.config_reloaded(False, self.loaded.config.hash, time.time())
        self._refused = why
        refused = f"the config was not reloaded, the old one runs on: {why}"
        return refused if web_refused is None else f"{refused}\n{_web_refused(web_refused)}"

    def web_config_looked_at(self, refused: str | None) -> None:
        """`refused`: why it is not used as it is now. It counts: we could not start again with what is broken in it."""
        self._web_refused = refused
        self._metrics.config_reloaded(self.error is None, self.loaded.config.hash, time.time())

    async def watch(self, pause: float) -> None:
        """Reload whenever the content of a configuration file has changed, for ever. `pause`: seconds between looks."""
        refused = ""
        while True:
            await asyncio.sleep(pause)
            now = await asyncio.to_thread(self.loaded.config.hash_now)
            if now not in (self.loaded.config.hash, refused):
                refused = now if await self.reload() is not None else ""


def _web_refused(error: str) -> str:
    return f"the web configuration (--web.config.file) is refused, its old one holds: {error}"
