"""The web settings in use, checked for changes at each request.

If the files become invalid, the last valid settings stay in use: a mistake must never make access less strict.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from exporter.config.problems import ConfigError
from exporter.model.logger import logger_of
from exporter.web.config.load import Attempt, Settings, attempt, digest_of

logger = logger_of(__name__)

T = TypeVar("T")

PATIENCE = 1.0  # seconds that a request waits for slow files; then the last settings are used


class Keeper:
    """Keeps the settings in use.

    `told` is called with the reason when changed files are refused, and with None when they are used again.
    `tls_changed` is called after the TLS settings have changed.
    """

    def __init__(
        self,
        path: Path,
        *,
        told: Callable[[str | None], None] = lambda _: None,
        tls_changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.settings: Settings
        self.error: str | None = None
        self._told = told
        self._tls_changed = tls_changed
        self._files: tuple[Path, ...] = ()
        self._digest = b""
        self._looking: asyncio.Task[None] | None = None
        # A separate thread, so that a hanging file system does not block anything else.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web.config")

    async def open(self) -> None:
        """Load the files for the first time. Raises ConfigError."""
        found = await self._in_thread(lambda: attempt(self.path))
        if found.settings is None:
            raise ConfigError(found.problems)
        self._remember(found)
        self.settings = found.settings
        self._say(found.settings)

    async def now(self) -> Settings:
        """Return the settings from the current files; if these are invalid, the last valid settings."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._looking)
        return self.settings

    def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _looked(self, task: asyncio.Task[None]) -> None:
        self._looking = None
        if not task.cancelled() and task.exception() is not None:
            logger.error("bug: the web configuration could not be checked", exc_info=task.exception())

    async def _look(self) -> None:
        files = self._files
        if await self._in_thread(lambda: digest_of(files)) == self._digest:
            return
        found = await self._in_thread(lambda: attempt(self.path))
        self._remember(found)
        settings, before = found.settings, self.settings
        if settings is None:
            self._refuse(str(ConfigError(found.problems)))
        elif lost := _lost(before, settings):
            self._refuse(f"{self.path}: {lost} cannot be removed while the daemon is running: restart it")
        else:
            self.settings = settings
            self._say(settings)
            if settings.tls_digest != before.tls_digest:
                self._tls_changed()
            logger.info("web configuration reloaded", file=str(self.path))
            if self.error is not None:
                self.error = None
                self._told(None)

    def _remember(self, found: Attempt) -> None:
        self._files, self._digest = found.files, found.digest

    def _refuse(self, why: str) -> None:
        logger.error("the web configuration is not used, the previous one stays in use", err=why)
        self.error = why
        self._told(why)

    def _say(self, settings: Settings) -> None:
        for warning in settings.warnings:
            logger.warning("%s", warning)
        for note in settings.notes:
            logger.info("%s", note)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _lost(before: Settings, after: Settings) -> str:
    """Return which access check the new settings would remove, or "".

    A file that is only partly written may look like that. Therefore only a restart can remove a check.
    """
    if before.tls is not None and after.tls is None:
        return "tls_server_config"
    if before.users and not after.users:
        return "basic_auth_users (the last of them)"
    if before.certificate_required and not after.certificate_required:
        return "client_auth_type: RequireAndVerifyClientCert"
    if before.allowed_sans and not after.allowed_sans:
        return "client_allowed_sans"
    return ""
