"""What is known of access and refresh tokens: kept while a daemon runs, also across reloads of its configuration.

What must survive a restart is the refresh token, where the provider replaces it with each use: it lies in a file of its
own, readable by us alone. The configured one is the seed of that chain; a changed seed begins a new chain.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from exporter.credentials.files import write_secret
from exporter.model import AccessToken, Flow, Secret, TokenSource
from exporter.model.trace import Trace

GRACE = 3.0  # seconds for requests under way when stopping
MAX_FILE = 64 * 1024  # bytes

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Held:
    """What is known of one source."""

    access: AccessToken | None = None
    renew_at: float = 0.0  # `Clock.now()`
    seed: str = ""  # digest of the seed that `access` was made from
    asking: asyncio.Task[AccessToken] | None = None
    asked: Trace = field(default_factory=Trace)  # of the request: the login guard's note on it


class TokenStore:
    """One per daemon. `directory`: where replaced refresh tokens lie; None keeps them in memory."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._held: dict[TokenSource, Held] = {}
        self._replaced: dict[str, tuple[str, Secret]] = {}  # name → digest of the seed, the refresh token in its place
        self._unwritten: dict[str, TokenSource] = {}  # whose `_replaced` is not on the disk
        self._writing = asyncio.Lock()

    def held(self, source: TokenSource) -> Held:
        return self._held.setdefault(source, Held())

    async def current(self, source: TokenSource, seed: Secret) -> Secret:
        """The refresh token that has taken the seed's place, else the seed."""
        if source.flow is not Flow.REFRESH_TOKEN:
            return seed
        known = self._replaced.get(source.name)
        if known is None and self._directory is not None:
            known = await asyncio.to_thread(_read, _file(self._directory, source))
            if known is not None:
                self._replaced[source.name] = known
        return known[1] if known is not None and known[0] == digest(source, seed) else seed

    async def replace(self, source: TokenSource, seed: Secret, refresh: Secret) -> None:
        """Keep what the provider gave in place of the refresh token that was used."""
        self._replaced[source.name] = (digest(source, seed), refresh)
        if self._directory is not None:
            self._unwritten[source.name] = source
            await self.write_again()

    async def write_again(self) -> None:
        """Write what the disk has refused before: else a restart would begin with a token that was used already."""
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
        """Wait for the requests under way: their answers may hold the next refresh token."""
        asking = [held.asking for held in self._held.values() if held.asking is not None]
        if asking:
            _, late = await asyncio.wait(asking, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self.write_again()


def digest(source: TokenSource, seed: Secret) -> str:
    """By which a changed seed is noticed."""
    return hashlib.sha256(f"{source.name}\0{seed.reveal()}".encode("utf-8", "surrogatepass")).hexdigest()


def _file(directory: Path, source: TokenSource) -> Path:
    return directory / f"{hashlib.sha256(source.name.encode()).hexdigest()[:32]}.json"


def _read(file: Path) -> tuple[str, Secret] | None:
    """An unreadable file is as good as none: the seed is tried then, and its refusal says what to do."""
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
    """All or nothing, on the disk when this returns, and readable by us alone from the first byte."""
    write_secret(file, json.dumps({"seed": begun_by, "refresh_token": refresh.reveal()}))
