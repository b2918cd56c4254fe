"""Access tokens for logins: requested when needed, kept until shortly before they expire.

At most one request per credential runs at a time. If a provider replaces the refresh token with each use, the new one
is written to a file that only mailprobe can read, because it must survive a restart. The configured refresh token is
only the first one; if it changes, it is used again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from exporter.credentials.clock import Clock
from exporter.credentials.files import write_secret
from exporter.credentials.guard import LoginGuard
from exporter.model import AccessToken, Flow, Login, Phase, Secret, TokenSource
from exporter.model import FactName as Name
from exporter.model.errors import TokenRefusal
from exporter.model.trace import Trace
from exporter.net import urls
from exporter.net.oauth.client import Granted, Net, grant

GRACE = 3.0  # seconds that requests in progress get when the daemon stops
EARLY = 300.0  # seconds before its expiry that a token is replaced; half its lifetime if that is shorter
MAX_FILE = 64 * 1024  # bytes

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """What is known about one source."""

    access: AccessToken | None = None
    renew_at: float = 0.0  # `Clock.now()`
    seed: str = ""  # digest of the seed that `access` was made from
    asking: asyncio.Task[AccessToken] | None = None


@dataclass(frozen=True, slots=True)
class Means:
    """What is needed to get a token."""

    source: TokenSource
    net: Net
    logins: LoginGuard


class Tokens:
    """The access tokens of all logins; one per daemon. `directory` holds replaced refresh tokens; None: memory only."""

    def __init__(self, directory: Path | None = None, clock: Clock | None = None) -> None:
        self._directory = directory
        self._clock = clock or Clock()
        self._held: dict[TokenSource, _Held] = {}
        # name → (digest of the seed, the refresh token that replaced it)
        self._replaced: dict[str, tuple[str, Secret]] = {}

    async def token(self, login: Login, means: Means, trace: Trace) -> AccessToken:
        """Return the access token for a login, from memory or from the token endpoint, in phase `token`.

        A request in progress is always completed, even if its run is cancelled: its answer may contain the next refresh
        token, without which no further token could be requested. Raises the same exceptions as `grant`, and Suspended
        if the endpoint has refused before.
        """
        with trace.phase(Phase.TOKEN):
            source = means.source
            held = self._held.setdefault(source, _Held())
            if held.access is not None and login.leads:
                trace.fact(Name.OAUTH_EXPIRY, held.access.expires)
            digest = _digest(source, await source.seed.read())
            access = held.access
            if access is None or held.seed != digest or self._clock.now() >= held.renew_at:
                access = await self._ask(held, login, means, trace)
            if login.leads:
                trace.fact(Name.OAUTH_EXPIRY, access.expires)
            return access

    async def aclose(self) -> None:
        """Wait for the requests in progress: their answers may contain the next refresh token."""
        asking = [held.asking for held in self._held.values() if held.asking is not None]
        if asking:
            _, late = await asyncio.wait(asking, timeout=GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- requests -------------------------------------------------------------------------------------------------

    async def _ask(self, held: _Held, login: Login, means: Means, trace: Trace) -> AccessToken:
        host = urls.host_of(means.source.token_url)
        if held.asking is None:
            trace.said("#", f"asks {host} for an access token ({means.source.flow})")
            force = means.logins.is_allowed(login.account)
            held.asking = asyncio.create_task(self._request(held, means, force=force))
            held.asking.add_done_callback(_heard)
        else:
            trace.said("#", f"waits for the access token that another run asks {host} for")
        try:
            return await asyncio.shield(held.asking)
        except TokenRefusal as exc:
            trace.attempted, trace.refused = True, exc.counted
            raise

    async def _request(self, held: _Held, means: Means, *, force: bool) -> AccessToken:
        """Request a token through the login guard, because token endpoints lock clients after too many refusals too."""
        source = means.source
        try:
            credential = Login(source.name, source.client_id, source.seed)
            client_secret = await source.client_secret.read() if source.client_secret is not None else None
            async with means.logins.attempt(credential, Trace(), force=force) as seed:
                digest = _digest(source, seed)
                current = await self._current(source, seed, digest)
                granted = await grant(source, current, client_secret, means.net, self._clock.wall())
            if source.flow is Flow.REFRESH_TOKEN and granted.refresh is not None and granted.refresh != current:
                await self._replace(source, digest, granted.refresh)
            return self._keep(held, digest, granted)
        finally:
            held.asking = None

    def _keep(self, held: _Held, digest: str, granted: Granted) -> AccessToken:
        def spoil() -> None:
            if held.access is access:
                held.renew_at = 0.0

        now = self._clock.now()
        access = AccessToken(granted.access, self._clock.wall() + granted.lifetime, now, spoil)
        held.access, held.seed = access, digest
        held.renew_at = now + granted.lifetime - min(EARLY, granted.lifetime / 2)
        return access

    # -- stored refresh tokens -----------------------------------------------------------------------------------

    async def _current(self, source: TokenSource, seed: Secret, digest: str) -> Secret:
        """Return the refresh token to use now: the stored replacement, or the seed."""
        if source.flow is not Flow.REFRESH_TOKEN:
            return seed
        known = self._replaced.get(source.name)
        if known is None and self._directory is not None:
            known = await asyncio.to_thread(_read, self._file(self._directory, source))
            if known is not None:
                self._replaced[source.name] = known
        return known[1] if known is not None and known[0] == digest else seed

    async def _replace(self, source: TokenSource, digest: str, refresh: Secret) -> None:
        self._replaced[source.name] = (digest, refresh)
        if self._directory is None:
            return
        file = self._file(self._directory, source)
        try:
            await asyncio.to_thread(_write, file, digest, refresh)
        except OSError as exc:
            logger.error(  # noqa: TRY400 - the message tells all
                "cannot write %s: %s. A restart now may ask for a new sign-in (mailprobe oauth)", file, exc.strerror
            )

    @staticmethod
    def _file(directory: Path, source: TokenSource) -> Path:
        return directory / f"{hashlib.sha256(source.name.encode()).hexdigest()[:32]}.json"


def _heard(task: asyncio.Task[AccessToken]) -> None:
    """Ignore an exception that nobody waits for: the next run will see it again."""
    if not task.cancelled():
        task.exception()


def _digest(source: TokenSource, seed: Secret) -> str:
    return hashlib.sha256(f"{source.name}\0{seed.reveal()}".encode("utf-8", "surrogatepass")).hexdigest()


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


def _write(file: Path, digest: str, refresh: Secret) -> None:
    """Write the file completely or not at all; on disk when this returns, and readable only by us from the start."""
    write_secret(file, json.dumps({"seed": digest, "refresh_token": refresh.reveal()}))
