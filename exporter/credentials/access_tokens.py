"""Access tokens for logins: kept until shortly before they end, one request at a time for each credential.

A request goes through the login guard like any login: a token endpoint locks whoever asks for too much, too.
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

EARLY = 300.0  # seconds before its end that a token is replaced; half its life, where that is less


class AccessTokens:
    """Fetches what is not in the store. A reload that changes the network makes another one over the same store."""

    def __init__(
        self, resolver: Resolver, contexts: TlsContexts, guard: LoginGuard, store: TokenStore | None = None
    ) -> None:
        self._resolver = resolver
        self._contexts = contexts
        self._guard = guard
        self._store = store or TokenStore()

    async def token(self, login: Login, trace: Trace) -> AccessToken | None:
        """The access token for a login, from memory or from the token endpoint, as phase `token`; None by password.

        A request under way is waited for, and not given up when its run is: an answer with a new refresh token that
        nobody hears would end the chain. Raises what `grant` does; Suspended where the endpoint has refused before.
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
        """Under the login guard."""
        try:
            credential = Login(source.name, source.client_id, source.seed)
            client_secret = await source.client_secret.read() if source.client_secret is not None else None
            net = Net(self._resolver, self._contexts, source.ca_file)
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
    """An exception that nobody waits for any more is no news: the next run meets it again."""
    if not task.cancelled():
        task.exception()
