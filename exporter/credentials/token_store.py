"""Stores access and refresh tokens while the daemon runs, also across reloads of the configuration.

If a provider replaces the refresh token with each use, the new one is written to a file that only mailprobe can read,
because it must survive a restart. The configured refresh token is only the first one; if it changes, it is used again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from exporter.credentials.files import write_secret
from exporter.model import AccessToken, Flow, Secret, TokenSource
from exporter.model.logger import logger_of
from exporter.model.trace import Trace

GRACE = 3.0  # seconds that requests in progress get when the daemon stops
MAX_FILE = 64 * 1024  # bytes

logger = logger_of(__name__)


@dataclass(slots=True)
class Held:
    """What is known about one source."""

    access: AccessToken | None = None
    renew_at: float = 0.0  # `Clock.now()`
    seed: str = ""  # digest of the seed that `access` was made from
    asking: asyncio.Task[AccessToken] | None = None
    asked: Trace = field(default_factory=Trace)  # of the request; contains the login guard's record


class TokenStore:
    """The tokens of all logins; one per daemon. `directory` holds replaced refresh tokens; None: memory only."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._held: dict[TokenSource, Held] = {}
        # name → (digest of the seed, the refresh token that replaced it)
        self._replaced: dict[str, tuple[str, Secret]] = {}
        self._unwritten: dict[str, TokenSource] = {}  # sources whose replacement is not on disk
        self._writing = asyncio.Lock()

    def held(self, source: TokenSource) -> Held:
        return self._held.setdefault(source, Held())

    async def current(self, source: TokenSource, seed: Secret) -> Secret:
        """Return the refresh token that replaced the seed, or the seed."""
        if source.flow is not Flow.REFRESH_TOKEN:
            return seed
        known = self._replaced.get(source.name)
        if known is None and self._directory is not None:
            known = await asyncio.to_thread(_read, _file(self._directory, source))
            if known is not None:
                self._replaced[source.name] = known
        return known[1] if known is not None and known[0] == digest(source, seed) else seed

    async def replace(self, source: TokenSource, seed: Secret, refresh: Secret) -> None:
        """Store the refresh token that the provider returned as a replacement."""
        self._replaced[source.name] = (digest(source, seed), refresh)
        if self._directory is not None:
            self._unwritten[source.name] = source
            await self.write_again()

    async def write_again(self) -> None:
        """Write what the disk refused before. Otherwise a restart would use a token that was used already."""
        if self._directory is None or not self._unwritten:
            return
        async with self._writing:
            for name in list(self._unwritten):
                source = self._unwritten.pop(name)
                file, (begun_by, refresh) = _file(self._directory, source), self._replaced[name]
                try:
                    await asyncio.to_thread(_write, file, begun_by, refresh)
                except OSError as exc:
                    self._unwritten[name] = source
                    logger.error(  # noqa: TRY400 - the message tells all
                        "cannot write %s: %s. It is tried again with the next login; a restart before may ask for a "
                        "new sign-in (mailprobe oauth)",
                        file,
                        exc.strerror,
                    )

    async def aclose(self) -> None:
        """Wait for the requests in progress: their answers may contain the next refresh token."""
        asking = [held.asking for held in self._held.values() if held.asking is not None]
        if asking:
            _, late = await asyncio.wait(asking, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.write_again()


def digest(source: TokenSource, seed: Secret) -> str:
    """Return a digest, by which a changed seed is noticed."""
    return hashlib.sha256(f"{source.name}\0{seed.reveal()}".encode("utf-8", "surrogatepass")).hexdigest()


def _file(directory: Path, source: TokenSource) -> Path:
    return directory / f"{hashlib.sha256(source.name.encode()).hexdigest()[:32]}.json"


def _read(file: Path) -> tuple[str, Secret] | None:
    """Read a stored refresh token.

    An unreadable file counts as none: the seed is used, and a refusal says what to do.
    """
    try:
        with file.open("rb") as opened:
            record = json.loads(opened.read(MAX_FILE))
        return str(record["seed"]), Secret(str(record["refresh_token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        logger.warning("%s cannot be read: the configured refresh token is used", file)
        return None


def _write(file: Path, begun_by: str, refresh: Secret) -> None:
    """Write the file completely or not at all; on disk when this returns, and readable only by us from the start."""
    write_secret(file, json.dumps({"seed": begun_by, "refresh_token": refresh.reveal()}))
