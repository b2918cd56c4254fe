"""Access tokens for logins: requested when needed, kept until shortly before they expire.

At most one request per credential runs at a time. A request goes through the login guard like any login, because token
endpoints lock clients after too many refusals too.
"""

from __future__ import annotations

import asyncio

from exporter.credentials.guard import LoginGuard
from exporter.credentials.token_store import Held, TokenStore, digest
from exporter.model import AccessToken, Flow, Login, Phase, Secret, TokenSource
from exporter.model import FactName as Name
from exporter.model.errors import TokenRefusal
from exporter.model.trace import Trace
from exporter.net import urls
from exporter.net.dns.resolver import Resolver
from exporter.net.oauth.client import Granted, Net, grant
from exporter.net.tls import TlsContexts

EARLY = 300.0  # seconds before its expiry that a token is replaced; half its lifetime if that is shorter


class AccessTokens:
    """Requests the tokens that are not in the store.

    A reload that changes the network creates a new one on the same store.
    """

    def __init__(
        self, resolver: Resolver, contexts: TlsContexts, guard: LoginGuard, store: TokenStore | None = None
    ) -> None:
        self._resolver = resolver
        self._contexts = contexts
        self._guard = guard
        self._store = store or TokenStore()

    async def token(self, login: Login, trace: Trace) -> AccessToken | None:
        """Return the access token for a login, in phase `token`; None if it uses a password.

        The token comes from memory or from the token endpoint. A request in progress is always completed, even if its
        run is cancelled: its answer may contain the next refresh token, without which no further token could be
        requested. Raises the same exceptions as `grant`, and Suspended if the endpoint has refused before.
        """
        source = login.oauth
        if source is None:
            return None
        with trace.phase(Phase.TOKEN):
            held = self._store.held(source)
            if held.access is not None and login.leads:
                trace.fact(Name.OAUTH_EXPIRY, held.access.expires)
            await self._store.write_again()
            seed = digest(source, await source.seed.read())
            access = held.access
            if access is None or held.seed != seed or self._guard.clock.now() >= held.renew_at:
                access = await self._ask(held, login, source, trace)
            if login.leads:
                trace.fact(Name.OAUTH_EXPIRY, access.expires)
            return access

    async def _ask(self, held: Held, login: Login, source: TokenSource, trace: Trace) -> AccessToken:
        host = urls.host_of(source.token_url)
        if held.asking is None:
            trace.said("#", f"asks {host} for an access token ({source.flow})")
            force = self._guard.is_allowed(login.account)
            held.asked = Trace()
            held.asking = asyncio.create_task(self._request(held, source, force=force))
            held.asking.add_done_callback(_heard)
        else:
            trace.said("#", f"waits for the access token that another run asks {host} for")
        asked = held.asked
        try:
            return await asyncio.shield(held.asking)
        except TokenRefusal:
            trace.login = asked.login
            raise

    async def _request(self, held: Held, source: TokenSource, *, force: bool) -> AccessToken:
        """Request a token through the login guard."""
        try:
            credential = Login(source.name, source.client_id, source.seed)
            client_secret = await source.client_secret.read() if source.client_secret is not None else None
            net = Net(self._resolver, self._contexts, source.ca_file, held.asked)
            async with self._guard.attempt(credential, held.asked, phase=Phase.TOKEN, force=force) as seed:
                current = await self._store.current(source, seed)
                granted = await grant(source, current, client_secret, net, self._guard.clock.wall())
            if source.flow is Flow.REFRESH_TOKEN and granted.refresh is not None and granted.refresh != current:
                await self._store.replace(source, seed, granted.refresh)
            return self._keep(held, source, seed, granted)
        finally:
            held.asking = None

    def _keep(self, held: Held, source: TokenSource, seed: Secret, granted: Granted) -> AccessToken:
        def spoil() -> None:
            if held.access is access:
                held.renew_at = 0.0

        clock = self._guard.clock
        now = clock.now()
        access = AccessToken(granted.access, clock.wall() + granted.lifetime, now, spoil)
        held.access, held.seed = access, digest(source, seed)
        held.renew_at = now + granted.lifetime - min(EARLY, granted.lifetime / 2)
        return access


def _heard(task: asyncio.Task[AccessToken]) -> None:
    """Ignore an exception that nobody waits for: the next run will see it again."""
    if not task.cancelled():
        task.exception()
