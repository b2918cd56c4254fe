"""The configuration in use, and its replacement at a reload.

In: the configuration files, read again at each reload. Out: targets and settings for every part of the daemon. A
configuration with an error is rejected as a whole, and the old one stays in use.
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
from exporter.daemon.warm_up import warm_up
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.outputs.metrics.self_metrics import SelfMetrics
from exporter.targets.provider_watch import Discovery
from exporter.targets.resharding import Move

logger = logger_of(__name__)


class Part(Protocol):
    """A part of the daemon that uses the configuration."""

    def load(self, config: EffectiveConfig, /) -> None:
        """Use a new configuration. Called on the event loop."""
        ...


class Configuration:
    """The configuration in use.

    Call `load` once, then `reload`, or `recognised` when a provider was recognised.
    """

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
        """`reread` checks the web configuration and returns why it is rejected. `move`: see `Loaded.effective`.

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
        self._refused: str | None = None  # why the configuration files were rejected at the last reload
        self._web_refused: str | None = None  # why the web configuration was rejected at the last check

    @property
    def error(self) -> str | None:
        """Return why the files are not in use, or None if they are."""
        return self._refused or self._web_refused

    @property
    def status(self) -> str:
        """Return a short status for systemd."""
        names = {target.name for target in self.effective.targets}
        sharding = self._options.sharding
        return f"watching {len(names)} targets" + (f", shard {sharding}" if sharding.on else "")

    async def load(self, loaded: Loaded) -> None:
        """Set the first configuration."""
        await self._take_over(await recalled(loaded, self._discovery))
        self._metrics.config_reloaded(True, loaded.config.hash, time.time())

    async def _take_over(self, loaded: Loaded, told: Sequence[str] = ()) -> None:
        """Pass the configuration to all parts and log its warnings. `told`: warnings that were already logged."""
        await asyncio.to_thread(warm_up, loaded.built.targets)
        self.loaded = loaded
        self.effective = loaded.effective(self._move)
        for part in self._parts:
            part.load(self.effective)
        for warning in self.effective.warnings:
            if warning not in told:
                logger.warning("%s", warning)

    async def recognised(self) -> None:
        """Start the targets of mailboxes whose provider was recognised."""
        async with self._lock:
            await self._take_over(await recalled(self.loaded, self._discovery), self.effective.warnings)
            systemd.notify(f"STATUS={self.status}")

    async def reload(self) -> str | None:
        """Read the configuration files again. Invalid files are rejected; returns which and why, or None."""
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
            await self._take_over(loaded)
            self._metrics.config_reloaded(True, loaded.config.hash, time.time())
            self.web_config_looked_at(web_refused)
            self._taken_over()
            systemd.notify(f"STATUS={self.status}")
            count = len(loaded.built.targets)
            if web_refused is None:
                logger.info("configuration reloaded", targets=count)
                return None
            logger.warning(
                "configuration reloaded, but not the web configuration: the old one stays in use",
                targets=count,
                err=web_refused,
            )
            return f"the config was reloaded; {_web_refused(web_refused)}"

    def _refuse(self, why: str, web_refused: str | None) -> str:
        logger.error("configuration not reloaded, the old one stays in use", err=why)
        self._metrics.config_reloaded(False, self.loaded.config.hash, time.time())
        self._refused = why
        refused = f"the config was not reloaded, the old one runs on: {why}"
        return refused if web_refused is None else f"{refused}\n{_web_refused(web_refused)}"

    def web_config_looked_at(self, refused: str | None) -> None:
        """Store the result of a check of the web configuration. `refused`: why it is rejected.

        It counts as an error, because a restart would fail with it.
        """
        self._web_refused = refused
        self._metrics.config_reloaded(self.error is None, self.loaded.config.hash, time.time())

    async def watch(self, pause: float) -> None:
        """Reload whenever the content of a configuration file has changed, forever. `pause`: seconds between checks."""
        refused = ""
        while True:
            await asyncio.sleep(pause)
            now = await asyncio.to_thread(self.loaded.config.hash_now)
            if now not in (self.loaded.config.hash, refused):
                refused = now if await self.reload() is not None else ""


def _web_refused(error: str) -> str:
    return f"the web configuration (--web.config.file) is refused, its old one holds: {error}"
